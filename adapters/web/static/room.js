// The room: coming in, channels and threads, and keeping the page as the stream says things are.
import { Refused, ask, follow, keep, key, locale, tell } from "./api.js";
import { Composer } from "./composer.js";
import { openForm } from "./forms.js";
import { openPicture } from "./lightbox.js";
import { keepPalette, markHead, messageView } from "./message.js";
import { byId, element, say } from "./page.js";

const NAME = "easel.name";
const state = { me: null, channels: [], people: new Map(), messages: new Map(), channel: "general", thread: "", unread: new Map(), seen: new Map(), heads: new Map(), commands: [], started: false };
let composer, threadComposer;

// Coming in

function atTheDoor() {
  byId("name").value = localStorage.getItem(NAME) ?? "";
  byId("language").value = locale;
  byId("language").addEventListener("change", (event) => (location.search = `?lang=${event.target.value}`));
  byId("enter").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const name = byId("name").value;
      const entered = await tell("/room/enter", { name });
      localStorage.setItem(NAME, name);
      keep(entered.key);
      await inside();
    } catch (error) {
      byId("door-notice").textContent = error.message;
    }
  });
  byId("name").focus();
}

async function inside() {
  byId("door").hidden = true;
  byId("house").hidden = false;
  fromAddress();
  composer ??= makeComposer("composer", "scroll", () => ({ channel: state.channel, thread: "" }));
  threadComposer ??= makeComposer("thread-composer", "thread-scroll", () => ({ channel: state.channel, thread: state.thread }));
  ask(`/room/commands?locale=${locale}`).then((found) => (state.commands = found), () => {});
  try {
    await follow(onEvent, (isUp, why) => (byId("link-state").textContent = isUp ? "" : why || say("reconnecting")));
  } catch {
    keep(null);
    location.reload();
  }
}

function makeComposer(form, area, where) {
  return new Composer(byId(form), { where, around: () => state, commands: () => state.commands, area: byId(area), said });
}

// One's own words are there at once; they give way to the message itself.
function said(taken, isDone) {
  const known = document.querySelector(`[data-sending="${taken.key}"]`);
  if (isDone) return void known?.remove();
  if (known || taken.place !== placeOf(taken.where)) return;
  const list = byId(taken.where.thread ? "thread-messages" : "messages");
  const pictures = taken.pictures.map((one) => ({ ...one, alt: one.name }));
  const message = { id: 0, author: state.me, tone: "said", title: "", text: taken.text, progress: null, pictures, buttons: [], menu: [], marks: {}, created: new Date().toISOString() };
  const shown = view(message, true);
  delete shown.dataset.message;
  shown.dataset.sending = taken.key;
  shown.inert = true;
  list.append(shown);
  toEnd(list.parentElement);
}

const placeOf = ({ channel, thread }) => `${channel}/${thread}`;

// The picture from which the next edit starts, here and in the open thread.
let looking = null;
function lookForHeads() {
  clearTimeout(looking);
  looking = setTimeout(() => {
    headOf({ channel: state.channel, thread: "" }, composer);
    if (state.thread) headOf({ channel: state.channel, thread: state.thread }, threadComposer);
  }, 120);
}

async function headOf(where, inComposer) {
  let head = null;
  try {
    const found = await tell("/room/head", where);
    head = found.step ? found : null;
  } catch {
    // Asked again when the next picture comes.
    return;
  }
  state.heads.set(placeOf(where), head);
  if (placeOf(inComposer.where()) !== placeOf(where)) return;
  inComposer.setHead(head, hasOthers(where.channel));
  markHead(byId(where.thread ? "thread-messages" : "messages"), head?.key);
}

const hasOthers = (channel) => Boolean(state.channels.find((one) => one.id === channel)?.name);

// What the stream says

