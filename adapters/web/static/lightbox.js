// A picture seen large, with the ones beside it.
import { byId, element, inThisLanguage, say } from "./page.js";

export function openPicture(pictures, at) {
  const dialog = byId("picture");
  const show = (next) => openPicture(pictures, (next + pictures.length) % pictures.length);
  const picture = pictures[at];
  const step = (by, label, sign) => (pictures.length > 1 ? element("button", { type: "button", "data-step": by, "aria-label": label, onclick: () => show(at + by) }, sign) : null);
  dialog.onkeydown = ({ key }) => {
    if (pictures.length < 2) return;
    if (key === "ArrowLeft") show(at - 1);
    if (key === "ArrowRight") show(at + 1);
  };
  const focused = document.activeElement?.dataset?.step;
  dialog.replaceChildren(
    element("img", { src: picture.src, alt: picture.alt || picture.name }),
    element(
      "div",
      { class: "row" },
      step(-1, say("previous"), "‹"),
      step(1, say("next"), "›"),
      element("a", { class: "button", href: inThisLanguage(picture.view), target: "_blank", rel: "noopener" }, say("full_size")),
      element("a", { class: "button", href: picture.download, download: picture.name }, say("download")),
      element("button", { type: "button", onclick: () => dialog.close() }, say("close")),
    ),
  );
  if (!dialog.open) dialog.showModal();
  else if (focused) dialog.querySelector(`[data-step="${focused}"]`)?.focus();
}
