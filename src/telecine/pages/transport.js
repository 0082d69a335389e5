// The controls of clips that play in step: buttons, a slider, the keys.

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

class Transport {
  /** Make the controls in an element, and listen to the keys of the page. @param {HTMLElement} place @param {Steps} steps */
  constructor(place, steps) {
    this.steps = steps;
    this.button = make("button", { type: "button", "aria-keyshortcuts": "Space" }, "Play");
    this.back = make("button", { type: "button", "aria-label": "one frame back", "aria-keyshortcuts": "," }, "‹");
    this.forward = make("button", { type: "button", "aria-label": "one frame forward", "aria-keyshortcuts": "." }, "›");
    this.slider = make("input", { type: "range", min: "0", max: String(steps.count - 1), step: "1", value: "0", "aria-label": "frame" });
    this.counter = make("span", { class: "number" });
    const speed = make("select", {});
    SPEEDS.forEach((each) => speed.append(make("option", { value: String(each) }, `${each}×`)));
    speed.value = "1";
    this.loop = make("button", { type: "button", "aria-pressed": "true", "aria-keyshortcuts": "l" }, "Loop");
    this.from = make("button", { type: "button", "aria-label": "the loop begins here", "aria-keyshortcuts": "[" }, "[");
    this.to = make("button", { type: "button", "aria-label": "the loop ends here", "aria-keyshortcuts": "]" }, "]");
    place.classList.add("bar");
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", "playing");
    place.append(this.button, this.back, this.forward, this.slider, this.counter, make("label", {}, "Speed ", speed), this.loop, this.from, this.to);
    this.button.addEventListener("click", () => this.toggle());
    this.back.addEventListener("click", () => void steps.move(-1));
    this.forward.addEventListener("click", () => void steps.move(1));
    this.slider.addEventListener("input", () => void steps.show(Number(this.slider.value)));
    speed.addEventListener("change", () => steps.setSpeed(Number(speed.value)));
    this.loop.addEventListener("click", () => this.toggleLoop());
    this.from.addEventListener("click", () => this.setRange(steps.at, Math.max(steps.range[1], steps.at)));
    this.to.addEventListener("click", () => this.setRange(Math.min(steps.range[0], steps.at), steps.at));
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    steps.changed = () => this.update();
    this.update();
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
  }

  toggle() {
    if (this.steps.playing) this.steps.pause();
    else void this.steps.play();
  }

  toggleLoop() {
    this.steps.looping = !this.steps.looping;
    this.loop.setAttribute("aria-pressed", String(this.steps.looping));
  }

  /** @param {number} first @param {number} last */
  setRange(first, last) {
    const { count, range } = this.steps;
    const isSame = range[0] === first && range[1] === last;
    this.steps.range = isSame ? [0, count - 1] : [first, last]; // the same again is the whole
    this.update();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const action = this.actions()[event.key];
    if (action === undefined || !isForPage(event)) return;
    event.preventDefault();
    action();
  }

  /** @returns {Record<string, (() => void) | undefined>} */
  actions() {
    const { steps } = this;
    const second = Math.max(1, Math.round(steps.count / (steps.times[steps.count - 1] || 1)));
    return {
      " ": () => this.toggle(),
      ",": () => void steps.move(-1),
      ".": () => void steps.move(1),
      ArrowLeft: () => void steps.move(-second),
      ArrowRight: () => void steps.move(second),
      Home: () => void steps.show(0),
      End: () => void steps.show(steps.count - 1),
      "[": () => this.from.click(),
      "]": () => this.to.click(),
      l: () => this.toggleLoop(),
    };
  }

  update() {
    const { at, count, range, playing, times } = this.steps;
    this.button.textContent = playing ? "Pause" : "Play";
    this.slider.value = String(at);
    this.slider.setAttribute("aria-valuetext", `frame ${at} of ${count - 1}, ${times[at].toFixed(3)} s`);
    const part = range[0] > 0 || range[1] < count - 1 ? `, loop ${range[0]}–${range[1]}` : "";
    this.counter.textContent = `${at} / ${count - 1} · ${times[at].toFixed(2)} s${part}`;
  }
}