function onEvent(event) {
  if (event.kind === "around") {
    state.me = event.me.id;
    state.channels = event.channels;
    state.people = new Map(event.people.map((one) => [one.id, one.name]));
    if (!state.channels.some((one) => one.id === state.channel)) state.channel = "general";
    showSide();
    return;
  }
  const isFirst = !state.started;
  state.started = true;
  for (const message of event.messages) receive(message, isFirst);
  if (isFirst) for (const message of event.messages) if (message.thread) markSeen(Number(message.thread));
  if (isFirst) showAll(), jumpToWanted();
  else if (event.messages.length) showSide();
  const isAnswer = (message) => message.channel === state.channel && !message.author && message.tone !== "status";
  if (isFirst || event.messages.some(isAnswer)) lookForHeads();
}

function receive(message, isFirst) {
  if (message.tone === "gone") return remove(message);
  const isNew = !state.messages.has(message.id);
  state.messages.set(message.id, message);
  if (isFirst) return;
  if (isNew && message.author === state.me) for (const shown of document.querySelectorAll("[data-sending]")) if (shown.querySelector(".text")?.textContent === message.text) shown.remove();
  if (isNew && message.author !== state.me && (message.channel !== state.channel || document.hidden)) {
    state.unread.set(message.channel, (state.unread.get(message.channel) ?? 0) + 1);
  }
  if (message.channel !== state.channel) return;
  const root = message.thread || String(message.id);
  if (message.thread && message.thread === state.thread) markSeen(Number(root));
  place(message, message.thread ? byId("thread-messages") : byId("messages"), isNew);
  if (message.thread) refresh(state.messages.get(Number(root)), byId("messages"));
  if (!message.thread && root === state.thread) place(message, byId("thread-messages"), isNew);
}

function remove(message) {
  state.messages.delete(message.id);
  for (const shown of document.querySelectorAll(`[data-message="${message.id}"]`)) shown.remove();
}

// Put a message where it belongs, replacing an older state of it; the reader stays where they read.
function place(message, list, isNew) {
  const isThread = list.id === "thread-messages";
  if (isThread && String(message.id) !== state.thread && message.thread !== state.thread) return;
  const scroll = list.parentElement;
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
  if (!refresh(message, list)) {
    const after = [...list.children].reverse().find((one) => Number(one.dataset.message) < message.id);
    if (after) after.after(view(message, isThread));
    else list.prepend(view(message, isThread));
  }
  if (atEnd || (isNew && message.author === state.me)) toEnd(scroll);
  else if (isNew && !isThread) byId("newer").hidden = false;
}

function refresh(message, list) {
  const old = message && list.querySelector(`:scope > [data-message="${message.id}"]`);
  if (!old) return false;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const fresh = view(message, list.id === "thread-messages");
  keepPalette(old, fresh);
  old.replaceWith(fresh);
  if (focused?.isConnected) focused.focus();
  else if (focused) again(fresh, focused)?.focus();
  return true;
}

function again(fresh, focused) {
  for (const name of ["button", "mark", "tool"]) {
    const value = focused.dataset[name];
    if (value) return fresh.querySelector(`[data-${name}="${CSS.escape(value)}"]`);
  }
  return null;
}

const nameOf = (person) => state.people.get(person) ?? person;

function view(message, inThread) {
  const replies = [...state.messages.values()].filter((one) => one.thread === String(message.id));
  const seen = state.seen.get(message.id) ?? 0;
  const unread = replies.filter((one) => one.id > seen && one.author !== state.me).length;
  const headKey = state.heads.get(placeOf({ channel: message.channel, thread: inThread ? state.thread : "" }))?.key;
  return messageView(message, { me: state.me, nameOf, replies: replies.length, unread, inThread, headKey }, inThread ? threadActs : acts);
}

// What was there when the page opened, or is read in the open thread, is not new.
function markSeen(root) {
  const ids = [...state.messages.values()].filter((one) => one.thread === String(root)).map((one) => one.id);
  state.seen.set(root, Math.max(0, ...ids));
}

// Pictures have their size set, but a late one may still push the end away.
function toEnd(scroll) {
  scroll.scrollTop = scroll.scrollHeight;
  for (const image of scroll.querySelectorAll("img")) if (!image.complete) image.addEventListener("load", () => (scroll.scrollTop = scroll.scrollHeight), { once: true });
}

