// The gallery: which clips are shown, in which order, which are selected; and what comes while it is open.

{
  const MOST_IN_STEP = 9;
  const POLL = 1000; // milliseconds; what is asked for is what was found since the time before

  /** @type {{clips: ClipRow[], isServed?: boolean, version?: number, left?: number}} */
  const data = pageData();
  const names = new Intl.Collator(undefined, { numeric: true });
  /** @type {Map<string, ClipRow>} */
  const all = new Map(data.clips.map((clip) => [clip.id, clip]));
  /** @type {Map<string, string>} */
  const haystacks = new Map();
  /** @type {Set<string>} */
  const chosen = new Set();

  /** @type {[string, (clip: ClipRow) => string][]} */
  const FILTERS = [
    ["Model", (clip) => saidOf(clip, "model")],
    ["Codec", (clip) => clip.codec || ""],
    ["Frame rate", (clip) => (clip.fps ? shownRate(clip) : "")],
    ["Size", (clip) => (clip.width ? `${clip.width}×${clip.height}` : "")],
    ["Signature", (clip) => clip.signature || ""],
  ];
  /** @type {[string, (one: ClipRow, other: ClipRow) => number][]} */
  const ORDERS = [
    ["Newest first", (one, other) => other.modified - one.modified],
    ["Oldest first", (one, other) => one.modified - other.modified],
    ["By name", (one, other) => names.compare(one.name, other.name)],
    ["By seed", (one, other) => seedOf(one) - seedOf(other)],
    ["Longest first", (one, other) => (other.duration || 0) - (one.duration || 0)],
    ["Largest first", (one, other) => other.bytes - one.bytes],
  ];

  const search = /** @type {HTMLInputElement} */ (byId("search"));
  const sort = /** @type {HTMLSelectElement} */ (byId("sort"));
  const selects = FILTERS.map(([label]) => make("select", { "aria-label": label.toLowerCase() }));
  const details = new ClipDialog(/** @type {HTMLDialogElement} */ (byId("details")), neighbour);
  const together = new StepsDialog(/** @type {HTMLDialogElement} */ (byId("together")));
  const wall = new CardWall(byId("cards"), (clip) => details.open(clip), choose);
  /** @type {ClipRow[]} */
  let shown = [];

  /** @param {ClipRow} clip */
  function seedOf(clip) {
    const seed = saidOf(clip, "seed").match(/-?\d+/)?.[0];
    return seed === undefined ? Number.MAX_VALUE : Number(seed);
  }

  /** Give all text of a clip, in small letters. @param {ClipRow} clip */
  function haystackOf(clip) {
    let text = haystacks.get(clip.id);
    if (text === undefined) {
      const said = [...Object.entries(clip.texts || {}), ...Object.entries(clip.values || {})].flat();
      text = [clip.name, clip.codec, clip.problem, ...said].join("\n").toLowerCase();
      haystacks.set(clip.id, text);
    }
    return text;
  }

  /** Find and sort again. @param {boolean} isSteady Whether what is in sight stays there. */
  function update(isSteady = false) {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const tests = FILTERS.map(([, of], at) => /** @type {const} */ ([of, selects[at].value])).filter(([, value]) => value !== "*" && value !== "");
    shown = [...all.values()].filter(
      (clip) => tests.every(([of, value]) => of(clip) === value) && (!words.length || words.every((word) => haystackOf(clip).includes(word))),
    );
    const [, order] = ORDERS[Number(sort.value)];
    shown.sort((one, other) => order(one, other) || names.compare(one.name, other.name));
    wall.show(shown, isSteady);
    say();
  }

  function say() {
    const count = shown.length === all.size ? countOf(all.size) : `${shown.length.toLocaleString()} of ${countOf(all.size)}`;
    const left = data.left ? `, looking at ${data.left.toLocaleString()} more files` : "";
    byId("status").textContent = count + left;
    const why = data.left ? "Looking at the files …" : data.isServed ? "No clips yet: they appear here as they are written." : "There are no clips in this folder.";
    byId("empty").textContent = all.size ? "No clip is like that. Try fewer words, or other filters." : why;
    byId("empty").hidden = shown.length > 0;
  }

  /** @param {number} count */
  function countOf(count) {
    return `${count.toLocaleString()} ${count === 1 ? "clip" : "clips"}`;
  }

  /** Offer what there is to filter by, and leave what is set. */
  function offer() {
    FILTERS.forEach(([label, of], at) => {
      /** @type {Map<string, number>} */
      const counts = new Map();
      for (const clip of all.values()) counts.set(of(clip), (counts.get(of(clip)) || 0) + 1);
      counts.delete("");
      const select = selects[at];
      const { value } = select;
      const options = [...counts].sort(([one], [other]) => names.compare(one, other));
      const made = options.map(([each, count]) => make("option", { value: each }, `${each.slice(0, 60)} (${count})`));
      select.replaceChildren(make("option", { value: "*" }, `${label}: all`), ...made);
      select.value = counts.has(value) ? value : "*";
      select.classList.toggle("set", select.value !== "*");
      select.hidden = counts.size < 2;
    });
  }

  /** @param {string} id @param {number} by */
  function neighbour(id, by) {
    const at = shown.findIndex((clip) => clip.id === id);
    return at < 0 ? undefined : shown[at + by];
  }

  /** Select a clip, or no longer. @param {string} id */
  function choose(id) {
    if (!chosen.delete(id)) chosen.add(id);
    showChosen();
  }

  function showChosen() {
    wall.markChosen(chosen);
    const clips = chosenClips();
    const playable = clips.filter((clip) => !clip.moves).length;
    byId("chosen").hidden = chosen.size === 0;
    byId("chosen-count").textContent = `${chosen.size} selected`;
    /** @type {HTMLButtonElement} */ (byId("compare")).disabled = clips.length !== 2 || playable !== 2;
    const isRight = playable === clips.length && playable > 1 && playable <= MOST_IN_STEP;
    /** @type {HTMLButtonElement} */ (byId("in-step")).disabled = !isRight;
    byId("in-step").title = isRight ? "" : `two to ${MOST_IN_STEP} videos play in step`;
    byId("compare").title = playable === 2 && clips.length === 2 ? "" : "two videos are compared";
  }

  /** @returns {ClipRow[]} */
  function chosenClips() {
    return [...chosen].flatMap((id) => all.get(id) ?? []);
  }

  function compare() {
    const [one, other] = chosenClips();
    void together.open([one, other], true, data.isServed ? `compare?a=${one.id}&b=${other.id}` : "");
  }

  /** Take in what came and went. @param {{version: number, left: number, isWhole: boolean, clips: ClipRow[], gone: string[]}} told */
  function take(told) {
    const isNew = told.isWhole || told.clips.length > 0 || told.gone.length > 0;
    data.version = told.version;
    data.left = told.left;
    if (told.isWhole) all.clear();
    told.gone.forEach((id) => all.delete(id));
    told.clips.forEach((clip) => all.set(clip.id, clip));
    for (const id of chosen) if (!all.has(id)) chosen.delete(id);
    if (!isNew) return say();
    offer();
    update(true);
    showChosen();
  }

  async function poll() {
    if (!document.hidden) {
      const tag = `"${data.version}-${data.left}"`;
      try {
        const answer = await fetch(`clips.json?since=${data.version}`, { cache: "no-store", headers: { "If-None-Match": tag } });
        if (answer.ok) take(await answer.json());
        byId("status").classList.remove("bad");
      } catch {
        byId("status").textContent = "The server has ended: start telecine serve again.";
      }
    }
    setTimeout(poll, POLL);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const isTyped = /** @type {Element} */ (event.target).matches("input:not([type='checkbox']), textarea, select");
    if (event.key !== "/" || isTyped || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    search.focus();
    search.select();
  }

  byId("title").textContent = document.title;
  ORDERS.forEach(([label], at) => sort.append(make("option", { value: String(at) }, label)));
  byId("filters").append(...selects);
  selects.forEach((select) =>
    select.addEventListener("change", () => {
      select.classList.toggle("set", select.value !== "*");
      update();
    }),
  );
  search.addEventListener("input", () => update());
  sort.addEventListener("change", () => update());
  byId("compare").addEventListener("click", compare);
  byId("in-step").addEventListener("click", () => void together.open(chosenClips(), false, ""));
  byId("clear").addEventListener("click", () => {
    chosen.clear();
    showChosen();
  });
  document.addEventListener("keydown", key);
  update();
  offer();
  if (data.isServed) setTimeout(poll, POLL / 4); // by then the first look has found something
}
