// The two dialogs of the gallery: all that is known of a clip, and several that play in step.

const FIRST_WORDS = ["prompt", "negative_prompt"];

class ClipDialog {
  /** @param {HTMLDialogElement} dialog @param {(id: string, by: number) => ClipRow | undefined} neighbour */
  constructor(dialog, neighbour) {
    this.dialog = dialog;
    this.neighbour = neighbour;
    /** @type {ClipRow | null} */
    this.clip = null;
    dialog.addEventListener("close", () => dialog.replaceChildren()); // and the player with it
    dialog.addEventListener("keydown", (event) => this.key(event));
    closeByBackdrop(dialog);
  }

  /** @param {ClipRow} clip */
  open(clip) {
    this.clip = clip;
    const title = make("h2", { id: "details-title", class: "text" }, clip.name);
    const [before, after] = [-1, 1].map((by) => this.stepper(by));
    const stage = make("div", { class: "stage" }, ...this.player(clip));
    const told = make("div", { class: "told", tabindex: "0", role: "region", "aria-label": "what is known of the clip" });
    told.append(...this.words(clip), this.actions(clip, told), this.table(clip));
    const head = make("div", { class: "head" }, title, before, after, closer(this.dialog));
    this.dialog.replaceChildren(head, make("div", { class: "about" }, stage, told));
    if (!this.dialog.open) this.dialog.showModal();
    after.focus();
  }

  /** @param {number} by */
  stepper(by) {
    const label = by < 0 ? "previous clip" : "next clip";
    const button = make("button", { type: "button", "aria-label": label, "aria-keyshortcuts": by < 0 ? "ArrowLeft" : "ArrowRight" }, by < 0 ? "‹" : "›");
    button.addEventListener("click", () => this.step(by));
    return button;
  }

  /** @param {number} by */
  step(by) {
    const clip = this.clip && this.neighbour(this.clip.id, by);
    if (clip) this.open(clip);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const isTaken = /** @type {Element} */ (event.target).matches("video, textarea");
    if (by === undefined || isTaken || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.step(by);
  }

  /** @param {ClipRow} clip @returns {Node[]} */
  player(clip) {
    if (clip.problem !== undefined) return [make("p", { class: "text" }, clip.problem)];
    const player = makePlayer(clip);
    if (player instanceof HTMLVideoElement) player.controls = true;
    player.setAttribute("aria-label", clip.name);
    if (player instanceof HTMLImageElement) player.alt = clip.name;
    player.addEventListener("error", () => player.replaceWith(make("p", {}, `This browser can't play ${clip.codec || "it"}.`)));
    return [player];
  }

  /** @param {ClipRow} clip @returns {Node[]} */
  words(clip) {
    return FIRST_WORDS.flatMap((name) => {
      const text = saidOf(clip, name);
      if (!text) return [];
      const words = make("div", { class: "words text", tabindex: "0", role: "region", "aria-label": shownName(name) }, text);
      return [make("h3", {}, shownName(name)), words];
    });
  }

  /** @param {ClipRow} clip @param {HTMLElement} place */
  actions(clip, place) {
    const bar = make("div", { class: "bar" });
    if (clip.problem === undefined) bar.append(copier("Copy as Python", () => asPython(clip), place));
    const link = make("a", { href: clip.address, target: "_blank", rel: "noopener" }, "Open the file");
    bar.append(copier("Copy path", () => clip.name, place), link);
    return bar;
  }

  /** @param {ClipRow} clip */
  table(clip) {
    const facts = clip.problem === undefined ? knownFacts(clip) : [];
    const rows = [...facts, ["size", `${clip.bytes.toLocaleString()} bytes`], ["changed", new Date(clip.modified * 1000).toLocaleString()]];
    const body = make("tbody");
    for (const [name, text] of rows) {
      const value = make("div", { class: "text" }, text);
      body.append(make("tr", {}, make("th", { scope: "row", class: "text" }, name), make("td", {}, value)));
    }
    return make("table", {}, body);
  }
}

/** @param {ClipRow} clip @returns {string[][]} */
function knownFacts(clip) {
  const said = { ...clip.texts, ...clip.values };
  const others = Object.entries(said).filter(([name]) => !(FIRST_WORDS.includes(name) && saidOf(clip, name)));
  return [
    ...others.map(([name, text]) => [shownName(name), text]),
    ["picture", `${clip.width}×${clip.height}, ${clip.codec}`],
    ["frame rate", shownRate(clip) + (clip.isEven ? "" : " on average")],
    ["frames", `${clip.frames} in ${clip.duration.toFixed(3)} s`],
    ["signature", clip.signature],
  ];
}

/** @param {string} name */
function shownName(name) {
  return name.replaceAll("_", " ");
}

/** Make a button that copies a text; where the browser refuses, the text comes up, selected. @param {string} label @param {() => string} text @param {HTMLElement} place */
function copier(label, text, place) {
  const button = make("button", { type: "button" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = label), 1500);
    } catch {
      const area = make("textarea", { readonly: "", "aria-label": label });
      area.value = text();
      place.querySelector("textarea")?.remove();
      button.parentElement?.after(area);
      area.select();
    }
  });
  return button;
}

