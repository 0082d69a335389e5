// A video that plays while it is written, near its end; and then the finished file.
{
  /**
   * @typedef {object} State
   * @property {number} frames So far.
   * @property {number} seconds Since the writer was opened.
   * @property {"finished" | "failed" | null} outcome
   * @property {string} said Why there is no file.
   */

  const FARTHEST = 4; // seconds behind the end of what is there, before one who follows is taken along
  const NEAR = 1; // seconds before that end, where one is taken to
  const ASKED_EVERY = 500; // milliseconds
  const TRIES = 6; // in which the program does not answer, until it is taken for ended

  /** @type {{name: string, fps: number}} */
  const { name, fps } = pageData();
  const [heading, line, controls] = ["name", "state", "controls"].map(byId);
  let video = adopted(/** @type {HTMLVideoElement} */ (byId("video"))); // in the end another, of the file
  heading.textContent = name;

  const back = make("button", { type: "button", "aria-label": "one frame back", "aria-keyshortcuts": "," }, "‹");
  const forward = make("button", { type: "button", "aria-label": "one frame forward", "aria-keyshortcuts": "." }, "›");
  const play = make("button", { type: "button", "aria-keyshortcuts": "Space" }, "Play");
  const follow = make("button", { type: "button", "aria-pressed": "true", "aria-keyshortcuts": "End" }, "Follow the newest");
  const counts = make("span", { class: "number", id: "counts" });
  controls.append(play, back, forward, follow, counts);

  let isFile = false;
  let following = true;
  let target = 0; // where this page put the video: anywhere else it was put by who looks at it

  /** @param {string} kind @param {string} text */
  function say(kind, text) {
    if (line.textContent === text) return; // or else it is read out again
    line.textContent = text;
    line.dataset.is = kind;
  }

  /** @param {number} milliseconds */
  function pause(milliseconds) {
    return new Promise((done) => setTimeout(done, milliseconds));
  }

  /** @param {EventTarget} place @param {string} name */
  function event(place, name) {
    return new Promise((done) => place.addEventListener(name, done, { once: true }));
  }

  /** Have the controls follow a video. @param {HTMLVideoElement} element */
  function adopted(element) {
    element.addEventListener("play", () => (play.textContent = "Pause"));
    element.addEventListener("pause", () => (play.textContent = "Play"));
    element.addEventListener("seeking", () => {
      if (Math.abs(element.currentTime - target) > 0.01) setFollowing(false);
    });
    return element;
  }

  // ---- where the video stands ----------------------------------------------------------------------------------------

  /** Give the first and last time that can be shown. */
  function bounds() {
    const { buffered } = video;
    if (isFile) return [0, video.duration];
    return buffered.length ? [buffered.start(0), buffered.end(buffered.length - 1)] : [0, 0];
  }

  /** @param {number} time */
  function go(time) {
    const [first, end] = bounds();
    target = Math.max(first, Math.min(time, end - 0.5 / fps));
    video.currentTime = target;
  }

  /** @param {boolean} on */
  function setFollowing(on) {
    following = on;
    follow.setAttribute("aria-pressed", String(on));
  }

  /** Go somewhere by hand. @param {number} time */
  function goByHand(time) {
    setFollowing(false);
    go(time);
  }

  /** @param {number} frames */
  function step(frames) {
    video.pause();
    goByHand((Math.floor(video.currentTime * fps + 1e-3) + frames + 0.5) / fps);
  }

  function toggle() {
    if (video.paused) void video.play().catch(() => undefined);
    else video.pause();
  }

  function goToNewest() {
    const [, end] = bounds();
    setFollowing(true);
    go(end - NEAR);
  }

  /** Skip what is not there, and stay near the end. */
  function keepUp() {
    const { buffered, currentTime } = video;
    const isHere = (/** @type {number} */ at) => buffered.start(at) <= currentTime && currentTime < buffered.end(at);
    const parts = [...Array(buffered.length).keys()];
    const next = parts.find((at) => buffered.start(at) > currentTime);
    if (!parts.some(isHere) && next !== undefined) go(buffered.start(next)); // joined late, or too slow for some
    else if (following && !video.paused && bounds()[1] - currentTime > FARTHEST) go(bounds()[1] - NEAR);
  }

  // ---- what comes ----------------------------------------------------------------------------------------------------

  /** Ask how far it is; nothing where the program does not answer. @returns {Promise<State | null>} */
  async function ask() {
    try {
      const response = await fetch("state");
      return response.ok ? await response.json() : null;
    } catch {
      return null;
    }
  }

  class Stream {
    constructor() {
      this.source = new MediaSource();
      /** @type {SourceBuffer | undefined} */
      this.buffer = undefined;
    }

    /** Have the video play what comes, until no more does. Throws where the connection breaks. */
    async read() {
      const response = await fetch("stream");
      const type = response.headers.get("Content-Type") ?? "";
      if (!response.ok || !response.body) throw new Error(`no stream: ${response.status}`);
      if (!MediaSource.isTypeSupported(type)) {
        say("writing", "This browser can't play it while it is written: the file comes at the end");
        return response.body.pipeTo(new WritableStream());
      }
      const buffer = await this.open(type);
      const reader = response.body.getReader();
      say("writing", "Live: it is being written");
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        await this.append(buffer, part.value);
        keepUp();
      }
    }

    /** @param {string} type */
    async open(type) {
      if (this.buffer) {
        this.buffer.abort(); // what came of a fragment when the connection broke
        return this.buffer;
      }
      video.src = URL.createObjectURL(this.source);
      video.controls = true;
      await event(this.source, "sourceopen");
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) void video.play().catch(() => undefined);
      return (this.buffer = this.source.addSourceBuffer(type));
    }

    /** @param {SourceBuffer} buffer @param {BufferSource} data @returns {Promise<void>} */
    async append(buffer, data) {
      const updated = event(buffer, "updateend");
      try {
        buffer.appendBuffer(data);
      } catch (error) {
        if (/** @type {Error} */ (error).name !== "QuotaExceededError") throw error;
        const [first, end] = bounds();
        buffer.remove(0, (first + end) / 2);
        await updated;
        return this.append(buffer, data);
      }
      await updated;
    }

    end() {
      if (this.source.readyState === "open" && !this.buffer?.updating) this.source.endOfStream();
    }
  }

  /** Put the finished file in the place of what came; tells whether there is one that this browser plays. */
  async function showFile() {
    const response = await fetch("clip").catch(() => null);
    if (!response?.ok) return false;
    const file = make("video", { playsinline: "", controls: "", loop: "", preload: "auto", "aria-label": "the video" });
    Object.assign(file, { volume: video.volume, muted: video.muted, src: URL.createObjectURL(await response.blob()) });
    const plays = await Promise.race([event(file, "loadeddata"), event(file, "error").then(() => null)]);
    if (!plays) return false;
    const { currentTime, paused, ended } = video;
    file.currentTime = Math.min(currentTime, file.duration - 0.5 / fps);
    await event(file, "seeked"); // or else it would be black for a moment
    target = file.currentTime;
    video.pause();
    video.replaceWith(file);
    video = adopted(file);
    isFile = true;
    if (!paused || ended) void video.play().catch(() => undefined);
    return true;
  }

  /** @param {State | null} state */
  function count(state) {
    if (!state) return;
    const seconds = Math.floor(state.seconds);
    const elapsed = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    counts.textContent = `${state.frames} ${state.frames === 1 ? "frame" : "frames"} in ${elapsed}`;
  }

  /** Play what comes until it is over; gives the last state, or nothing where the program has gone. */
  async function watch() {
    const stream = new Stream();
    /** @type {Promise<void> | null} */
    let reading = null;
    for (let silent = 0; silent < TRIES; ) {
      const state = await ask();
      count(state);
      if (state?.outcome) {
        await reading;
        stream.end();
        return state;
      }
      silent = state ? 0 : silent + 1;
      reading ??= readOrWait(stream).finally(() => (reading = null));
      await (state ? Promise.race([pause(ASKED_EVERY), reading]) : pause(ASKED_EVERY));
    }
    stream.end();
    return null;
  }

  /** @param {Stream} stream */
  async function readOrWait(stream) {
    try {
      await stream.read();
    } catch {
      say("broken", "The connection broke: trying again …");
      await pause(ASKED_EVERY);
    }
  }

  async function run() {
    say("waiting", "Waiting for the first frame");
    const state = await watch();
    count(state);
    follow.hidden = true;
    if (state?.outcome === "finished" && (await showFile())) say("finished", "Finished: this is the file");
    else if (state?.outcome === "finished") say("finished", "Finished: this is what was streamed, the file is elsewhere");
    else if (state) say("failed", `It failed: ${state.said}. What came before stays here.`);
    else say("failed", "The program has ended. What came before stays here.");
    if (state) await fetch("seen").catch(() => undefined);
  }

  // ---- who looks at it -----------------------------------------------------------------------------------------------

  /** @type {Record<string, (() => void) | undefined>} */
  const actions = {
    " ": toggle,
    ",": () => step(-1),
    ".": () => step(1),
    ArrowLeft: () => goByHand(video.currentTime - 1),
    ArrowRight: () => goByHand(video.currentTime + 1),
    Home: () => goByHand(bounds()[0]),
    End: () => (follow.hidden ? go(bounds()[1]) : goToNewest()),
  };

  document.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    if (action === undefined || !isForPage(event)) return;
    event.preventDefault();
    action();
  });
  play.addEventListener("click", toggle);
  back.addEventListener("click", () => step(-1));
  forward.addEventListener("click", () => step(1));
  follow.addEventListener("click", () => (following ? setFollowing(false) : goToNewest()));
  void run();
}
