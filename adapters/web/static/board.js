// The board: shows picture and mask, zoomed and panned, and turns fingers, pen, mouse and keys into steps of the mask.

const INK = "rgb(230 30 30 / .5)";

export class Board {
  // `tool()` gives {name, size}; `changed()` is called after each step of the mask.
  constructor(canvas, picture, mask, { tool, changed }) {
    Object.assign(this, { canvas, picture, mask, tool, changed, scale: 1, x: 0, y: 0, pointers: new Map(), at: null, space: false });
    this.context = canvas.getContext("2d");
    this.overlay = new OffscreenCanvas(mask.width, mask.height);
    this.sizes = new ResizeObserver(() => (this.measure(), this.fit()));
    this.sizes.observe(canvas);
    this.measure();
    this.fit();
    this.listen();
  }

  close() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.pending);
  }

  measure() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    this.ratio = ratio;
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.scale = Math.min((width - 24) / this.mask.width, (height - 24) / this.mask.height, 8);
    this.x = (width - this.mask.width * this.scale) / 2;
    this.y = (height - this.mask.height * this.scale) / 2;
    this.show();
  }

  zoom(by, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const scale = Math.min(32, Math.max(0.02, this.scale * by));
    this.x = x - ((x - this.x) / this.scale) * scale;
    this.y = y - ((y - this.y) / this.scale) * scale;
    this.scale = scale;
    this.show();
  }

  // From the page to picture pixels.
  spot(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left - this.x) / this.scale, (event.clientY - box.top - this.y) / this.scale];
  }

  show() {
    this.pending ??= requestAnimationFrame(() => ((this.pending = null), this.paint()));
  }

  paint() {
    const { context, ratio } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(ratio * this.scale, 0, 0, ratio * this.scale, ratio * this.x, ratio * this.y);
    context.imageSmoothingEnabled = this.scale < 3;
    context.drawImage(this.picture, 0, 0, this.mask.width, this.mask.height);
    const tint = this.overlay.getContext("2d");
    tint.globalCompositeOperation = "copy";
    tint.drawImage(this.mask.canvas, 0, 0);
    tint.globalCompositeOperation = "source-in";
    tint.fillStyle = INK;
    tint.fillRect(0, 0, this.mask.width, this.mask.height);
    context.drawImage(this.overlay, 0, 0);
    this.ring(context);
  }

  ring(context) {
    const { name, size } = this.tool();
    if (!this.at || name === "hand") return;
    const radius = name === "rectangle" ? 6 / this.scale : size / 2;
    for (const [colour, width] of [["#000", 3], ["#fff", 1.5]]) {
      context.beginPath();
      context.arc(...this.at, radius, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width / this.scale;
      context.stroke();
    }
  }

  listen() {
    const on = (name, act, options) => this.canvas.addEventListener(name, act, options);
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.moved(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => (this.dropStep(), this.up(event)));
    // Else Chromium may swallow the tap that follows a quick stroke.
    on("touchstart", (event) => event.preventDefault(), { passive: false });
    on("pointerleave", () => ((this.at = null), this.show()));
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => {
      event.preventDefault();
      const box = this.canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
  }

  down(event) {
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size === 2) return this.beginPinch();
    if (this.pointers.size > 2) return;
    const { name } = this.tool();
    this.panning = name === "hand" || this.space || event.button === 1;
    if (!this.panning && event.button === 0) this.beginStep(event, name);
  }

  beginStep(event, name) {
    this.stepping = true;
    const [x, y] = this.spot(event);
    this.from = [x, y];
    if (name === "rectangle") this.mask.begin({ kind: "rectangle", box: [x, y, 0, 0] });
    else this.mask.begin({ kind: "stroke", erase: name === "eraser", size: this.tool().size, points: [[x, y]] });
    this.show();
  }

  moved(event) {
    this.at = this.spot(event);
    const before = this.pointers.get(event.pointerId);
    if (before) this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (before && this.pointers.size === 2) return this.pinch();
    if (before && this.panning) this.pan(event.clientX - before[0], event.clientY - before[1]);
    if (before && this.stepping) this.goOn(event);
    this.show();
  }

  goOn(event) {
    if (this.tool().name !== "rectangle") {
      for (const one of event.getCoalescedEvents?.() ?? [event]) this.mask.extend(this.spot(one));
      return;
    }
    const [x, y] = this.spot(event);
    const [x0, y0] = this.from;
    this.mask.extend([Math.min(x, x0), Math.min(y, y0), Math.abs(x - x0), Math.abs(y - y0)]);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (event.pointerType === "touch") this.at = null;
    if (this.pointers.size) return;
    if (this.stepping) this.changed();
    Object.assign(this, { stepping: false, panning: false, span: null });
    this.show();
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
  }

  // What was begun by a touch that turned out to be something else was never meant.
  dropStep() {
    if (this.stepping) this.mask.takeBack();
    this.stepping = false;
  }

  beginPinch() {
    this.dropStep();
    this.panning = false;
    this.span = this.fingers();
    this.show();
  }

  pinch() {
    const now = this.fingers();
    const box = this.canvas.getBoundingClientRect();
    this.pan(now.x - this.span.x, now.y - this.span.y);
    this.zoom(now.apart / this.span.apart, now.x - box.left, now.y - box.top);
    this.span = now;
  }

  fingers() {
    const [a, b] = [...this.pointers.values()];
    return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, apart: Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1])) };
  }
}
