/** Plays a song: the mix or its stems, a loop, and the highway along with them. */
import { ask, clock, trouble } from "/songs/api.js";
import { Highway } from "/songs/highway.js";

const DRIFT = 0.08; // seconds that a stem may be off

const find = (id) => document.getElementById(id);

export class Player {
  constructor({ profile, changed, closed }) {
    this.profile = profile;
    this.changed = changed;
    this.closed = closed;
    this.mix = find("mix");
    this.highway = new Highway(find("highway"), find("lyrics"));
    this.stems = [];
    this.loop = { from: null, to: null };
    this.mix.addEventListener("play", () => this.follow("play"));
    this.mix.addEventListener("pause", () => this.follow("pause"));
    this.mix.addEventListener("seeked", () => this.follow("seek"));
    this.mix.addEventListener("ratechange", () => this.follow("seek"));
    this.mix.addEventListener("timeupdate", () => this.repeat()); // also where nothing is drawn
    this.mix.addEventListener("ended", () => this.repeat(true));
    this.mix.addEventListener("error", () => {
      if (this.mix.hasAttribute("src")) this.audible(false);
    });
    find("arrangement").addEventListener("change", () => this.chart());
    find("from").addEventListener("click", () => this.setLoop({ from: this.mix.currentTime }));
    find("to").addEventListener("click", () => this.setLoop({ to: this.mix.currentTime }));
    find("off").addEventListener("click", () => this.setLoop({ from: null, to: null }));
    find("keep").addEventListener("click", () => this.keep().catch(trouble));
    find("favorite").addEventListener("click", () => this.toggle().catch(trouble));
    find("close").addEventListener("click", () => this.close());
    find("cover").addEventListener("error", () => (find("cover").hidden = true));
    find("favorite").hidden = find("keep").hidden = !profile;
    const step = () => {
      this.step();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** Opens a song of the list; it plays when the listener wants it to. */
  async open(song) {
    this.silence();
    this.song = song;
    this.path = `/api/tracks/${song.trackId}`;
    find("player").hidden = false;
    find("player").scrollIntoView({ block: "nearest" }); // where the page itself is scrolled
    find("playing").title = find("playing").textContent = song.title || song.filename;
    find("details").textContent = [song.artist, song.album, song.year, clock(song.duration)]
      .filter(Boolean).join(" · ");
    const cover = find("cover");
    cover.hidden = !song.hasCover;
    if (song.hasCover) cover.src = `${this.path}/cover`;
    else cover.removeAttribute("src");
    find("favorite").setAttribute("aria-pressed", song.favorite);
    this.offer(song.arrangements);
    this.setLoop({ from: null, to: null });
    this.highway.clear();
    await Promise.all([this.sound(song), this.chart(null), this.loops()]).catch(trouble);
  }

  /** What was played before is heard no more; taking its address away does not do that. */
  silence() {
    this.mix.pause();
    this.mix.removeAttribute("src");
    this.mix.load();
    for (const stem of this.stems) stem.audio.pause();
    this.stems = [];
  }

  close() {
    this.mix.pause();
    find("player").hidden = true;
    this.closed();
  }

  async sound(song) {
    const [data, { stems }] = await Promise.all([
      ask(`${this.path}/data`), ask(`${this.path}/stems`),
    ]);
    if (song !== this.song) return;
    const audible = data.audioFileStorageId !== null;
    this.audible(audible);
    this.mix.muted = false;
    if (audible) this.mix.src = `${this.path}/audio`;
    this.offerStems(stems.filter((stem) => stem.stemAudioFileStorageId));
  }

  audible(is) {
    this.mix.hidden = !is;
    find("silent").hidden = is;
  }

  // Stems

  offerStems(stems) {
    const box = find("stems");
    box.hidden = stems.length < 2;
    box.querySelectorAll("label").forEach((label) => label.remove());
    if (box.hidden) return;
    for (const stem of stems) {
      const label = document.createElement("label");
      const input = document.createElement("input");
      Object.assign(input, { type: "range", min: 0, max: 1, step: 0.05, value: 0 });
      input.dataset.stem = stem.stemIndex;
      input.addEventListener("input", () => this.blend(stem, Number(input.value)));
      label.append(stem.stemId, input);
      box.append(label);
    }
  }

  /** As soon as any stem is up, stems are heard in the place of the mix. */
  blend(stem, volume) {
    let playing = this.stems.find((each) => each.index === stem.stemIndex);
    if (!playing) {
      const audio = new Audio(`${this.path}/stems/${stem.stemIndex}/audio`);
      playing = { index: stem.stemIndex, audio };
      this.stems.push(playing);
    }
    const silent = playing.audio.volume === 0 || playing.audio.paused;
    playing.audio.volume = volume;
    this.mix.muted = this.stems.some((each) => each.audio.volume > 0);
    if (silent || volume === 0) this.follow(this.mix.paused ? "pause" : "play", [playing]);
  }

  follow(what, stems = this.stems) {
    for (const { audio } of stems) {
      audio.playbackRate = this.mix.playbackRate;
      if (what !== "pause") audio.currentTime = this.mix.currentTime;
      if (what === "pause" || audio.volume === 0) audio.pause();
      else if (!this.mix.paused) begin(audio);
    }
  }

  // The highway

  offer(arrangements) {
    const select = find("arrangement");
    select.replaceChildren(...arrangements.map(({ index, name, notes }) => {
      const option = new Option(`${name} (${notes})`, index);
      return option;
    }));
  }

  async chart(index = find("arrangement").value) {
    const asked = (this.asked = {}); // of several answers the last one counts that was asked for
    const query = index === null ? "" : `?arrangement=${index}`;
    try {
      const chart = await ask(`${this.path}/highway${query}`);
      if (asked !== this.asked) return;
      find("arrangement").value = chart.song.arrangementIndex;
      this.highway.show(chart);
      trouble(null);
    } catch (error) {
      if (asked !== this.asked) return;
      this.highway.clear();
      trouble(error);
    }
  }

  step() {
    this.repeat();
    const now = this.mix.currentTime;
    for (const { audio } of this.stems) {
      if (!audio.paused && Math.abs(audio.currentTime - now) > DRIFT && !audio.seeking) {
        audio.currentTime = now;
      }
    }
    if (this.song && !find("player").hidden) this.highway.draw(now);
  }

  // Loops

  /** From the loop's end to its beginning; it may end where the song does. */
  repeat(ended = false) {
    const { from, to } = this.loop;
    if (from === null || to === null) return;
    if (!ended && (this.mix.paused || this.mix.currentTime < to)) return;
    this.mix.currentTime = from;
    if (ended) begin(this.mix);
  }

  setLoop(change) {
    const loop = { ...this.loop, ...change };
    if (loop.from !== null && loop.to !== null && loop.to <= loop.from) {
      if ("to" in change) loop.from = null;
      else loop.to = null;
    }
    this.loop = loop;
    const whole = loop.from !== null && loop.to !== null;
    find("off").disabled = loop.from === null && loop.to === null;
    find("keep").disabled = !whole;
    find("loop").textContent = sentence(loop);
  }

  async loops() {
    const song = this.song;
    const loops = this.profile ? await ask(`${this.path}/loops`) : [];
    if (song !== this.song) return;
    find("kept").replaceChildren(...loops.map((loop) => this.keptLoop(loop)));
  }

  keptLoop({ id, name, startTime, endTime }) {
    const item = document.createElement("li");
    const play = document.createElement("button");
    play.type = "button";
    play.textContent = `${name}, ${clock(startTime)} to ${clock(endTime)}`;
    play.addEventListener("click", () => {
      this.setLoop({ from: startTime, to: endTime });
      this.mix.currentTime = startTime;
      begin(this.mix);
    });
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "Delete";
    remove.setAttribute("aria-label", `Delete ${name}`);
    remove.addEventListener("click", () => {
      ask(`/api/loops/${id}`, { method: "DELETE" }).then(() => this.loops()).catch(trouble);
    });
    item.append(play, remove);
    return item;
  }

  async keep() {
    const body = { start_time: this.loop.from, end_time: this.loop.to };
    await ask(`${this.path}/loops`, { method: "POST", body });
    await this.loops();
  }

  async toggle() {
    const { favorite } = await ask("/api/favorites/toggle", {
      method: "POST", body: { trackId: this.song.trackId },
    });
    this.song.favorite = favorite;
    find("favorite").setAttribute("aria-pressed", favorite);
    this.changed();
  }
}

/** That it is paused before it began is no trouble. */
function begin(audio) {
  audio.play().catch((error) => error.name === "AbortError" || trouble(error));
}

function sentence({ from, to }) {
  if (from === null && to === null) return "No loop.";
  if (to === null) return `Begins at ${clock(from)}: go on, and say where it ends.`;
  if (from === null) return `Ends at ${clock(to)}: go back, and say where it begins.`;
  return `Loop from ${clock(from)} to ${clock(to)}.`;
}
