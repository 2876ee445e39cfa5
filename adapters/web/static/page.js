// Small things every page needs: sentences, elements.
const words = JSON.parse(document.getElementById("words").textContent || "{}");

const language = document.documentElement.lang;
const plurals = new Intl.PluralRules(language);

// A sentence that depends on a number is a table of forms; "by" names the number.
export function say(key, values = {}) {
  let text = words[key] ?? key;
  if (typeof text !== "string") {
    const number = values[text.by];
    values = { ...values, [text.by]: number.toLocaleString(language) };
    text = text[plurals.select(number)] ?? text.other;
  }
  return text.replace(/\{([a-z_]+)\}/g, (all, name) => values[name] ?? all);
}

// element("button", {class: "quiet", onclick: f}, "text", child): properties that hold functions are listeners.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// The address of another page of ours, in the language chosen here instead of the browser's.
export function inThisLanguage(address) {
  const url = new URL(address, location.href);
  url.searchParams.set("lang", language);
  return url.href;
}

export const byId = (id) => document.getElementById(id);
