// The wall of cards. Of thousands, those are elements that are seen, and a few around them; others take their place.

/**
 * @typedef {object} ClipRow What the page is told of a clip. One with a problem has nothing from `poster` on.
 * @property {string} id
 * @property {string} name
 * @property {string} address
 * @property {number} bytes
 * @property {number} modified Seconds since 1970.
 * @property {string} [problem]
 * @property {string} poster
 * @property {boolean} moves Whether it is an image that moves, which no video element plays.
 * @property {string} codec
 * @property {number} width
 * @property {number} height
 * @property {string} fps
 * @property {boolean} isEven
 * @property {number} frames
 * @property {number} duration
 * @property {Record<string, string>} texts
 * @property {Record<string, string>} values JSON of what is no text.
 * @property {string} signature
 */

const CARD_GAP = 16;
const LEAST_CARD = 250; // pixels wide
const CARD_TEXT = 110; // pixels high
const ROWS_AROUND = 2;
const HOVER_DELAY = 120; // milliseconds: a pointer that passes by starts nothing
const LONGEST_ON_CARD = 240; // characters: more than two lines show
/** @type {Record<string, [string, string]>} */
const SIGNATURE_BADGES = {
  valid: ["signed", "good"],
  "valid but untrusted": ["signed, untrusted", ""],
  tampered: ["tampered", "bad"],
};

/** Give what a clip says under a name, as text; several texts in a row. @param {ClipRow} clip @param {string} name */
function saidOf(clip, name) {
  const text = clip.texts?.[name];
  if (text !== undefined) return text;
  const json = clip.values?.[name];
  if (json === undefined || json === "null") return "";
  if (!json.startsWith("[")) return json.startsWith("{") ? "" : json; // ComfyUI's graphs are no prompt
  const several = JSON.parse(json);
  return several.map(String).join(" · ");
}

/** @param {number} seconds */
function shownDuration(seconds) {
  const whole = Math.floor(seconds / 60);
  return whole ? `${whole}:${String(Math.floor(seconds % 60)).padStart(2, "0")}` : `${seconds.toFixed(1)} s`;
}

/** @param {ClipRow} clip */
function shownRate(clip) {
  const [above, below = "1"] = clip.fps.split("/");
  return `${Number((Number(above) / Number(below)).toFixed(3))} fps`;
}

class ClipCard {
  constructor() {
    this.button = make("button", { type: "button", tabindex: "-1" });
    this.checkbox = make("input", { type: "checkbox", tabindex: "-1", "aria-keyshortcuts": "x" });
    this.length = make("span", { class: "length number" });
    this.badge = make("span", { class: "badge" });
    this.said = make("span", { class: "said text" });
    this.film = make("div", { class: "film" }, this.button, this.length, this.badge, this.said, this.checkbox);
    this.prompt = make("p", { class: "prompt text" });
    this.facts = make("p", { class: "facts text number" });
    this.name = make("p", { class: "name text" });
    this.element = make("li", { class: "card" }, this.film, this.prompt, this.facts, this.name);
    /** @type {ClipRow | null} */
    this.clip = null;
    this.place = ""; // where it was put, in words
  }

  /** @param {ClipRow} clip */
  fill(clip) {
    const isWhole = clip.problem === undefined;
    const [badge, kind] = SIGNATURE_BADGES[clip.signature] ?? ["", ""];
    const prompt = saidOf(clip, "prompt").slice(0, LONGEST_ON_CARD);
    const seed = saidOf(clip, "seed");
    const model = saidOf(clip, "model").split("/").pop();
    const facts = [model, seed && `seed ${seed}`, isWhole && shownRate(clip)];
    this.clip = clip;
    this.place = "";
    this.element.dataset.id = clip.id;
    this.element.className = isWhole ? "card" : "card broken";
    this.button.setAttribute("aria-label", `${isWhole ? "open" : "can't be read:"} ${clip.name}`);
    this.checkbox.setAttribute("aria-label", `select ${clip.name}`);
    this.checkbox.hidden = !isWhole;
    // A new one, which shows nothing until it has come; the old one would show its own picture until then.
    this.button.replaceChildren(...(isWhole ? [make("img", { alt: "", decoding: "async", draggable: "false", src: clip.poster })] : []));
    fillText(this.length, isWhole ? shownDuration(clip.duration) : "");
    fillText(this.badge, badge);
    this.badge.className = `badge ${kind}`;
    fillText(this.said, isWhole ? "" : clip.problem || "");
    this.prompt.textContent = prompt;
    this.facts.textContent = facts.filter(Boolean).map((fact) => String(fact).slice(0, 60)).join(" · ");
    this.name.textContent = clip.name;
  }
}

