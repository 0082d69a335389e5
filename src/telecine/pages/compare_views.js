// Two pictures of one step: as a wipe, side by side, in turns, or as their difference.

/** @type {Record<string, string>} */
const MODES = { wipe: "Wipe", side: "Side by side", flicker: "Flicker", difference: "Difference" };
/** @type {Record<string, string>} In pixels of the screen for one of the first clip. */
const ZOOMS = { fit: "fit", 1: "1:1", 2: "2:1", 4: "4:1", 8: "8:1" };
// Of changes: two are a flash, and WCAG 2.2 allows three flashes a second (2.3.1).
const CHANGES_A_SECOND = [1, 2, 3, 4, 6];
const GAINS = [1, 2, 4, 8, 16, 32];
const GAIN = 8;

class ComparedViews {
  /** @param {HTMLElement} stage @param {HTMLElement} bar For its buttons. @param {HTMLElement} pixel For the values of a pixel. */
  constructor(stage, bar, pixel) {
    this.stage = stage;
    this.pixel = pixel;
    this.views = /** @type {HTMLElement[]} */ ([...stage.querySelectorAll(".view")]);
    this.canvases = [...stage.querySelectorAll("canvas")];
    this.contexts = this.canvases.map((canvas) => contextOf(canvas));
    this.divider = /** @type {HTMLElement} */ (stage.querySelector("[role='slider']"));
    this.mode = "wipe";
    this.zoom = "fit";
    this.gain = GAIN;
    this.changes = 2;
    this.visible = 0;
    this.isHeld = false;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.buttons = Object.entries(MODES).map(([name, label], at) => {
      const button = make("button", { type: "button", "aria-keyshortcuts": String(at + 1) }, label);
      button.addEventListener("click", () => this.setMode(name));
      return button;
    });
    this.turns = make("button", { type: "button", "aria-keyshortcuts": "f" }, "Alternate");
    this.turns.addEventListener("click", () => this.alternate(this.timer === undefined));
    this.rate = choice("Changes a second", CHANGES_A_SECOND, this.changes, (value) => this.setChanges(Number(value)));
    this.times = choice("Times", GAINS, GAIN, (value) => this.setGain(Number(value)));
    const size = choice("Size", Object.keys(ZOOMS), "fit", (value) => this.setZoom(value), (value) => ZOOMS[value]);
    bar.append(...this.buttons, this.turns, this.rate, this.times, size);
    this.listen();
    this.setDivider(50);
    this.setMode("wipe");
  }

  listen() {
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.stage.addEventListener("pointermove", (event) => this.read(event));
    this.stage.addEventListener("pointerleave", () => (this.pixel.textContent = ""));
    this.divider.addEventListener("keydown", (event) => this.nudge(event));
    this.views.forEach((view) => {
      view.addEventListener("scroll", () => this.follow(view));
      view.addEventListener("keydown", (event) => this.zoom !== "fit" && event.key.startsWith("Arrow") && event.stopPropagation());
    });
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("keyup", (event) => event.key === "x" && this.hold(false));
    window.addEventListener("blur", () => this.hold(false)); // after which no keyup comes
  }

  /** @param {HTMLCanvasElement[]} pictures */
  draw(pictures) {
    pictures.forEach((picture, at) => {
      drawOn(this.canvases[at], picture);
    });
    this.stage.style.setProperty("--ratio", String(pictures[0].width / pictures[0].height));
    if (this.mode === "difference") this.subtract();
  }

  /** Draw how far the second picture is from the first, which it is scaled to: of each channel, times the gain. */
  subtract() {
    const [canvas, , difference] = this.canvases;
    const [first, , context] = this.contexts;
    const { width, height } = canvas;
    resized(difference, width, height);
    context.drawImage(this.canvases[1], 0, 0, width, height);
    const found = context.getImageData(0, 0, width, height);
    const [one, other] = [first.getImageData(0, 0, width, height).data, found.data];
    for (let at = 0; at < other.length; at++) other[at] = at % 4 === 3 ? 255 : Math.abs(one[at] - other[at]) * this.gain;
    context.putImageData(found, 0, 0);
  }

