// A curve by frame: of one metric, of each clip that is measured; it is pointed at, and seeks.

/**
 * @typedef {object} Curve Null is infinite: the frame is identical. The value of all frames together is the last.
 * @property {string} name
 * @property {Record<string, (number | null)[]>} values
 */

// XPSNR takes a first frame, which has none before it, for all motion: it is far above the rest, and bounds no scale.
/** @type {Record<string, {label: string, unit: string, digits: number, scaledFrom: number}>} */
const METRICS = {
  psnr: { label: "PSNR", unit: " dB", digits: 2, scaledFrom: 0 },
  ssim: { label: "SSIM", unit: "", digits: 4, scaledFrom: 0 },
  xpsnr: { label: "XPSNR", unit: " dB", digits: 2, scaledFrom: 1 },
};
const LEVELS = 4; // about as many rules are drawn
const ABOVE = 0.15; // of the height: where identical frames are

class FidelityChart {
  /** @param {Curve[]} curves @param {Steps} steps */
  constructor(curves, steps) {
    this.curves = curves;
    this.steps = steps;
    /** @type {number | null} */
    this.pointed = null;
    this.parts = Object.fromEntries(["metrics", "chart", "reading", "worst"].map((id) => [id, byId(id)]));
    this.plot = make("div", { id: "plot" });
    this.parts.chart.append(this.plot);
    this.parts.chart.setAttribute("aria-valuemax", String(steps.count - 1));
    this.metrics = Object.keys(METRICS).filter((metric) => curves.every(({ values }) => metric in values));
    this.buttons = this.metrics.map((metric) => {
      const button = make("button", { type: "button" }, METRICS[metric].label);
      button.addEventListener("click", () => this.setMetric(metric));
      return button;
    });
    const legend = curves.map(({ name }) => make("span", {}, make("span", { class: `swatch ${name}` }), name));
    this.parts.metrics.append(...this.buttons, ...legend);
    this.range = make("div", { class: "range" });
    this.cursor = make("div", { class: "at" });
    this.pointer = make("div", { class: "pointed", hidden: "" });
    this.listen();
    this.setMetric(this.metrics[0]);
  }

