// Drawn icons, 20 × 20, in the colour of the text around them; they say nothing to a screen reader.
const PATHS = {
  draw: "M3 17c1.5.3 4 0 4.6-2.2.4-1.4-.7-2.6-2-2.6-2 0-2.4 2.2-2.6 4.8zM8.2 12.3 16 3.7c.6-.6 1.7.3 1.2 1L10.3 14",
  edit: "m4 13.5-.8 3.3 3.3-.8L16 6.5 13.5 4zM11.8 5.7l2.5 2.5",
  talk: "M3.5 4.5h13v9h-7l-3.5 3v-3H3.5z",
  attach: "M14.5 9.5 9 15a3.2 3.2 0 0 1-4.6-4.6l6.2-6.2a2.2 2.2 0 0 1 3.1 3.1l-6 6a1.1 1.1 0 0 1-1.6-1.6l5.3-5.3",
  send: "M3.5 10h11M10 5l5 5-5 5",
};
const SPACE = "http://www.w3.org/2000/svg";

export function icon(name) {
  const drawing = document.createElementNS(SPACE, "svg");
  drawing.setAttribute("viewBox", "0 0 20 20");
  drawing.setAttribute("class", "drawn");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SPACE, "path");
  path.setAttribute("d", PATHS[name]);
  drawing.append(path);
  return drawing;
}
