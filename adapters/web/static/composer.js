// Where one writes: words, pictures dropped, pasted or picked, a picture replied to, commands with completion and help.
import { Refused, newKey, tell, upload } from "./api.js";
import { openForm } from "./forms.js";
import { icon } from "./icons.js";
import { Modes } from "./modes.js";
import { element, say } from "./page.js";

const MOST = 3;
const EXAMPLES = ["example_fox", "example_boat", "example_robot"];
let count = 0;

export class Composer {
  // `where()` gives channel and thread; `around()` channels for forms; `commands` may arrive later.
  // `said(taken)` is called with what is being sent, and again with `done` when the server has answered.
  constructor(form, { where, around, commands, area, said }) {
    Object.assign(this, { form, where, around, commands, said, drafts: new Map(), pictures: [], reply: null, key: newKey(), sending: Promise.resolve(), id: `composer-${++count}` });
    this.modes = new Modes(() => (this.invite(), this.text.focus()));
    this.text = element("textarea", { id: count === 1 ? "text" : `${this.id}-text`, rows: 1, "aria-label": say("write"), placeholder: say(count === 1 ? "placeholder" : "thread_placeholder"), role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${this.id}-options`, autocomplete: "off" });
    this.file = element("input", { type: "file", accept: "image/*", multiple: true, hidden: true, "aria-label": say("attach"), tabindex: -1 });
    this.options = element("ul", { class: "options", id: `${this.id}-options`, role: "listbox", "aria-label": say("commands"), hidden: true });
    this.notice = element("p", { class: "notice", role: "alert" });
    this.chips = element("div", { class: "chips" });
    this.send = element("button", { class: "primary icon", "aria-label": say("send") }, icon("send"));
    this.examples = element("div", { class: "examples", hidden: true }, ...EXAMPLES.map((key) => this.exampleView(say(key))));
    const attach = element("button", { type: "button", class: "icon", "aria-label": say("attach"), onclick: () => this.file.click() }, icon("attach"));
    form.append(this.options, this.notice, this.chips, this.examples, this.modes.view, element("div", { class: "bar" }, attach, this.file, this.text, this.send));
    this.listen(area);
  }

  listen(area) {
    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.submit()));
    this.text.addEventListener("input", () => (this.grow(), this.complete(), this.invite()));
    this.text.addEventListener("keydown", (event) => this.pressed(event));
    this.text.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.file.addEventListener("change", () => (this.take([...this.file.files]), (this.file.value = "")));
    this.text.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length) (event.preventDefault(), this.take([...event.clipboardData.files]));
    });
    for (const target of [this.form, area]) {
      target.addEventListener("dragover", (event) => (event.preventDefault(), this.form.classList.add("over")));
      target.addEventListener("dragleave", () => this.form.classList.remove("over"));
      target.addEventListener("drop", (event) => {
        event.preventDefault();
        this.form.classList.remove("over");
        this.take([...event.dataTransfer.files]);
      });
    }
  }

  async take(files) {
    this.notice.textContent = "";
    for (const file of files) {
      if (this.pictures.length >= MOST) return void (this.notice.textContent = say("too_many", { count: MOST }));
      try {
        const picture = await upload(file);
        this.pictures.push(picture);
        this.notice.textContent = picture.notes.join(" ");
      } catch (error) {
        this.notice.textContent = `${file.name}: ${error.message}`;
      }
      this.showChips();
    }
    this.text.focus();
  }

  // The picture that plain words would change here, and whether others read along.
  setHead(head, canTalk) {
    this.modes.setHead(head, canTalk);
    this.invite();
  }

  get mode() {
    if (this.text.value.startsWith("/")) return "command";
    return this.reply ? "reply" : this.modes.mode;
  }

  // Something to press where there is nothing yet.
  exampleView(text) {
    const press = () => {
      this.text.value = text;
      this.submit();
    };
    return element("button", { type: "button", onclick: press }, text);
  }

  // Say in the empty field what is wanted.
  invite() {
    this.modes.setPhoto(this.pictures[0] ?? null);
    const { mode } = this;
    const key = mode === "draw" || !mode ? "placeholder" : mode === "talk" ? "placeholder_talk" : "thread_placeholder";
    this.text.placeholder = say(key);
    this.examples.hidden = mode !== "draw" || Boolean(this.modes.head || this.text.value);
    this.modes.view.hidden = Boolean(this.reply);
  }

  // One draft for each place: what was begun in one is not sent in another.
  moveTo(place) {
    if (this.place !== undefined) this.drafts.set(this.place, { text: this.text.value, pictures: this.pictures, reply: this.reply, key: this.key });
    this.place = place;
    this.notice.textContent = "";
    this.close();
    this.fill(this.drafts.get(place) ?? { text: "", pictures: [], reply: null, key: newKey() });
    this.drafts.delete(place);
  }

  // A picture that is here already, to be changed.
  editPicture(picture) {
    if (this.pictures.some((one) => one.ref === picture.ref)) return void this.text.focus();
    if (this.modes.mode === "talk") this.modes.choose("draw");
    this.pictures = [...this.pictures, picture].slice(-MOST);
    this.showChips();
    this.text.focus();
  }

  replyTo(message, name) {
    this.reply = { id: message.id, label: `↪ ${name}: ${message.title || message.text || say("picture")}`, src: message.pictures[0]?.src };
    this.showChips();
    this.text.focus();
  }

  showChips() {
    const chip = (src, label, drop) => element("div", { class: "chip" }, src ? element("img", { src, alt: "" }) : null, element("span", {}, label), element("button", { type: "button", class: "quiet", "aria-label": say("take_away", { name: label }), onclick: drop }, "✕"));
    const reply = this.reply ? [chip(this.reply.src, this.reply.label, () => ((this.reply = null), this.showChips()))] : [];
    const pictures = this.pictures.map((one) => chip(one.src, one.name, () => ((this.pictures = this.pictures.filter((other) => other !== one)), this.showChips())));
    this.chips.replaceChildren(...reply, ...pictures);
    this.invite();
  }

  // One can write on at once; what was not taken comes back, and after a lost reply is asked for under the same key.
  async submit() {
    const { mode } = this;
    const taken = { text: this.text.value.trim(), pictures: this.pictures, reply: this.reply, key: this.key, where: this.where(), place: this.place, mode };
    if (!taken.text && !taken.pictures.length) return;
    this.close();
    this.notice.textContent = "";
    this.fill({ text: "", pictures: [], reply: null, key: newKey() });
    this.said(taken, false);
    // One after another, in the order they were written.
    this.sending = this.sending.then(() => this.deliver(taken));
    await this.sending;
  }

  async deliver(taken) {
    try {
      const refs = taken.pictures.map((one) => one.ref);
      const answer = await tell("/room/say", { ...taken.where, key: taken.key, text: taken.text, pictures: refs, reply_to: taken.reply?.id ?? null, mode: taken.mode });
      this.said(taken, true);
      if (answer.form && !(await openForm(answer.form, taken.where, refs, this.around()))) this.giveBack({ ...taken, key: newKey() });
    } catch (error) {
      this.said(taken, true);
      this.notice.textContent = error instanceof Refused ? error.message : say("broken");
      this.giveBack(error.status ? { ...taken, key: newKey() } : taken);
    }
    this.text.focus();
  }

  giveBack(taken) {
    // One may be elsewhere by now.
    if (taken.place !== this.place) return void this.drafts.set(taken.place, taken);
    const isFree = !this.text.value && !this.pictures.length && !this.reply;
    if (isFree) this.fill(taken);
    else this.fill({ text: `${taken.text}\n${this.text.value}`, pictures: [...taken.pictures, ...this.pictures].slice(0, MOST), reply: this.reply ?? taken.reply, key: newKey() });
  }

  fill({ text, pictures, reply, key }) {
    Object.assign(this, { pictures, reply, key });
    this.text.value = text;
    this.grow();
    this.showChips();
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight + 2}px`;
  }

  pressed(event) {
    const open = !this.options.hidden;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) return (event.preventDefault(), this.move(event.key === "ArrowDown" ? 1 : -1));
    if (open && this.chosen >= 0 && this.completes(event.key)) return (event.preventDefault(), this.accept(this.offered[this.chosen]));
    if (event.key === "Escape") return open ? this.close() : ((this.reply = null), this.showChips());
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) (event.preventDefault(), this.submit());
  }

