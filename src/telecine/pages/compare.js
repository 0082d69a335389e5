// The page of two clips: what was given, in its places.

{
  const SHORT = 200; // characters that a table shows of a text before it is unfolded

  /** @param {string} text @returns {HTMLElement} */
  const cellOf = (text) => {
    if (text.length <= SHORT) return make("td", { class: "text" }, text);
    const whole = make("div", { class: "text long", tabindex: "0", role: "region", "aria-label": "whole text" }, text);
    const summary = make("summary", { class: "text" }, `${text.slice(0, SHORT)}… (${text.length} characters)`);
    return make("td", {}, make("details", {}, summary, whole));
  };

  /** @param {HTMLElement} table @param {string[][]} rows Of each a name, and what either clip has. */
  const fill = (table, rows) => {
    const heads = ["", "A", "B"].map((text) => make("th", { scope: "col" }, text));
    const lines = rows.map(([name, one, other]) => {
      const head = make("th", { scope: "row", class: "text" }, name.length <= SHORT ? name : `${name.slice(0, SHORT)}…`);
      if (one !== other) head.append(make("span", { class: "unseen" }, ", differs"));
      return make("tr", one === other ? {} : { class: "differs" }, head, cellOf(one), cellOf(other));
    });
    table.append(make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines));
  };

  /** @param {HTMLElement} element @param {string} text Hidden where it is empty. */
  const say = (element, text) => {
    element.textContent = text;
    element.hidden = !text;
  };

  const data = pageData();
  /** @type {(Clip & {title: string, size: number[], note: string})[]} */
  const clips = data.clips.map((/** @type {any} */ clip, /** @type {number} */ at) => ({ ...clip, source: heldFile(`clip-${at}`, clip.kind) }));
  clips.forEach(({ title }, at) => {
    byId(`title-${at}`).textContent = title;
    byId(`picture-${at}`).setAttribute("aria-label", `${"AB"[at]}, ${title}`.slice(0, SHORT));
  });
  const notes = clips.flatMap(({ note }, at) => (note ? [`${"AB"[at]} is ${note}.`] : []));
  const [one, other] = clips.map(({ size }) => size.join("x"));
  if (one !== other) notes.push(`A has ${one} pixels, B ${other}: both are scaled to one size, and no pixel of B is shown as it is.`);
  if (clips[0].times.length !== clips[1].times.length)
    notes.push(`A has ${clips[0].times.length} frames, B ${clips[1].times.length}: the shorter one holds its last.`);
  byId("notes").append(...notes.map((note) => make("li", {}, note)));
  byId("notes").hidden = !notes.length;
  fill(byId("facts"), data.facts);
  fill(byId("metadata"), data.metadata);
  byId("metadata-section").hidden = !data.metadata.length;

  const views = new ComparedViews(byId("stage"), byId("modes"), byId("pixel"));
  const steps = new Steps(clips, (_, pictures) => views.draw(pictures), "frame");
  const transport = new Transport(byId("transport"), steps);
  say(byId("unmeasured"), data.curves.length ? "" : data.note);
  if (data.curves.length) {
    byId("quality").hidden = false;
    byId("measured").textContent = `Of ${data.curves.map((/** @type {Curve} */ { name }) => name).join(" and ")} against ${data.against}, as 8-bit 4:2:0. ${data.note}`;
    const chart = new FidelityChart(data.curves, steps);
    steps.changed = () => {
      transport.update();
      chart.update();
    };
  }
  steps.open().catch((error) => say(byId("trouble"), `The pictures can't be shown: ${error.message}`));
}
