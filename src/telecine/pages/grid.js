// Several clips in one grid, in step, with one set of controls.
{
  /** @type {{columns: number, clips: {id: string, kind: string, title: string, width: number, height: number, times: number[], duration: number}[]}} */
  const { columns, clips } = pageData();
  const [grid, controls, status] = ["clips", "playing", "status"].map(byId);

  const canvases = clips.map(({ title, width, height }, at) => {
    const canvas = make("canvas", { width: String(width), height: String(height), role: "img", "aria-label": title || `video ${at + 1}` });
    grid.append(make("figure", {}, make("figcaption", { class: "text", title }, title), canvas));
    return canvas;
  });
  grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;

  const steps = new Steps(
    clips.map(({ id, kind, times, duration }) => ({ source: heldFile(id, kind), times, duration })),
    (_, pictures) => pictures.forEach((picture, at) => drawOn(canvases[at], picture)),
    "time",
  );
  new Transport(controls, steps);
  steps.open().then(playWhileSeen, (/** @type {Error} */ error) => (status.textContent = `A video can't be shown: ${error.message}`));

  /** Play as a muted player does: from when it is seen, and not while it is out of sight. */
  function playWhileSeen() {
    let goesOn = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    new IntersectionObserver((entries) => {
      const isSeen = entries[entries.length - 1].isIntersecting;
      if (isSeen && goesOn) void steps.play();
      goesOn = !isSeen && (goesOn || steps.playing);
      if (!isSeen) steps.pause();
    }).observe(grid);
  }
}