// A reader at the end stays there when the composer grows over it.
function stayAtEnd(scroll) {
  let isAtEnd = true;
  scroll.addEventListener("scroll", () => (isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120));
  new ResizeObserver(() => isAtEnd && (scroll.scrollTop = scroll.scrollHeight)).observe(scroll);
}
stayAtEnd(byId("scroll"));
stayAtEnd(byId("thread-scroll"));

// What a message can do

function notice(error, inThread) {
  const shown = (inThread ? threadComposer : composer).notice;
  shown.textContent = error instanceof Refused ? error.message : say("broken");
  shown.scrollIntoView({ block: "nearest" });
}

function actsIn(inThread) {
  const where = (message) => ({ channel: message.channel, thread: inThread ? state.thread : message.thread });
  const attempt = async (work) => {
    (inThread ? threadComposer : composer).notice.textContent = "";
    try {
      await work();
    } catch (error) {
      notice(error, inThread);
    }
  };
  return {
    look: openPicture,
    editPicture: (picture) => (inThread ? threadComposer : composer).editPicture(picture),
    jump: (id) => jump(id),
    reply: (message) => (inThread ? threadComposer : composer).replyTo(message, message.author ? nameOf(message.author) : "Easel"),
    thread: (message) => openThread(String(message.id)),
    mark: (message, emoji, on) => attempt(() => tell("/room/react", { message: message.id, emoji, on })),
    dismiss: (message) => attempt(() => tell("/room/dismiss", { message: message.id })),
    edit: (message) => attempt(async () => {
      const answer = await tell("/room/say", { ...where(message), text: "/edit", reply_to: message.id });
      await openForm(answer.form, where(message), message.pictures.filter((one) => one.ref).map((one) => one.ref), state);
    }),
    press: (button, message, pressed) => attempt(async () => {
      if (button.kind === "delete" && !confirm(say("delete_sure"))) return;
      pressed.disabled = true;
      try {
        const answer = await tell("/room/press", { ...where(message), button: button.id });
        if (answer.form) await openForm(answer.form, where(message), [], state);
      } finally {
        pressed.disabled = false;
      }
    }),
  };
}
const acts = actsIn(false);
const threadActs = actsIn(true);

// A link into the room names a message; it may be in a thread, or not loaded yet.
async function jumpToWanted() {
  const { wanted } = state;
  state.wanted = null;
  if (wanted) await jump(wanted).catch((error) => notice(error, false));
}

async function jump(id) {
  const root = state.messages.get(id)?.thread;
  if (root && root !== state.thread) openThread(root);
  let found = document.querySelector(`[data-message="${id}"]`);
  for (let tries = 0; !found && tries < 20 && (await older()); tries++) found = document.querySelector(`[data-message="${id}"]`);
  if (!found) return;
  found.scrollIntoView({ block: "center" });
  found.classList.add("flash");
  setTimeout(() => found.classList.remove("flash"), 1500);
}

// Channels, threads, older messages

function titleOf(channel) {
  return channel.name ? `# ${channel.name}` : say("direct");
}

function showSide() {
  const rows = state.channels.map((one) => {
    const count = state.unread.get(one.id);
    const badge = count ? element("span", { class: "count", "aria-label": say("unread", { count }) }, String(count)) : null;
    const current = one.id === state.channel ? "true" : null;
    return element("li", {}, element("button", { type: "button", "aria-current": current, "data-channel": one.id, onclick: () => go(one.id) }, titleOf(one), badge));
  });
  byId("channels").replaceChildren(...rows);
  byId("people").replaceChildren(...[...state.people.values()].map((name) => element("li", {}, name)));
  const channel = state.channels.find((one) => one.id === state.channel);
  byId("channel-title").textContent = channel ? titleOf(channel) : "";
  const unread = [...state.unread.values()].reduce((sum, one) => sum + one, 0);
  document.title = unread ? `(${unread}) ${say("title")}` : say("title");
}

