// Clips that play in step: what is shown of them is always of one step, however fast each is decoded.
//
// A video element tells of each frame that it presents, and its time; the frames that came last are kept, and a step is
// shown once there is a frame of it of every clip.

/**
 * @typedef {object} Clip A clip: where it plays from, and when each of its frames begins, in seconds from the first.
 * @property {string} source
 * @property {number[]} times
 * @property {number} duration
 */

/**
 * @callback Shown
 * @param {number} step
 * @param {HTMLCanvasElement[]} pictures Of each clip its frame at that step, valid until the next call.
 */

const KEPT_FRAMES = 4;
const FARTHEST_APART = 2; // steps, before the clip that is ahead waits
const PATIENCE = 1000; // milliseconds from the end of a seek to its frame, which a page in the background never gets

class Player {
  /** @param {Clip} clip @param {() => void} came Called when a frame is there. */
  constructor(clip, came) {
    this.clip = clip;
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    this.video.preload = "auto";
    /** @type {{frame: number, picture: HTMLCanvasElement}[]} */
    this.kept = [];
    this.frame = -1;
    this.start = 0;
    this.came = came;
    /** @type {(() => void) | null} */
    this.waiting = null;
  }

  /** Open the clip, and wait for its first frame. */
  async open() {
    const failed = new Promise((_, reject) => this.video.addEventListener("error", () => reject(this.error()), { once: true }));
    const opened = new Promise((resolve) => {
      this.video.requestVideoFrameCallback((_, { mediaTime }) => {
        this.start = mediaTime; // a file may begin later than at 0
        this.keep(0);
        resolve(undefined);
      });
    });
    this.video.src = this.clip.source;
    await Promise.race([opened, failed]);
    this.listen();
  }

  error() {
    return new Error(this.video.error?.message || "this browser can't play it");
  }

  listen() {
    this.video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.keep(nearest(this.clip.times, mediaTime - this.start));
      this.waiting?.();
      this.came();
      this.listen();
    });
  }

  /** @param {number} frame */
  keep(frame) {
    const kept = this.kept.find((each) => each.frame === frame);
    const row = kept ?? (this.kept.length < KEPT_FRAMES ? { frame, picture: document.createElement("canvas") } : this.kept[0]);
    this.kept = [...this.kept.filter((each) => each !== row), row];
    const { picture } = row;
    row.frame = frame;
    resized(picture, this.video.videoWidth, this.video.videoHeight).getContext("2d")?.drawImage(this.video, 0, 0);
    this.frame = frame;
  }

  /** @param {number} frame @returns {HTMLCanvasElement | undefined} */
  picture(frame) {
    return this.kept.find((each) => each.frame === frame)?.picture;
  }

  /** Have the video show a frame. @param {number} frame */
  async seek(frame) {
    if (this.frame === frame) return;
    const { times, duration } = this.clip;
    const end = frame + 1 < times.length ? times[frame + 1] : Math.max(duration, times[frame] + 0.001);
    const arrived = new Promise((resolve) => (this.waiting = () => this.frame === frame && resolve(undefined)));
    const seeked = new Promise((resolve) => this.video.addEventListener("seeked", resolve, { once: true }));
    this.video.currentTime = this.start + (times[frame] + end) / 2;
    const late = seeked.then(() => new Promise((resolve) => setTimeout(resolve, PATIENCE)));
    await Promise.race([arrived, late]);
    this.waiting = null;
    if (this.frame !== frame) this.keep(frame);
  }

  close() {
    this.video.removeAttribute("src");
    this.video.load();
  }
}

class Steps {
  /**
   * @param {Clip[]} clips
   * @param {Shown} shown
   * @param {"frame" | "time"} by Whether frames of the same number belong together, or of the same time.
   */
  constructor(clips, shown, by) {
    this.shown = shown;
    this.players = clips.map((clip) => new Player(clip, () => this.arrived()));
    const leading = by === "frame" ? clips[0] : clips.reduce((one, other) => (rateOf(other) > rateOf(one) ? other : one));
    const most = Math.max(...clips.map((clip) => clip.times.length));
    const end = by === "frame" ? most / rateOf(leading) : Math.max(...clips.map((clip) => clip.duration));
    this.rates = clips.map((clip) => (by === "frame" ? rateOf(clips[0]) / rateOf(clip) : 1));
    /** When each step begins, in seconds. */
    const times = (this.times = timesUpTo(leading, end));
    /** Of each clip the frame of each step; one that ends early holds its last. */
    this.frames = clips.map((clip) =>
      times.map((time, step) => Math.min(by === "frame" ? step : lastUpTo(clip.times, time), clip.times.length - 1)),
    );
    this.at = 0;
    this.range = [0, times.length - 1];
    this.looping = true;
    this.playing = false;
    this.speed = 1;
    this.wanted = 0;
    this.seeking = false;
    this.closed = false;
    /** @type {number | undefined} */
    this.ending = undefined;
    /** @type {() => void} */
    this.changed = () => undefined;
  }

