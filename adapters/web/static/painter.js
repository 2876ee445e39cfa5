// The painter's page: takes its picture, keeps tools and words, hands in the mask. What was painted stays until it is taken.
import { Board } from "./board.js";
import { Mask } from "./mask.js";
import { byId, element, say } from "./page.js";

const REGIONS = { left: [0, 0, 0.5, 1], right: [0.5, 0, 0.5, 1], top: [0, 0, 1, 0.5], bottom: [0, 0.5, 1, 0.5], center: [0.25, 0.25, 0.5, 0.5] };
const TOOLS = ["brush", "eraser", "rectangle", "hand"];
const DEAD = new Set([403, 409, 410]);
const state = { tool: "brush", about: null, mask: null, board: null, sending: false };

// The token leaves the address bar (and so the history and any Referer) before anything is asked.
function token() {
  const inAddress = location.pathname.split("/").pop();
  if (inAddress) history.replaceState({ token: inAddress }, "", "/mask/");
  return history.state?.token ?? "";
}
const bearer = { Authorization: `Bearer ${token()}` };

async function call(path, options = {}) {
  let reply;
  try {
    reply = await fetch(path, { ...options, headers: { ...bearer, ...options.headers } });
  } catch {
    throw Object.assign(new Error(say("offline")), { status: 0 });
  }
  if (reply.ok) return reply;
  const found = await reply.json().catch(() => ({}));
  throw Object.assign(new Error(found.error ?? say("broken")), { status: reply.status });
}

async function start() {
  try {
    state.about = await (await call("/mask/about")).json();
    const picture = await createImageBitmap(await (await call("/mask/picture")).blob());
    const { width, height, prompt, limit } = state.about;
    state.mask = new Mask(width, height);
    state.board = new Board(byId("canvas"), picture, state.mask, { tool, changed });
    byId("size").max = String(Math.round(Math.max(width, height) / 3));
    byId("size").value = String(Math.round(Math.max(width, height) / 16));
    byId("prompt").value = prompt;
    byId("prompt").maxLength = limit;
    listen();
    changed();
  } catch (error) {
    failed(error);
  }
}

const tool = () => ({ name: state.tool, size: Number(byId("size").value) });

function choose(name) {
  state.tool = name;
  for (const one of TOOLS) byId(`tool-${one}`).setAttribute("aria-pressed", String(one === name));
  byId("canvas").classList.toggle("hand", name === "hand");
}

// After each step: what can be undone, and why nothing can be handed in yet.
function changed() {
  const { mask, about, board } = state;
  byId("undo").disabled = !mask.done.length;
  byId("redo").disabled = !mask.undone.length;
  const share = mask.share();
  const words = byId("prompt").value.trim();
  const why = share === 0 ? "paint_first" : share === 1 ? "all_painted" : about.required && !words ? "words_first" : "";
  byId("submit").disabled = Boolean(why) || state.sending;
  byId("status").classList.remove("notice");
  byId("status").textContent = why ? say(why) : say("painted_share", { share: Math.max(1, Math.round(share * 100)) });
  byId("left").textContent = say("letters", { count: byId("prompt").value.length, limit: about.limit });
  board.show();
}

function act(step) {
  step(state.mask);
  changed();
}

function region(name) {
  const [x, y, w, h] = REGIONS[name];
  const { width, height } = state.mask;
  act((mask) => mask.begin({ kind: "rectangle", box: [x * width, y * height, w * width, h * height] }));
}

function listen() {
  for (const one of TOOLS) byId(`tool-${one}`).addEventListener("click", () => choose(one));
  const on = (id, step) => byId(id).addEventListener("click", () => act(step));
  on("undo", (mask) => mask.undo());
  on("redo", (mask) => mask.redo());
  on("invert", (mask) => mask.begin({ kind: "invert" }));
  on("clear", (mask) => mask.begin({ kind: "clear" }));
  byId("zoom-in").addEventListener("click", () => state.board.zoom(1.25));
  byId("zoom-out").addEventListener("click", () => state.board.zoom(0.8));
  byId("zoom-fit").addEventListener("click", () => state.board.fit());
  for (const button of document.querySelectorAll("[data-region]")) button.addEventListener("click", () => region(button.dataset.region));
  byId("prompt").addEventListener("input", changed);
  byId("form").addEventListener("submit", (event) => (event.preventDefault(), submit()));
  document.addEventListener("keydown", keyed);
  document.addEventListener("keyup", (event) => event.code === "Space" && (state.board.space = false));
}

function keyed(event) {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") return byId("submit").disabled || submit();
  if (event.target === byId("prompt")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") return (event.preventDefault(), act((mask) => (event.shiftKey ? mask.redo() : mask.undo())));
  if (event.code === "Space" && event.target === document.body) (event.preventDefault(), (state.board.space = true));
  const size = byId("size");
  if (event.key === "[") size.value = String(size.value * 0.8);
  if (event.key === "]") size.value = String(size.value * 1.25 + 1);
  if (event.key === "+" || event.key === "=") state.board.zoom(1.25);
  if (event.key === "-") state.board.zoom(0.8);
  state.board.show();
}

async function submit() {
  state.sending = true;
  byId("submit").disabled = true;
  byId("status").textContent = say("sending");
  try {
    const words = encodeURIComponent(byId("prompt").value.trim());
    const headers = { "Content-Type": "image/png", "Easel-Prompt": words };
    const reply = await call("/mask/submit", { method: "POST", body: await state.mask.png(), headers });
    finish((await reply.json()).text);
  } catch (error) {
    state.sending = false;
    byId("submit").disabled = false;
    failed(error);
  }
}

function failed(error) {
  if (DEAD.has(error.status)) return finish(error.message);
  byId("status").classList.add("notice");
  byId("status").textContent = error.message;
}

function finish(text) {
  state.board?.close();
  document.body.replaceChildren(element("main", { class: "done" }, element("div", { class: "card" }, element("h1", {}, "Easel"), element("p", { id: "status", role: "status" }, text))));
}

start();