function showAll() {
  for (const [one, thread] of [[composer, ""], [threadComposer, state.thread]]) {
    const place = placeOf({ channel: state.channel, thread });
    // Undefined until it was asked for: then words mean what they would mean elsewhere.
    one.moveTo(place);
    one.setHead(state.heads.get(place), hasOthers(state.channel));
  }
  if (state.thread) markSeen(Number(state.thread));
  const shown = [...state.messages.values()].filter((one) => one.channel === state.channel).sort((a, b) => a.id - b.id);
  byId("messages").replaceChildren(...shown.filter((one) => !one.thread).map((one) => view(one, false)));
  const inThread = shown.filter((one) => one.thread === state.thread || String(one.id) === state.thread);
  byId("thread").hidden = !state.thread;
  byId("thread-messages").replaceChildren(...(state.thread ? inThread : []).map((one) => view(one, true)));
  byId("older").hidden = shown.length < 20;
  state.unread.delete(state.channel);
  showSide();
  toEnd(byId("scroll"));
  toEnd(byId("thread-scroll"));
}

function go(channel) {
  Object.assign(state, { channel, thread: "" });
  lookForHeads();
  history.replaceState(history.state, "", `#${encodeURIComponent(channel)}`);
  openSide(false);
  showAll();
  composer.text.focus();
}

function openThread(root) {
  state.thread = root;
  lookForHeads();
  showAll();
  threadComposer.text.focus();
}

function fromAddress() {
  const [channel, message] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (channel) state.channel = channel;
  state.wanted = Number(message) || null;
}

async function older() {
  const ids = [...state.messages.values()].filter((one) => one.channel === state.channel).map((one) => one.id);
  if (!ids.length) return 0;
  const before = Math.min(...ids);
  const found = (await tell("/room/older", { channel: state.channel, before })).messages;
  for (const message of found) state.messages.set(message.id, message);
  for (const message of found) if (message.thread) markSeen(Number(message.thread));
  const height = byId("scroll").scrollHeight;
  showAll();
  byId("scroll").scrollTop = byId("scroll").scrollHeight - height;
  byId("older").hidden = !found.length;
  return found.length;
}

function openSide(isOpen) {
  byId("side").classList.toggle("open", isOpen);
  byId("open-side").setAttribute("aria-expanded", String(isOpen));
}

byId("open-side").addEventListener("click", () => openSide(!byId("side").classList.contains("open")));
byId("newer").addEventListener("click", () => toEnd(byId("scroll")));
byId("scroll").addEventListener("scroll", ({ target }) => {
  if (target.scrollHeight - target.scrollTop - target.clientHeight < 120) byId("newer").hidden = true;
});
byId("older").addEventListener("click", () => older().catch((error) => notice(error, false)));
byId("close-thread").addEventListener("click", () => ((state.thread = ""), showAll(), composer.text.focus()));
byId("leave").addEventListener("click", () => (keep(null), location.reload()));
byId("new-channel").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const made = await tell("/room/channel", { name: byId("channel-name").value });
    byId("channel-name").value = "";
    // The stream may have brought it already.
    if (!state.channels.some((one) => one.id === made.channel)) state.channels.push({ id: made.channel, name: made.channel });
    go(made.channel);
  } catch (error) {
    notice(error, false);
  }
});
document.addEventListener("keydown", (event) => event.key === "Escape" && openSide(false));
document.addEventListener("click", ({ target }) => {
  const isBeside = !target.closest("#side, #open-side");
  if (isBeside && byId("side").classList.contains("open")) openSide(false);
});
byId("close-side").addEventListener("click", () => openSide(false));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && state.unread.delete(state.channel)) showSide();
});
window.addEventListener("hashchange", () => {
  fromAddress();
  if (!state.started) return;
  showAll();
  lookForHeads();
  jumpToWanted();
});

const { simulated } = JSON.parse(byId("data").textContent) ?? {};
byId("demo").hidden = !simulated;

if (key()) inside();
else atTheDoor();