/** Put text in a mark, which is not there without. @param {HTMLElement} element @param {string} text */
function fillText(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

class CardWall {
  /** @param {HTMLElement} place @param {(clip: ClipRow) => void} opened @param {(id: string) => void} chose */
  constructor(place, opened, chose) {
    this.place = place;
    this.opened = opened;
    this.chose = chose;
    /** @type {ClipRow[]} */
    this.clips = [];
    /** @type {Map<string, number>} */
    this.places = new Map();
    /** @type {ReadonlySet<string>} */
    this.chosen = new Set();
    /** @type {Map<string, ClipCard>} */
    this.cards = new Map();
    this.active = "";
    this.columns = 1;
    this.width = 0;
    this.film = 0;
    this.isDue = false;
    this.preview = new CardPreview();
    this.listen();
  }

  listen() {
    addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.drawSoon()).observe(this.place);
    this.place.addEventListener("click", (event) => {
      const card = this.cardOf(event.target);
      if (card?.clip && /** @type {Element} */ (event.target).closest("button")) this.opened(card.clip);
    });
    this.place.addEventListener("change", (event) => {
      const card = this.cardOf(event.target);
      if (card?.clip) this.chose(card.clip.id);
    });
    this.place.addEventListener("pointerover", (event) => {
      const card = this.cardOf(event.target);
      if (event.pointerType === "mouse" && card) this.preview.soon(card);
    });
    this.place.addEventListener("pointerleave", () => this.preview.stop());
    this.place.addEventListener("focusin", (event) => {
      const card = this.cardOf(event.target);
      if (!card?.clip) return;
      this.activate(card.clip.id);
      if (card.button.matches(":focus-visible")) this.preview.soon(card);
    });
    this.place.addEventListener("focusout", () => this.preview.stop());
    this.place.addEventListener("keydown", (event) => this.key(event));
  }

  scrolled() {
    this.preview.wait();
    this.drawSoon();
  }

  /** @param {EventTarget | null} target */
  cardOf(target) {
    const element = /** @type {Element | null} */ (target)?.closest?.("li");
    return element instanceof HTMLElement ? this.cards.get(element.dataset.id || "") : undefined;
  }

  /** Show these clips, in this order; what is in sight stays where it is. @param {ClipRow[]} clips @param {boolean} isSteady */
  show(clips, isSteady) {
    const first = isSteady && scrollY > 0 ? this.firstInSight() : undefined;
    const before = first === undefined ? 0 : this.topOf(this.places.get(first.id) || 0);
    this.clips = clips;
    this.places = new Map(clips.map((clip, at) => [clip.id, at]));
    if (!this.places.has(this.active)) this.active = clips[0]?.id || "";
    this.draw();
    const at = first && this.places.get(first.id);
    if (at !== undefined && this.topOf(at) !== before) scrollBy({ top: this.topOf(at) - before, behavior: "instant" });
  }

  firstInSight() {
    const row = Math.floor(Math.max(0, -this.place.getBoundingClientRect().top) / this.rowHeight());
    return this.clips[row * this.columns];
  }

  rowHeight() {
    return this.film + CARD_TEXT + CARD_GAP;
  }

  /** @param {number} at */
  topOf(at) {
    return Math.floor(at / this.columns) * this.rowHeight();
  }

  drawSoon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => this.draw());
  }

  /** Give every clip that is in sight a card, and take it from those that are not. */
  draw() {
    this.isDue = false;
    const { top, width } = this.place.getBoundingClientRect();
    this.columns = Math.max(1, Math.floor((width + CARD_GAP) / (LEAST_CARD + CARD_GAP)));
    this.width = (width - CARD_GAP * (this.columns - 1)) / this.columns;
    this.film = Math.round((this.width * 9) / 16);
    const high = this.rowHeight();
    const rows = Math.ceil(this.clips.length / this.columns);
    const firstRow = Math.max(0, Math.floor(-top / high) - ROWS_AROUND);
    const lastRow = Math.min(rows, Math.ceil((innerHeight - top) / high) + ROWS_AROUND);
    const wanted = this.clips.slice(firstRow * this.columns, lastRow * this.columns);
    const active = this.places.get(this.active);
    if (active !== undefined && !wanted.includes(this.clips[active])) wanted.push(this.clips[active]); // it may have the focus
    this.place.style.height = `${Math.max(0, rows * high - CARD_GAP)}px`;
    const ids = new Set(wanted.map((clip) => clip.id));
    const free = [...this.cards].filter(([id]) => !ids.has(id)).map(([id, card]) => this.release(id, card));
    for (const clip of wanted) {
      const card = this.cards.get(clip.id) ?? this.fill(free.pop() ?? new ClipCard(), clip);
      this.put(card, this.places.get(clip.id) || 0);
    }
    free.forEach((card) => card.element.remove());
  }

  /** @param {string} id @param {ClipCard} card */
  release(id, card) {
    if (this.preview.card === card) this.preview.stop();
    this.cards.delete(id);
    return card;
  }

  /** @param {ClipCard} card @param {ClipRow} clip */
  fill(card, clip) {
    card.fill(clip);
    this.cards.set(clip.id, card);
    return card;
  }

  /** @param {ClipCard} card @param {number} at */
  put(card, at) {
    const place = `${at} ${this.clips.length} ${this.columns} ${this.width}`;
    if (card.place === place) return; // as in most frames of scrolling
    card.place = place;
    const { style } = card.element;
    style.left = `${(at % this.columns) * (this.width + CARD_GAP)}px`;
    style.top = `${this.topOf(at)}px`;
    style.width = `${this.width}px`;
    style.height = `${this.film + CARD_TEXT}px`;
    card.film.style.height = `${this.film}px`;
    card.element.setAttribute("aria-setsize", String(this.clips.length));
    card.element.setAttribute("aria-posinset", String(at + 1));
    this.mark(card);
    if (!card.element.isConnected) this.place.append(card.element);
  }

  /** @param {ClipCard} card */
  mark(card) {
    const id = card.clip?.id || "";
    card.element.classList.toggle("chosen", this.chosen.has(id));
    card.checkbox.checked = this.chosen.has(id);
    card.button.tabIndex = card.checkbox.tabIndex = id === this.active ? 0 : -1;
  }

  /** @param {ReadonlySet<string>} chosen */
  markChosen(chosen) {
    this.chosen = chosen;
    this.cards.forEach((card) => this.mark(card));
  }

  /** @param {string} id */
  activate(id) {
    this.active = id;
    this.cards.forEach((card) => this.mark(card));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const card = this.cardOf(event.target);
    if (!card?.clip || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.places.get(card.clip.id) || 0;
    const { columns } = this;
    const last = this.clips.length - 1;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => this.goTo(at - 1),
      ArrowRight: () => this.goTo(at + 1),
      ArrowUp: () => this.goTo(at - columns),
      ArrowDown: () => this.goTo(this.topOf(at) < this.topOf(last) ? Math.min(at + columns, last) : at),
      Home: () => this.goTo(0),
      End: () => this.goTo(last),
      x: () => card.checkbox.hidden || card.checkbox.click(),
      " ": () => this.preview.toggle(card),
    };
    if (!(event.key in actions) || (event.key === " " && event.target === card.checkbox)) return;
    event.preventDefault();
    actions[event.key]();
  }

  /** Move to a card, where there is one. @param {number} at */
  goTo(at) {
    const clip = this.clips[at];
    if (!clip) return;
    this.activate(clip.id);
    const bar = document.querySelector(".top")?.getBoundingClientRect().height || 0;
    const top = this.place.getBoundingClientRect().top + this.topOf(at) - bar - CARD_GAP;
    const under = this.place.getBoundingClientRect().top + this.topOf(at) + this.rowHeight() - innerHeight;
    if (top < 0 || under > 0) scrollBy({ top: top < 0 ? top : under, behavior: "instant" });
    this.draw();
    this.cards.get(clip.id)?.button.focus({ preventScroll: true });
  }
}