  get count() {
    return this.times.length;
  }

  /** Open all clips, and show the first step. */
  async open() {
    await Promise.all(this.players.map((player) => player.open()));
    this.draw(0);
  }

  close() {
    this.pause();
    this.closed = true;
    this.players.forEach((player) => player.close());
  }

  /** Show a step, and stop playing. Of several asked for in a row the last is shown. @param {number} step */
  async show(step) {
    this.pause();
    await this.seek(Math.min(Math.max(Math.round(step), 0), this.count - 1));
  }

  /** Go so many steps on, from where it is or is about to be. @param {number} steps */
  async move(steps) {
    await this.show((this.seeking ? this.wanted : this.at) + steps);
  }

  /** @param {number} step */
  async seek(step) {
    this.wanted = step;
    if (this.seeking) return;
    this.seeking = true;
    for (let target = -1; target !== this.wanted && !this.closed; ) {
      target = this.wanted;
      await Promise.all(this.players.map((player, at) => player.seek(this.frames[at][target])));
      this.draw(target);
    }
    this.seeking = false;
  }

  async play() {
    this.playing = true;
    this.changed();
    const [first, last] = this.range;
    await this.seek(this.at < first || this.at >= last ? first : this.at);
    if (!this.playing || this.closed) return;
    this.players.forEach((player, at) => {
      player.video.playbackRate = Math.min(Math.max(this.speed * this.rates[at], 0.0625), 16);
      if (this.isWithin(at)) void player.video.play().catch(() => this.pause());
    });
    this.arrived();
  }

  pause() {
    this.playing = false;
    clearTimeout(this.ending);
    this.players.forEach((player) => player.video.pause());
    this.changed();
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    if (this.playing) void this.play();
  }

  /** Whether a clip has frames left in the range. @param {number} at */
  isWithin(at) {
    return this.players[at].frame < this.frames[at][this.range[1]];
  }

  /** A frame is there: show the last step that is there whole, and see to the end and to those that are ahead. */
  arrived() {
    if (!this.playing || this.seeking || this.closed) return;
    const reached = this.players.map((player, at) => lastUpTo(this.frames[at], player.frame));
    const least = Math.min(...reached);
    const whole = this.lastWhole(Math.min(least, this.range[1]));
    if (whole > this.at) this.draw(whole);
    if (this.at >= this.range[1]) {
      this.end();
      return;
    }
    this.players.forEach((player, at) => {
      const isAhead = reached[at] - least > FARTHEST_APART;
      if (isAhead || !this.isWithin(at)) player.video.pause();
      else if (player.video.paused) void player.video.play().catch(() => this.pause());
    });
  }

  /** Give the last step, up to one, of which all frames are kept, or the one that is shown. @param {number} last */
  lastWhole(last) {
    for (let step = last; step > this.at; step--)
      if (this.players.every((player, at) => player.picture(this.frames[at][step]))) return step;
    return this.at;
  }

  /** Go on from the beginning of the range, or stop, once the last step was shown as long as another. */
  end() {
    this.players.forEach((player) => player.video.pause());
    clearTimeout(this.ending);
    const lasting = this.times[this.count - 1] / Math.max(1, this.count - 1) / this.speed;
    this.ending = setTimeout(() => {
      if (!this.playing) return;
      if (this.looping) void this.play();
      else this.pause();
    }, lasting * 1000);
  }

  /** @param {number} step */
  draw(step) {
    this.at = step;
    const pictures = this.players.map((player, at) => player.picture(this.frames[at][step]));
    if (pictures.every((each) => each !== undefined)) this.shown(step, /** @type {HTMLCanvasElement[]} */ (pictures));
    this.changed();
  }
}

/** @param {Clip} clip */
function rateOf(clip) {
  return clip.times.length / clip.duration;
}

/** Give when each frame of a clip begins, and go on at its rate where it ends early. @param {Clip} clip @param {number} duration */
function timesUpTo(clip, duration) {
  const times = [...clip.times];
  for (let time = clip.duration; time < duration - 0.5 / rateOf(clip); time += 1 / rateOf(clip)) times.push(time);
  return times;
}

/** Give the index of the last value up to one; values go up. @param {number[]} values @param {number} value */
function lastUpTo(values, value) {
  let [low, high] = [0, values.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value + 1e-6) low = middle;
    else high = middle;
  }
  return low;
}

/** Give the index of the value that is nearest. @param {number[]} values @param {number} value */
function nearest(values, value) {
  const at = lastUpTo(values, value);
  return at + 1 < values.length && values[at + 1] - value < value - values[at] ? at + 1 : at;
}

/** Give a canvas a size, where it has another: setting it takes what is drawn. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function resized(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return canvas;
}

/** Draw all of a picture, as large as it is. @param {HTMLCanvasElement} canvas @param {HTMLCanvasElement} picture */
function drawOn(canvas, picture) {
  resized(canvas, picture.width, picture.height).getContext("2d")?.drawImage(picture, 0, 0);
}
