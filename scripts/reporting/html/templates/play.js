// The first part of the page's one module: playing. Without it the page still says every verdict and hop.
const page = document.documentElement;
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const one = (selector, from = document) => from.querySelector(selector);
const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
};
const stage = one("#stage");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const narrow = matchMedia("(max-width: 900px)");
page.classList.add("js");

// --- playing ------------------------------------------------------------------------------------------
const PACE = 650; // milliseconds a hop
let player = null;

// One drawing with its packet. A comparison's page plays two of them at the same pace.
class Track {
  constructor(svg) {
    this.svg = svg;
    this.lines = all("polyline.line", svg);
    this.scroll = svg.closest(".scroll");
    this.packet = this.draw();
    if (this.lines.length) this.follow(this.dot(1));
  }

  // Where a hop's dot is.
  dot(number) {
    const circle = one(`.dot[data-step="${number}"] circle`, this.svg);
    return new DOMPoint(+circle.getAttribute("cx"), +circle.getAttribute("cy"));
  }

  draw() {
    const space = "http://www.w3.org/2000/svg";
    const packet = document.createElementNS(space, "g");
    packet.setAttribute("class", "packet");
    packet.setAttribute("visibility", "hidden");
    for (const [tag, set] of [
      ["circle", { r: 7 }], ["rect", { rx: 5, width: 196, height: 36, x: -98, y: 12 }],
      ["text", { y: 27 }], ["text", { y: 42 }],
    ]) {
      const part = document.createElementNS(space, tag);
      Object.entries(set).forEach(([name, value]) => part.setAttribute(name, value));
      packet.append(part);
    }
    this.svg.append(packet);
    return packet;
  }

  place(point) {
    const near = Math.max(100, Math.min(1040, point.x)) - point.x;
    this.packet.setAttribute("transform", `translate(${point.x} ${point.y})`);
    all("rect, text", this.packet).forEach((part) => part.setAttribute("transform", `translate(${near} 0)`));
    this.packet.setAttribute("visibility", "visible");
    this.follow(point);
  }

  // Keeps a point in view where the drawing is wider than its place.
  follow(point) {
    if (this.scroll.scrollWidth <= this.scroll.clientWidth) return;
    this.scroll.scrollLeft = point.x * (this.svg.clientWidth / this.svg.viewBox.baseVal.width) - this.scroll.clientWidth / 2;
  }

  // What the packet carries, from the hop's ends in words.
  label(ends) {
    const told = all("code", ends).map((code) => code.textContent);
    const [source, destination] = all("text", this.packet);
    source.textContent = told.length > 1 ? told[0] : "";
    destination.textContent = `→ ${told.at(-1) ?? ""}`;
  }

  // The packet is at the hop ``reached``, and the line to ``at`` may be seen.
  mark(reached, at) {
    this.svg.classList.add("playing");
    for (const part of all("[data-step]", this.svg)) {
      const number = +part.dataset.step;
      part.classList.toggle("ahead", number > at || (number > reached && !part.matches(".line")));
      part.classList.toggle("here", number === reached);
    }
  }

  // A function from a part of the way to a hop, 0 to 1, to the point there; null if it takes no time.
  moving(to) {
    const line = this.lines[to - 1];
    const length = line.getTotalLength();
    const stop = this.dot(to);
    return still.matches || length < 4 ? null : (part) => (part < 1 ? line.getPointAtLength(length * part) : stop);
  }
}

class Player {
  constructor(detail) {
    this.tracks = all("svg.drawing", detail).map((svg) => new Track(svg));
    this.items = all(".hops li", detail);
    // By item and drawing the number of the station there, 0 where the item is not on that way.
    this.steps = this.items.map((item) => item.dataset.step.split(" ").map(Number));
    this.now = one(".now", detail);
    this.button = one("[data-go=play]", detail);
    this.at = 0;
    this.timer = 0;
    this.running = false;
    const gos = {
      first: () => this.show(1), last: () => this.show(this.count),
      back: () => this.show(this.at - 1), on: () => this.step(), play: () => this.toggle(),
    };
    for (const button of all("[data-go]", detail)) {
      button.onclick = () => { if (button.dataset.go !== "play") this.pause(); gos[button.dataset.go](); };
    }
    this.items.forEach((item, at) => { item.onclick = () => { this.pause(); this.show(at + 1); }; });
    one(".player", detail).hidden = false;
  }

  get count() { return this.items.length; }

  // The last station of a drawing that has been reached with the item ``at``.
  reached(track, at) { return Math.max(0, ...this.steps.slice(0, at).map((steps) => steps[track])); }

  toggle() { this.running ? this.pause() : this.play(); }

  play() {
    this.running = true;
    this.button.textContent = "Pause";
    if (this.at >= this.count) this.at = 0;
    this.next();
  }

  next() {
    if (!this.running) return;
    if (this.at >= this.count) return this.pause();
    this.move(this.at + 1, () => { this.timer = setTimeout(() => this.next(), still.matches ? PACE : 260); });
  }

  pause() {
    this.running = false;
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    if (this.target) this.show(this.target);
    this.button.textContent = "Play";
  }

  step() { if (this.at < this.count) this.move(this.at + 1, () => {}); }

  // Moves the packets along their lines to a hop, then shows them there.
  move(to, then) {
    this.target = to;
    const ways = [];
    this.each(to, (track, step, ends, number) => {
      track.mark(this.reached(number, to - 1), this.reached(number, to));
      if (!step) return;
      track.label(ends);
      const way = track.moving(step);
      if (way) ways.push((part) => track.place(way(part)));
    });
    const begun = performance.now();
    const lasts = ways.length ? PACE : 0;
    const frame = (time) => {
      const part = lasts ? Math.min(1, (time - begun) / lasts) : 1;
      const eased = part < 0.5 ? 2 * part * part : 1 - (2 - 2 * part) ** 2 / 2;
      for (const way of ways) way(eased);
      if (part < 1) this.frame = requestAnimationFrame(frame);
      else { this.target = 0; this.show(to); then(); }
    };
    this.frame = requestAnimationFrame(frame);
  }

  // Calls ``work`` with each drawing, its station at an item, and the ends that it carries there.
  each(to, work) {
    const ends = all(".ends", this.items[to - 1]);
    this.tracks.forEach((track, number) => work(track, this.steps[to - 1][number], ends[number], number));
  }

  show(number) {
    const to = Math.max(1, Math.min(this.count, number));
    cancelAnimationFrame(this.frame);
    this.target = 0;
    this.at = to;
    this.each(to, (track, step, ends, at) => {
      const reached = this.reached(at, to);
      track.mark(reached, reached);
      if (step) track.label(ends);
      if (reached) track.place(track.dot(reached));
      else track.packet.setAttribute("visibility", "hidden");
    });
    const item = this.items[to - 1];
    this.items.forEach((each) => each.toggleAttribute("aria-current", false));
    item.setAttribute("aria-current", "step");
    const parts = [".where", ".ends", ".changed", ".difference", ".rule", ".time", ".stop"];
    const said = parts.flatMap((part) => all(part, item).slice(0, this.tracks.length)).map((each) => each.textContent.trim());
    this.now.textContent = `${to} of ${this.count}: ${said.filter(Boolean).join(" · ")}`;
  }
}