  // Tab always completes; Enter sends what is typed to its end.
  completes(key) {
    const { inserted, typed } = this.offered[this.chosen];
    return key === "Tab" || (key === "Enter" && inserted !== typed);
  }

  // Completion: commands while the first words are typed, then the options of that command, then an option's values.
  complete() {
    this.offered = suggestions(this.text.value.slice(0, this.text.selectionStart), this.commands());
    this.chosen = -1;
    if (!this.offered.length) return this.close();
    this.options.replaceChildren(...this.offered.map((one, at) => this.optionView(one, at)));
    this.options.hidden = false;
    this.text.setAttribute("aria-expanded", "true");
    if (this.offered[0].inserted) this.move(1);
  }

  optionView(one, at) {
    const row = element("li", { role: "option", id: `${this.id}-option-${at}`, "aria-selected": "false" }, element("code", {}, one.label), element("span", {}, one.text));
    row.addEventListener("pointerdown", (event) => (event.preventDefault(), this.accept(one)));
    return row;
  }

  move(by) {
    const rows = [...this.options.children];
    this.chosen = (this.chosen + by + rows.length) % rows.length;
    rows.forEach((row, at) => row.setAttribute("aria-selected", String(at === this.chosen)));
    rows[this.chosen].scrollIntoView({ block: "nearest" });
    this.text.setAttribute("aria-activedescendant", rows[this.chosen].id);
  }

