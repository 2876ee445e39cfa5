// The edit tree as nested lists; each version shows its pictures.
import { byId, element, say } from "./page.js";

const steps = JSON.parse(byId("data").textContent);

function branch(parent) {
  return steps.filter((one) => one.parent === parent).map(stepView);
}

function stepView(step) {
  const pictures = step.pictures.map((src) => element("a", { href: src, target: "_blank", rel: "noopener" }, element("img", { src, alt: `${step.label}: ${step.text}`, loading: "lazy" })));
  const head = step.head ? element("span", { class: "faint" }, ` · ${say("head")}`) : null;
  const words = element("div", { class: "words" }, element("b", {}, step.label, head), step.text);
  const children = branch(step.id);
  const below = children.length ? element("ul", {}, ...children) : null;
  return element("li", {}, element("div", { class: step.head ? "step head" : "step" }, ...pictures, words), below);
}

byId("tree").append(...branch(null));
