// One message as elements. What it can do is given as `acts`; it keeps no state of its own.
import { icon } from "./icons.js";
import { element, inThisLanguage, say } from "./page.js";

const PALETTE = ["1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "⭐", "❤️", "✅", "🔁", "⬆️", "↩️", "✉️", "ℹ️", "❌"];
const time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

export function messageView(message, { me, nameOf, replies, unread, inThread, headKey }, acts) {
  const mine = message.author === me;
  const name = message.author ? nameOf(message.author) : "Easel";
  return element(
    "li",
    { class: "message", "data-message": message.id, "data-tone": message.tone },
    avatar(message.author, name),
    element(
      "div",
      { class: "body" },
      head(message, name, mine),
      quoted(message, nameOf, acts),
      words(message, "title", "title"),
      words(message, "text", message.tone === "refusal" ? "text refusal" : "text"),
      progress(message),
      awaited(message),
      pictures(message, headKey, acts),
      files(message),
      element("div", { class: "actions" }, buttons(message, acts), tools(message, inThread, acts)),
      menu(message, acts),
      marks(message, me, nameOf, acts),
      thread(message, replies, unread, inThread, acts),
    ),
  );
}

// What the room itself says, it says in the reader's language.
function words(message, name, style) {
  const key = message.said?.[name];
  const text = key ? say(key) : message[name];
  return text ? element("div", { class: style }, text) : null;
}

function avatar(author, name) {
  if (!author) return element("div", { class: "avatar", "aria-hidden": "true" }, element("img", { src: "/static/icon.svg", alt: "" }));
  const made = element("div", { class: "avatar", "aria-hidden": "true" }, [...name][0].toUpperCase());
  const hue = [...author].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  made.style.background = `hsl(${hue} 45% 36%)`;
  return made;
}

function head(message, name) {
  const when = new Date(message.created);
  return element(
    "div",
    { class: "who" },
    element("b", {}, name),
    element("time", { datetime: message.created, title: when.toLocaleString() }, time.format(when)),
    message.private ? element("span", { class: "only-you" }, say("only_you")) : null,
  );
}

function quoted(message, nameOf, acts) {
  if (!message.quoted) return null;
  const who = message.quoted.author ? nameOf(message.quoted.author) : "Easel";
  return element("button", { class: "quoted", type: "button", onclick: () => acts.jump(message.quoted.id) }, `↪ ${who}: ${message.quoted.text}`);
}

function progress(message) {
  if (message.tone !== "status" || message.progress === null) return null;
  return element("progress", { max: 1, value: message.progress, "aria-label": say("progress") });
}

const layoutOf = (length) => (length === 1 ? "pictures single" : length === 2 || length === 4 ? "pictures pairs" : "pictures");

// Room for what is being made, in its final size: nothing jumps when it comes.
function awaited(message) {
  const sizes = message.tone === "status" ? (message.awaited ?? []) : [];
  if (!sizes.length) return null;
  const frames = sizes.map(([width, height]) => {
    const frame = element("div", { class: "skeleton" });
    frame.style.aspectRatio = `${width} / ${height}`;
    return frame;
  });
  return element("div", { class: layoutOf(sizes.length), "aria-hidden": "true" }, ...frames);
}

const isImage = (one) => one.media_type?.startsWith("image/") ?? true;

function pictures(message, headKey, acts) {
  const shown = message.pictures.filter(isImage);
  if (!shown.length) return null;
  return element("div", { class: layoutOf(shown.length) }, ...shown.map((one, at) => shot(message, shown, at, headKey, acts)));
}

function files(message) {
  const links = message.pictures
    .filter((one) => !isImage(one))
    .map((one) => element("a", { class: "button", href: one.download, download: one.name, title: one.alt }, `📄 ${one.name}`));
  return links.length ? element("div", { class: "row" }, ...links) : null;
}

function shot(message, shown, at, headKey, acts) {
  const picture = shown[at];
  const many = shown.length > 1;
  const isHead = Boolean(headKey) && picture.key === headKey;
  const look = element(
    "button",
    { class: "shot", type: "button", onclick: () => acts.look(shown, at), "aria-label": `${many ? at + 1 : ""} ${say("look", { name: picture.alt || picture.name })}`.trim() },
    element("img", { src: picture.src, alt: "", width: picture.width, height: picture.height, loading: "lazy", decoding: "async" }),
    many ? element("span", { class: "number" }, String(at + 1)) : null,
  );
  const here = element("span", { class: "here", hidden: !isHead }, say("head"));
  const edit = many ? editOne(message, picture, at, acts) : null;
  return element("div", { class: isHead ? "frame head" : "frame", "data-key": picture.key }, look, here, edit);
}

// Mark the current picture in place: a message drawn anew under a finger would lose its press.
export function markHead(list, key) {
  for (const frame of list.querySelectorAll(".frame")) {
    const isHead = frame.dataset.key === key;
    frame.classList.toggle("head", isHead);
    frame.querySelector(".here").hidden = !isHead;
  }
}

// One of several pictures, to be changed alone.
function editOne(message, picture, at, acts) {
  const made = message.buttons.find((one) => one.kind === "edit");
  if (!picture.ref && !made) return null;
  const act = picture.ref ? () => acts.editPicture(picture) : (event) => acts.press({ ...made, id: made.id.replace(/\d+$/, at) }, message, event.currentTarget);
  const name = say("edit_one", { number: at + 1 });
  return element("button", { type: "button", class: "edit-one", "data-tool": "edit-one", "aria-label": name, title: name, onclick: act }, icon("edit"));
}

function buttons(message, acts) {
  const made = message.buttons.map((one) => button(one, message, acts));
  const isPhoto = message.pictures.some((one) => one.ref);
  // Of several, each has its own.
  if (isPhoto && message.pictures.length === 1) made.push(element("button", { type: "button", "data-tool": "edit", onclick: () => acts.edit(message) }, `✏️ ${say("edit_image")}`));
  return made.length ? element("div", { class: "row" }, ...made) : null;
}

function button(one, message, acts) {
  if (one.url && isRoom(one.url)) return element("a", { class: "button", href: new URL(one.url).hash }, one.label);
  if (one.url) return element("a", { class: "button", href: inThisLanguage(one.url), target: "_blank", rel: "noopener" }, one.label);
  const label = one.kind === "pick" ? say("pick", { number: one.label }) : null;
  const properties = { type: "button", "data-button": one.id, "data-kind": one.kind, "aria-label": label };
  return element("button", { ...properties, class: one.kind === "delete" ? "danger" : "", onclick: (event) => acts.press(one, message, event.currentTarget) }, one.label);
}

// A link to a message of this very room stays in this window, where one has entered.
function isRoom(address) {
  const { pathname, hash } = new URL(address, location.href);
  return pathname === location.pathname && Boolean(hash);
}

function menu(message, acts) {
  if (!message.menu?.length) return null;
  const choices = message.menu.map((one) => element("option", { value: one.id }, one.label));
  const select = element("select", { "aria-label": say("jump") }, element("option", { value: "" }, say("jump")), ...choices);
  select.addEventListener("change", () => {
    const chosen = message.menu.find((one) => one.id === select.value);
    select.value = "";
    if (chosen) acts.press(chosen, message, select);
  });
  return element("div", { class: "row" }, select);
}

function marks(message, me, nameOf, acts) {
  const given = Object.entries(message.marks);
  if (!given.length) return null;
  return element(
    "div",
    { class: "row marks" },
    ...given.map(([emoji, people]) => {
      const on = people.includes(me);
      const names = people.map(nameOf).join(", ");
      const properties = { type: "button", "aria-pressed": String(on), title: names, "aria-label": `${emoji} ${people.length}: ${names}` };
      return element("button", { ...properties, "data-mark": emoji, onclick: () => acts.mark(message, emoji, !on) }, `${emoji} ${people.length}`);
    }),
  );
}

function thread(message, replies, unread, inThread, acts) {
  if (inThread || !replies) return null;
  const fresh = unread ? element("b", { class: "count" }, say("new", { count: unread })) : null;
  return element("button", { type: "button", class: "replies", "data-tool": "replies", onclick: () => acts.thread(message) }, say("replies", { count: replies }), fresh);
}

function tools(message, inThread, acts) {
  const row = element("div", { class: "tools" });
  const add = (label, act, more = {}) => row.append(element("button", { type: "button", class: "quiet", onclick: act, ...more }, label));
  if (!message.private || message.pictures.length) add(say("reply"), () => acts.reply(message), { "data-tool": "reply" });
  if (message.private) add(say("dismiss"), () => acts.dismiss(message), { "data-tool": "dismiss" });
  if (!inThread && !message.private) add(say("open_thread"), () => acts.thread(message), { "data-tool": "thread" });
  if (!message.private) add(say("react"), (event) => palette(event.currentTarget, message, acts), { "data-tool": "react", "aria-expanded": "false" });
  return row;
}

function palette(opener, message, acts) {
  const open = opener.parentElement.querySelector(".palette");
  if (open) return closePalette(open);
  opener.setAttribute("aria-expanded", "true");
  const most = Math.max(message.pictures.length, 1);
  const offered = PALETTE.filter((emoji) => !isVote(emoji) || Number(emoji[0]) <= most);
  const made = element("div", { class: "palette", role: "group", "aria-label": say("react") });
  const choose = (emoji) => (closePalette(made), acts.mark(message, emoji, true));
  made.append(...offered.map((emoji) => element("button", { type: "button", "data-emoji": emoji, "aria-label": labelOf(emoji), onclick: () => choose(emoji) }, emoji)));
  made.addEventListener("keydown", (event) => event.key === "Escape" && closePalette(made));
  opener.after(made);
  made.querySelector("button").focus();
}

function closePalette(open) {
  const opener = open.parentElement.querySelector("[data-tool=react]");
  open.remove();
  opener.setAttribute("aria-expanded", "false");
  opener.focus();
}

// A message drawn anew keeps the palette somebody has open.
export function keepPalette(old, fresh) {
  const open = old.querySelector(".palette");
  const opener = fresh.querySelector("[data-tool=react]");
  if (!open || !opener) return;
  opener.setAttribute("aria-expanded", "true");
  opener.after(open);
}

const NAMES = { "⭐": "favourite", "❤️": "favourite", "✅": "choose", "🔁": "again", "⬆️": "upscale", "↩️": "undo", "✉️": "send_me", "ℹ️": "info", "❌": "remove" };
const isVote = (emoji) => /^[1-6]/.test(emoji);
const labelOf = (emoji) => say(`emoji.${isVote(emoji) ? "vote" : NAMES[emoji]}`, { number: emoji[0] });