/** @param {HTMLDialogElement} dialog */
function closer(dialog) {
  const button = make("button", { type: "button", "aria-label": "close", "aria-keyshortcuts": "Escape" }, "✕");
  button.addEventListener("click", () => dialog.close());
  return button;
}

/** @param {HTMLDialogElement} dialog */
function closeByBackdrop(dialog) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

class StepsDialog {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    /** @type {Steps | null} */
    this.steps = null;
    /** @type {Transport | null} */
    this.transport = null;
    dialog.addEventListener("close", () => this.end());
    closeByBackdrop(dialog);
  }

  /**
   * Show clips side by side, or two of them one over the other; a page at an address measures how near they are.
   *
   * @param {ClipRow[]} clips
   * @param {boolean} isWiped
   * @param {string} measured
   */
  async open(clips, isWiped, measured) {
    const canvases = clips.map((clip) => make("canvas", { role: "img", "aria-label": clip.name }));
    const figures = clips.map((clip, at) => make("figure", {}, canvases[at], make("figcaption", { class: "text quiet" }, clip.name)));
    const pictures = make("div", { class: "pictures" }, ...figures);
    const columns = clips.length === 4 ? 2 : Math.min(clips.length, 3);
    pictures.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    pictures.style.setProperty("--rows", String(isWiped ? 1 : Math.ceil(clips.length / columns)));
    const controls = make("div");
    const title = make("h2", { id: "together-title" }, isWiped ? "Two clips, compared" : `${clips.length} clips in step`);
    const body = make("div", { class: "steps" }, pictures);
    const head = make("div", { class: "head" }, title);
    if (measured) head.append(make("a", { href: measured, target: "_blank", rel: "noopener" }, "Measure them"));
    head.append(closer(this.dialog));
    if (clips.length === 2) this.wipe(head, body, pictures, isWiped);
    if (clips.some((clip) => !clip.isEven)) body.append(make("p", { class: "quiet" }, "Some are not evenly timed: each frame is taken at the clip's average rate."));
    body.append(controls);
    this.dialog.replaceChildren(head, body);
    this.dialog.showModal();
    const steps = (this.steps = new Steps(clips.map(inStep), (_, shown) => shown.forEach((each, at) => drawOn(canvases[at], each)), "time"));
    try {
      await steps.open();
      if (this.steps !== steps) return;
      this.transport = new Transport(controls, steps);
      this.transport.button.focus();
      await steps.play();
    } catch (error) {
      if (this.steps === steps) controls.replaceChildren(`They can't be played here: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {HTMLElement} head @param {HTMLElement} body @param {HTMLElement} pictures @param {boolean} isWiped */
  wipe(head, body, pictures, isWiped) {
    const button = make("button", { type: "button" }, "Wipe");
    const slider = make("input", { type: "range", min: "0", max: "100", value: "50", step: "0.1", "aria-label": "where the second clip begins" });
    /** @param {boolean} isOn */
    const show = (isOn) => {
      button.setAttribute("aria-pressed", String(isOn));
      pictures.classList.toggle("wiped", isOn);
      slider.hidden = !isOn;
    };
    button.addEventListener("click", () => show(slider.hasAttribute("hidden")));
    const move = () => pictures.style.setProperty("--wipe", `${slider.value}%`);
    slider.addEventListener("input", move);
    pictures.addEventListener("pointermove", (event) => {
      const { left, width } = pictures.getBoundingClientRect();
      slider.value = String((100 * (event.clientX - left)) / width);
      move();
    });
    show(isWiped);
    head.insertBefore(button, head.lastChild);
    body.append(slider);
  }

  end() {
    this.transport?.close();
    this.steps?.close();
    this.steps = this.transport = null;
    this.dialog.replaceChildren();
  }
}

/** @param {ClipRow} clip @returns {Clip} */
function inStep(clip) {
  const times = Array.from({ length: clip.frames }, (_, at) => (at * clip.duration) / clip.frames);
  return { source: clip.address, times, duration: clip.duration };
}