  accept(one) {
    if (!one.inserted) return this.close();
    const before = this.text.value.slice(0, this.text.selectionStart);
    const after = this.text.value.slice(this.text.selectionStart);
    const start = before.length - one.typed.length;
    this.text.value = `${before.slice(0, start)}${one.inserted} ${after}`;
    const caret = start + one.inserted.length + 1;
    this.text.setSelectionRange(caret, caret);
    this.close();
    this.complete();
  }

  close() {
    this.options.hidden = true;
    this.text.setAttribute("aria-expanded", "false");
    this.text.removeAttribute("aria-activedescendant");
    this.chosen = -1;
  }
}

function suggestions(text, commands) {
  if (!text.startsWith("/")) return [];
  const lower = text.toLowerCase();
  const command = [...commands].sort((a, b) => b.written.length - a.written.length).find((one) => lower.startsWith(`${one.written} `));
  if (!command) return commands.filter((one) => one.written.startsWith(lower.trimEnd())).map((one) => ({ label: usage(one), text: one.text, typed: text, inserted: one.written }));
  return optionsOf(command, text);
}

const usage = (command) => (command.takes ? `${command.written} ${say(`takes_${command.takes}`)}` : command.written);

function optionsOf(command, text) {
  const last = text.split(/\s/).at(-1);
  const previous = text.trimEnd().split(/\s/).at(last ? -2 : -1) ?? "";
  const valued = command.options.find((one) => previous === `--${one.name}` && !one.flag);
  if (valued) {
    const values = valued.choices.filter((one) => one.startsWith(last) && one !== last);
    if (values.length) return values.map((one) => ({ label: one, text: "", typed: last, inserted: one }));
    return [{ label: `--${valued.name} ${valued.allowed}`, text: valued.text }];
  }
  if (last.startsWith("-")) {
    const used = (one) => text.slice(0, -last.length).includes(`--${one.name} `);
    const found = command.options.filter((one) => `--${one.name}`.startsWith(last) && !used(one));
    return found.map((one) => ({ label: `--${one.name} ${one.allowed}`.trim(), text: one.text, typed: last, inserted: `--${one.name}` }));
  }
  const empty = text.trim() === command.written;
  return empty && command.options.length ? [{ label: usage(command), text: say("more_options") }] : [];
}
