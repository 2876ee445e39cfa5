// A mask as the list of what was done to it: strokes, rectangles, inversions. Replayed, so undo costs no memory.
// Everything is in picture pixels; the mask's canvas is exactly the picture's size, opaque where it should change.

export class Mask {
  constructor(width, height) {
    Object.assign(this, { width, height, done: [], undone: [] });
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  // A step: {kind: "stroke", erase, size, points: [[x, y] …]}, {kind: "rectangle", erase, box: [x, y, w, h]}, {kind: "invert" | "clear"}.
  begin(step) {
    this.done.push(step);
    this.undone = [];
    this.draw(step);
  }

  // Goes on with the stroke or rectangle just begun.
  extend(change) {
    const step = this.done.at(-1);
    if (step.kind === "stroke") {
      step.points.push(change);
      this.draw({ ...step, points: step.points.slice(-2) });
    } else {
      step.box = change;
      this.replay();
    }
  }

  takeBack() {
    this.done.pop();
    this.replay();
  }

  undo() {
    if (this.done.length) this.undone.push(this.done.pop());
    this.replay();
  }

  redo() {
    const step = this.undone.pop();
    if (step) this.done.push(step), this.draw(step);
  }

  replay() {
    this.context.clearRect(0, 0, this.width, this.height);
    for (const step of this.done) this.draw(step);
  }

  draw(step) {
    const context = this.context;
    context.globalCompositeOperation = step.erase ? "destination-out" : step.kind === "invert" ? "xor" : "source-over";
    context.fillStyle = context.strokeStyle = "#fff";
    if (step.kind === "clear") context.clearRect(0, 0, this.width, this.height);
    if (step.kind === "invert") this.invert();
    if (step.kind === "rectangle") context.fillRect(...step.box.map(Math.round));
    if (step.kind === "stroke") this.stroke(step);
    context.globalCompositeOperation = "source-over";
  }

  stroke({ points, size }) {
    const context = this.context;
    context.lineWidth = size;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points) context.lineTo(...point);
    context.stroke();
  }

  // Soft edges would grow with every inversion by compositing: each pixel is decided first.
  invert() {
    const image = this.context.getImageData(0, 0, this.width, this.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let at = 0; at < pixels.length; at++) pixels[at] = pixels[at] >>> 24 >= 128 ? 0 : 0xffffffff;
    this.context.putImageData(image, 0, 0);
  }

  // Nothing painted, everything, or a part?
  share() {
    const pixels = new Uint32Array(this.context.getImageData(0, 0, this.width, this.height).data.buffer);
    let painted = 0;
    for (const pixel of pixels) painted += pixel >>> 24 >= 128;
    return painted / pixels.length;
  }

  // PNG of exactly the picture's size: white where it should change, black elsewhere, nothing between.
  async png() {
    const image = this.context.getImageData(0, 0, this.width, this.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let at = 0; at < pixels.length; at++) pixels[at] = pixels[at] >>> 24 >= 128 ? 0xffffffff : 0xff000000;
    const made = new OffscreenCanvas(this.width, this.height);
    made.getContext("2d").putImageData(image, 0, 0);
    return made.convertToBlob({ type: "image/png" });
  }
}
