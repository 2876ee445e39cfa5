// Before and after under a slider: by mouse, touch or keyboard.
import { byId } from "./page.js";

const pair = byId("pair");
const slider = byId("slider");
const show = () => pair.style.setProperty("--at", `${slider.value}%`);

function follow(event) {
  const box = pair.getBoundingClientRect();
  slider.value = String(Math.round(((event.clientX - box.left) / box.width) * 100));
  show();
}

slider.addEventListener("input", show);
pair.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  pair.setPointerCapture(event.pointerId);
  follow(event);
});
pair.addEventListener("pointermove", (event) => pair.hasPointerCapture(event.pointerId) && follow(event));
show();
