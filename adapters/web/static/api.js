// Calls to the room, each with the key of this window, and the stream of changes that misses nothing.
import { say } from "./page.js";

const KEPT = "easel.key";
const PATIENCE = 40000; // ms without even a heartbeat: the connection is dead
export const locale = document.documentElement.lang;

export const key = () => sessionStorage.getItem(KEPT);
export const keep = (value) => (value ? sessionStorage.setItem(KEPT, value) : sessionStorage.removeItem(KEPT));
// A new key for each request; sending the same one again after a lost reply changes nothing.
export const newKey = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");

export class Refused extends Error {
  constructor(status, reason, sentence) {
    super(sentence);
    this.status = status;
    this.reason = reason;
  }
}

function headers(more = {}) {
  return { Authorization: `Bearer ${key() ?? ""}`, "Easel-Locale": locale, ...more };
}

async function answerOf(path, options) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Refused(0, "offline", say("offline"));
  }
  let found = {};
  try {
    found = await reply.json();
  } catch {
    // Only a refusal by the guard has no body.
  }
  if (!reply.ok) throw new Refused(reply.status, found.reason ?? "", found.error ?? say(reply.status === 413 ? "too_large" : "broken"));
  return found;
}

export const ask = (path) => answerOf(path, { headers: headers() });

export function tell(path, body) {
  const sent = JSON.stringify({ locale, key: newKey(), ...body });
  return answerOf(path, { method: "POST", body: sent, headers: headers({ "Content-Type": "application/json" }) });
}

export function upload(file) {
  const name = encodeURIComponent(file.name || "picture");
  return answerOf("/room/upload", { method: "POST", body: file, headers: headers({ "Easel-Name": name }) });
}

// Calls onEvent for each event, onState(true|false) as the connection comes and goes, until the key is refused.
export async function follow(onEvent, onState) {
  let change = null;
  let wait = 250;
  for (;;) {
    let why = "";
    try {
      await read(change, (event) => {
        wait = 250;
        onState(true);
        if (event.change !== undefined) change = event.change;
        onEvent(event);
      });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) throw error;
      why = error instanceof Refused ? error.message : "";
    }
    onState(false, why);
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, 4000);
  }
}

async function refusalOf(reply) {
  const found = await reply.json().catch(() => ({}));
  return new Refused(reply.status, found.reason ?? "", found.error ?? "");
}

async function read(change, onEvent) {
  const dead = new AbortController();
  let timer = setTimeout(() => dead.abort(), PATIENCE);
  const path = change === null ? "/room/stream" : `/room/stream?since=${change}`;
  try {
    const reply = await fetch(path, { headers: headers(), signal: dead.signal });
    if (!reply.ok) throw await refusalOf(reply);
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => dead.abort(), PATIENCE);
      const events = (text + value).split("\n\n");
      text = events.pop();
      // Anything else is a heartbeat.
      for (const event of events) if (event.startsWith("data: ")) onEvent(JSON.parse(event.slice("data: ".length)));
    }
  } finally {
    clearTimeout(timer);
    dead.abort();
  }
}