/** Plays one clip in its card. */
class CardPreview {
  constructor() {
    /** @type {ClipCard | null} */
    this.card = null;
    /** @type {HTMLVideoElement | HTMLImageElement | null} */
    this.player = null;
    /** @type {number | undefined} */
    this.starting = undefined;
  }

  /** Play after a moment, unless the user wants little to move. @param {ClipCard} card */
  soon(card) {
    if (this.card === card || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.stop();
    this.card = card;
    this.wait();
  }

  /** Put off what is about to play: a card that is scrolled away starts nothing. */
  wait() {
    const { card } = this;
    clearTimeout(this.starting);
    if (card && !this.player) this.starting = setTimeout(() => this.start(card), HOVER_DELAY);
  }

  /** @param {ClipCard} card */
  toggle(card) {
    if (this.card === card && this.player) this.stop();
    else this.start(card);
  }

  /** @param {ClipCard} card */
  start(card) {
    this.stop();
    if (!card.clip || card.clip.problem !== undefined) return;
    this.card = card;
    const player = (this.player = makePlayer(card.clip));
    player.setAttribute("aria-hidden", "true");
    player.addEventListener("error", () => {
      if (this.player !== player) return;
      player.remove();
      fillText(card.said, "this browser can't play it");
    });
    card.film.insertBefore(player, card.length);
  }

  stop() {
    clearTimeout(this.starting);
    if (this.player instanceof HTMLVideoElement) {
      this.player.removeAttribute("src");
      this.player.load(); // which lets go of the connection
    }
    this.player?.remove();
    if (this.card?.clip) fillText(this.card.said, this.card.clip.problem || "");
    this.card = this.player = null;
  }
}

/** Make what plays a clip over and over, without sound. @param {ClipRow} clip */
function makePlayer(clip) {
  if (clip.moves) return make("img", { alt: "", src: clip.address });
  const video = make("video", { loop: "", playsinline: "", src: clip.address });
  video.muted = true;
  video.play().catch(() => undefined); // an error is told by its event
  return video;
}