  /** @param {string} mode */
  setMode(mode) {
    this.mode = this.stage.dataset.mode = mode;
    Object.keys(MODES).forEach((name, at) => this.buttons[at].setAttribute("aria-pressed", String(name === mode)));
    this.turns.hidden = this.rate.hidden = mode !== "flicker";
    this.times.hidden = mode !== "difference";
    this.alternate(mode === "flicker" && !matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.setGain(this.gain);
  }

  /** @param {number} gain */
  setGain(gain) {
    this.gain = gain;
    /** @type {HTMLElement} */ (this.stage.querySelector(".tag.both")).textContent = `|A − B| × ${gain}`;
    this.canvases[2].setAttribute("aria-label", `the difference, times ${gain}`);
    if (this.mode === "difference") this.subtract();
  }

  // ---- in turns ----

  /** @param {boolean} isOn */
  alternate(isOn) {
    clearInterval(this.timer);
    this.timer = isOn ? setInterval(() => this.show(1 - this.visible), 1000 / this.changes) : undefined;
    this.turns.setAttribute("aria-pressed", String(isOn));
    this.show(0);
  }

  /** @param {number} changes */
  setChanges(changes) {
    this.changes = changes;
    this.alternate(this.timer !== undefined);
  }

  /** @param {number} at */
  show(at) {
    this.visible = at;
    this.stage.dataset.visible = String(this.isHeld ? 1 - at : at);
  }

  /** Show the other clip as long as something is held. @param {boolean} isHeld */
  hold(isHeld) {
    this.isHeld = isHeld;
    this.show(this.visible);
  }

  // ---- the divider ----

  /** @param {number} percent */
  setDivider(percent) {
    const at = Math.min(Math.max(percent, 0), 100);
    this.stage.style.setProperty("--at", `${at}%`);
    this.divider.setAttribute("aria-valuenow", String(Math.round(at)));
    this.divider.setAttribute("aria-valuetext", `A up to ${Math.round(at)} % of the width`);
  }

  /** @param {KeyboardEvent} event */
  nudge(event) {
    const now = Number(this.divider.getAttribute("aria-valuenow"));
    const step = event.shiftKey ? 10 : 1;
    /** @type {Record<string, number>} */
    const wanted = { ArrowLeft: now - step, ArrowDown: now - step, ArrowRight: now + step, ArrowUp: now + step, Home: 0, End: 100 };
    if (!(event.key in wanted)) return;
    event.preventDefault();
    this.setDivider(wanted[event.key]);
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0) return;
    if (this.mode === "flicker") this.drag(event, () => this.hold(true), () => this.hold(false));
    if (this.mode !== "wipe" || (this.zoom !== "fit" && event.target !== this.divider)) return;
    const { left, width } = this.stage.getBoundingClientRect();
    this.drag(event, ({ clientX }) => this.setDivider((100 * (clientX - left)) / width));
  }

  /** @param {PointerEvent} event @param {(event: PointerEvent) => void} moved @param {() => void} ended */
  drag(event, moved, ended = () => undefined) {
    const { stage } = this;
    const end = () => {
      stage.removeEventListener("pointermove", moved);
      ended();
    };
    stage.setPointerCapture(event.pointerId);
    stage.addEventListener("pointermove", moved);
    stage.addEventListener("lostpointercapture", end, { once: true });
    moved(event);
  }

  // ---- closer ----

  /** @param {string} zoom */
  setZoom(zoom) {
    this.zoom = this.stage.dataset.zoom = zoom;
    const width = zoom === "fit" ? "100%" : `${(this.canvases[0].width * Number(zoom)) / devicePixelRatio}px`;
    this.stage.style.setProperty("--zoomed", width);
    this.views.forEach((view) => (zoom === "fit" ? view.removeAttribute("tabindex") : view.setAttribute("tabindex", "0")));
  }

  /** @param {HTMLElement} moved */
  follow(moved) {
    this.views.filter((view) => view !== moved).forEach((view) => view.scrollTo(moved.scrollLeft, moved.scrollTop));
  }

  /** Say what both clips have at a place. @param {PointerEvent} event */
  read(event) {
    const view = this.mode === "side" && this.views[1].contains(/** @type {Node} */ (event.target)) ? 1 : 0;
    const { left, top, width, height } = this.canvases[view].getBoundingClientRect();
    const [across, down] = [(event.clientX - left) / width, (event.clientY - top) / height];
    if (across < 0 || across >= 1 || down < 0 || down >= 1) return;
    const [one, other] = this.contexts.map(({ canvas }) => [Math.floor(across * canvas.width), Math.floor(down * canvas.height)]);
    const values = [one, other].map(([x, y], at) => [...this.contexts[at].getImageData(x, y, 1, 1).data.slice(0, 3)].join(" "));
    this.pixel.textContent = `x ${one[0]}, y ${one[1]} · A ${values[0]} · B ${values[1]}`;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("select")) return;
    const button = this.buttons[Number(event.key) - 1];
    if (button) button.click();
    else if (event.key === "f" && this.mode === "flicker") this.turns.click();
    else if (event.key === "x" && !event.repeat) this.hold(true);
  }
}

/** @param {HTMLCanvasElement} canvas @returns {CanvasRenderingContext2D} */
function contextOf(canvas) {
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (context === null) throw new Error("this browser has no canvas");
  return context;
}

/**
 * Make a labelled choice.
 *
 * @template {string | number} Value
 * @param {string} label
 * @param {Value[]} values
 * @param {Value} chosen
 * @param {(value: string) => void} changed
 * @param {(value: Value) => string} named
 */
function choice(label, values, chosen, changed, named = String) {
  const select = make("select", {}, ...values.map((value) => make("option", { value: String(value) }, named(value))));
  select.value = String(chosen);
  select.addEventListener("change", () => changed(select.value));
  return make("label", {}, `${label} `, select);
}
