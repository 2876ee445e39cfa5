// Forms as the server describes them, and the picture seen large, in dialogs.
import { Refused, tell, upload } from "./api.js";
import { byId, element, inThisLanguage, say } from "./page.js";

const PICTURES = 3;

// Opens the form; `where` is the place, `kept` pictures already attached. Resolves when it is sent or given up.
export function openForm(form, where, kept, around) {
  const dialog = byId("form");
  const given = { pictures: [...kept], mask: null };
  const notice = element("p", { class: "notice", role: "alert" });
  const send = element("button", { class: "primary" }, form.submit);
  const fields = form.fields.map((field) => fieldView(field, given, notice, around));
  const page = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "form-title" }, form.title),
    element("div", { class: "fields" }, ...fields),
    notice,
    element("div", { class: "row" }, send, element("button", { type: "button", onclick: () => dialog.close() }, say("close"))),
  );
  page.addEventListener("submit", async (event) => {
    event.preventDefault();
    notice.textContent = "";
    send.disabled = true;
    try {
      await tell("/room/fill", { ...where, action: form.action, target: form.target, index: form.index, ...valuesOf(page, form, given) });
      dialog.close("sent");
    } catch (error) {
      notice.textContent = error instanceof Refused ? error.message : say("broken");
    } finally {
      send.disabled = false;
    }
  });
  dialog.replaceChildren(page);
  dialog.returnValue = "";
  dialog.showModal();
  page.querySelector("textarea, input, select")?.focus();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "sent"), { once: true }));
}

function valuesOf(page, form, given) {
  const values = {};
  for (const field of form.fields) {
    if (isList(field)) {
      values[field.name] = [...page.querySelectorAll(`[name="${field.name}"]:checked`)].map((one) => one.value).join(", ");
      continue;
    }
    const input = page.elements[field.name];
    if (!input || field.name === "prompt" || field.kind === "pictures" || field.kind === "mask") continue;
    const value = field.kind === "flag" ? (input.checked ? "yes" : "") : input.value.trim();
    if (value || form.action === "settings") values[field.name] = value;
  }
  return { text: page.elements.prompt?.value.trim() ?? "", given: values, pictures: given.pictures, mask: given.mask };
}

// People and functions are picked from a list, several at a time.
const isList = (field) => field.kind === "people" || field.kind === "choices";

function listView(field, around) {
  const choices = field.kind === "people" ? [...around.people].map(([value, label]) => ({ value, label })) : field.choices;
  const chosen = field.value.split(/[\s,]+/);
  const boxes = choices.map((one) =>
    element("label", { class: "flag" }, element("input", { type: "checkbox", name: field.name, value: one.value, checked: chosen.includes(one.value) }), one.label),
  );
  return element("fieldset", {}, element("legend", {}, field.label), element("div", { class: "several" }, ...boxes));
}

function fieldView(field, given, notice, around) {
  const id = `field-${field.name}`;
  const common = { id, name: field.name };
  const label = (input) => element("label", { for: id }, field.label, input);
  if (isList(field)) return listView(field, around);
  if (field.kind === "flag") return element("label", { for: id, class: "flag" }, element("input", { ...common, type: "checkbox", checked: Boolean(field.value) }), field.label);
  if (field.kind === "text") {
    const area = element("textarea", { ...common, required: field.required, maxlength: field.limit || null });
    area.value = field.value;
    return label(area);
  }
  if (field.kind === "choice" || field.kind === "channel") return label(selectView(common, field, around));
  if (field.kind === "pictures" || field.kind === "mask") return label(fileView(common, field, given, notice));
  return label(element("input", { ...common, value: field.value }));
}

function selectView(common, field, around) {
  const choices = field.kind === "channel" ? around.channels.filter((one) => one.name).map((one) => ({ value: one.id, label: one.name })) : field.choices;
  const options = choices.map((one) => element("option", { value: one.value, selected: one.value === field.value }, one.label));
  return element("select", common, element("option", { value: "" }, "–"), ...options);
}

function fileView(common, field, given, notice) {
  const many = field.kind === "pictures";
  const input = element("input", { ...common, type: "file", accept: "image/*", multiple: many });
  input.addEventListener("change", async () => {
    notice.textContent = "";
    try {
      const kept = await Promise.all([...input.files].slice(0, many ? PICTURES : 1).map(upload));
      if (many) given.pictures = kept.map((one) => one.ref);
      else given.mask = kept[0]?.ref ?? null;
    } catch (error) {
      input.value = "";
      notice.textContent = error.message;
    }
  });
  return input;
}