  listen() {
    const { chart } = this.parts;
    chart.addEventListener("pointermove", (event) => this.point(event));
    chart.addEventListener("pointerdown", (event) => {
      chart.setPointerCapture(event.pointerId);
      void this.steps.show(this.stepAt(event));
    });
    chart.addEventListener("pointerleave", () => this.point(null));
    chart.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {string} metric */
  setMetric(metric) {
    this.metric = metric;
    this.metrics.forEach((each, at) => this.buttons[at].setAttribute("aria-pressed", String(each === metric)));
    this.parts.chart.setAttribute("aria-label", `frame, by its ${METRICS[metric].label}`);
    this.drawLines();
    this.drawWorst();
    this.update();
  }

  drawLines() {
    const rows = this.curves.map(({ values }) => values[this.metric ?? ""].slice(0, -1));
    const { scaledFrom } = METRICS[this.metric ?? ""];
    const finite = rows.flatMap((row) => row.slice(row.length > 1 ? scaledFrom : 0)).filter((value) => value !== null);
    const isSome = rows.flat().includes(null);
    const levels = finite.length ? levelsOf(Math.min(...finite), Math.max(...finite)) : [0, 1];
    const [low, high] = [levels[0], levels[levels.length - 1]];
    const top = isSome ? high + ((high - low) * ABOVE) / (1 - ABOVE) : high;
    const height = (/** @type {number | null} */ value) => 100 - (100 * (Math.min(value ?? top, top) - low)) / (top - low);
    const svg = drawing("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
    levels.forEach((level) => svg.append(drawing("path", { class: "rule", d: `M0 ${height(level)}H100` })));
    rows.forEach((row, at) => svg.append(drawing("path", { class: this.curves[at].name, d: this.pathOf(row, height) })));
    const said = finite.length ? levels.map((level) => this.label(height(level), String(Number(level.toPrecision(6))))) : [];
    if (isSome) said.push(this.label(0, "identical"));
    this.plot.replaceChildren(svg, ...said, ...this.frames(), this.range, this.pointer, this.cursor);
  }

  /** @param {(number | null)[]} row @param {(value: number | null) => number} height */
  pathOf(row, height) {
    if (row.length === 1) return `M0 ${height(row[0])}H100`;
    return row.map((value, step) => `${step ? "L" : "M"}${this.across(step)} ${height(value)}`).join("");
  }

  /** @param {number} height In percent. @param {string} text */
  label(height, text) {
    const label = make("span", { class: "level number" }, text);
    label.style.top = `${height}%`;
    return label;
  }

  frames() {
    const last = this.steps.count - 1;
    return [...new Set([0, Math.round(last / 2), last])].map((step) => {
      const label = make("span", { class: "frame number" }, String(step));
      label.style.left = `${this.across(step)}%`;
      return label;
    });
  }

  /** Name the worst frame of each clip, and lead to it. */
  drawWorst() {
    const metric = this.metric ?? "";
    const rows = this.curves.map(({ name, values }) => {
      const [row, whole] = [values[metric].slice(0, -1), values[metric][values[metric].length - 1]];
      const ranked = row.map((value) => value ?? Infinity);
      const worst = ranked.indexOf(Math.min(...ranked));
      const go = make("button", { type: "button", "aria-label": `frame ${worst}, the worst of ${name}` }, `frame ${worst}`);
      go.addEventListener("click", () => void this.steps.show(worst));
      const head = make("th", { scope: "row" }, make("span", { class: `swatch ${name}` }), name);
      return make("tr", {}, head, make("td", { class: "number" }, this.say(whole)), make("td", { class: "number" }, `${this.say(row[worst])} `, go));
    });
    const heads = ["", "all frames", "worst"].map((text) => make("th", { scope: "col" }, text));
    this.parts.worst.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
  }

  /** @param {number | null} value */
  say(value) {
    const { digits, unit } = METRICS[this.metric ?? ""];
    return value === null ? "identical" : `${value.toFixed(digits)}${unit}`;
  }

  /** Say what a step has. @param {number} step */
  saidOf(step) {
    const values = this.curves.map(({ name, values }) => {
      const row = values[this.metric ?? ""];
      return `${name} ${step < row.length - 1 ? this.say(row[step]) : "not measured"}`;
    });
    return `frame ${step} · ${METRICS[this.metric ?? ""].label} ${values.join(" · ")}`;
  }

  /** Mark the step that is shown, and the range that is looped. */
  update() {
    const { at, count, range } = this.steps;
    const [first, last] = range.map((step) => this.across(step));
    this.cursor.style.left = `${this.across(at)}%`;
    this.range.hidden = range[0] === 0 && range[1] === count - 1;
    this.range.style.left = `${first}%`;
    this.range.style.width = `${last - first}%`;
    this.parts.chart.setAttribute("aria-valuenow", String(at));
    this.parts.chart.setAttribute("aria-valuetext", this.saidOf(at));
    this.parts.reading.textContent = this.saidOf(this.pointed ?? at);
  }

  /** @param {number} step @returns {number} In percent. */
  across(step) {
    return (100 * step) / Math.max(1, this.steps.count - 1);
  }

  /** @param {PointerEvent} event */
  stepAt(event) {
    const { left, width } = this.plot.getBoundingClientRect();
    const part = Math.min(Math.max((event.clientX - left) / width, 0), 1);
    return Math.round(part * (this.steps.count - 1));
  }

  /** @param {PointerEvent | null} event */
  point(event) {
    this.pointed = event && this.stepAt(event);
    this.pointer.hidden = event === null;
    this.pointer.style.left = `${this.across(this.pointed ?? 0)}%`;
    if (event?.buttons === 1 && this.pointed !== null) void this.steps.show(this.pointed);
    this.update();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    /** @type {Record<string, number>} */
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    void this.steps.move(moves[event.key]);
  }
}

/** Give round levels, from below the least to above the most. @param {number} least @param {number} most @returns {number[]} */
function levelsOf(least, most) {
  const rough = Math.max(most - least, 1e-4 * Math.abs(most), 1e-6) / LEVELS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  const first = Math.floor(least / step + 1e-6);
  const count = Math.max(1, Math.ceil(most / step - 1e-6) - first);
  return Array.from({ length: count + 1 }, (_, at) => (first + at) * step);
}

/** @param {string} name @param {Record<string, string>} attributes @returns {SVGElement} */
function drawing(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return /** @type {SVGElement} */ (element);
}
