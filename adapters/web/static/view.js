// A picture at full size: fitted to the window, or pixel for pixel.
import { byId, say } from "./page.js";

byId("fit").addEventListener("click", (event) => {
  const actual = byId("stage").classList.toggle("actual");
  event.currentTarget.setAttribute("aria-pressed", String(actual));
  event.currentTarget.textContent = say(actual ? "fit" : "actual_size");
});
