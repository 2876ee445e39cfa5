// What Enter does with plain words: draw, edit the picture that is shown, or talk to the others; and a switch between them.
import { icon } from "./icons.js";
import { element, say } from "./page.js";

let count = 0;

export class Modes {
  // `changed()` is called when the person has chosen; `canTalk` where others read.
  constructor(changed) {
    this.changed = changed;
    this.head = undefined;
    this.chosen = null;
    this.photo = null;
    this.canTalk = true;
    this.name = `mode-${++count}`;
    this.view = element("fieldset", { class: "modes" }, element("legend", { class: "hidden" }, say("mode")));
    this.show();
  }

  // The picture that an edit starts from here, null for none, undefined while that is not known.
  // A new one is what one wants to go on with.
  setHead(head, canTalk) {
    const isNew = head?.key !== this.head?.key;
    if (isNew && this.chosen !== "talk") this.chosen = null;
    const isSame = !isNew && canTalk === this.canTalk && typeof head === typeof this.head;
    Object.assign(this, { head, canTalk });
    if (!isSame) this.show();
  }

  // The first picture that is attached: words change that one.
  setPhoto(photo) {
    if (photo?.src === this.photo?.src) return;
    this.photo = photo;
    this.show();
  }

  get mode() {
    if (this.offered().includes(this.chosen)) return this.chosen;
    if (this.head || this.photo) return "edit";
    return this.head === null ? "draw" : "";
  }

  offered() {
    const talk = this.canTalk ? ["talk"] : [];
    if (this.photo) return ["edit", ...talk];
    return this.head ? ["draw", "edit", ...talk] : ["draw", ...talk];
  }

  choose(mode) {
    this.chosen = mode;
    this.show();
    this.changed();
  }

  show() {
    const legend = this.view.firstChild;
    this.view.replaceChildren(legend, ...this.offered().map((mode) => this.choice(mode)));
  }

  choice(mode) {
    const input = element("input", { type: "radio", name: this.name, value: mode, checked: mode === this.mode });
    input.addEventListener("change", () => {
      this.choose(mode);
      this.view.querySelector(`[value=${mode}]`).focus();
    });
    const picture = mode === "edit" ? element("img", { src: (this.photo ?? this.head).src, alt: "" }) : icon(mode);
    return element("label", { "data-mode": mode }, input, picture, element("span", {}, this.labelOf(mode)));
  }

  labelOf(mode) {
    if (mode !== "edit") return say(`mode_${mode}`);
    return this.photo ? say("mode_photo") : say("mode_edit", { version: this.head.version });
  }
}
