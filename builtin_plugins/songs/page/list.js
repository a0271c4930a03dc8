/** The library as a list of any length: only rows in sight exist, only pages in sight are asked for. */
import { ask, trouble } from "/songs/api.js";

const HEIGHT = 56;
const SIZE = 50;
const KEPT = 40;
const SPARE = 6;
const REST = 40; // milliseconds on a place until it is asked what is there
const RETRY = 3000; // milliseconds until it is asked again what was not answered

export class SongList {
  constructor(list, rows, { counted, chosen }) {
    this.list = list;
    this.rows = rows;
    this.counted = counted;
    this.chosen = chosen;
    this.query = new URLSearchParams();
    this.active = 0;
    this.selected = null;
    this.shown = new Map();
    this.forget();
    list.addEventListener("scroll", () => this.draw(), { passive: true });
    list.addEventListener("keydown", (event) => this.key(event));
    rows.addEventListener("click", (event) => {
      const row = event.target.closest(".song");
      if (row) this.choose(Number(row.dataset.index));
    });
    new ResizeObserver(() => this.draw()).observe(list);
  }

  forget() {
    this.pages = new Map();
    this.total = null; // not known
    this.round = (this.round ?? 0) + 1;
  }

  /** Shows what another query finds, from its beginning. */
  async show(query) {
    this.query = query;
    this.forget();
    this.active = 0;
    this.list.scrollTop = 0;
    const round = this.round;
    await this.page(0);
    if (round === this.round) this.redraw();
  }

  /** Asks again, as after a scan, and stays where it is. */
  async renew() {
    const round = this.round;
    const number = Math.floor(this.list.scrollTop / HEIGHT / SIZE);
    const answer = await this.fetch(number, SIZE);
    if (round !== this.round) return;
    this.forget();
    this.take(number, answer);
    this.redraw();
  }

  /** Asks again after a while for what was not answered. */
  retry() {
    const round = this.round;
    clearTimeout(this.retrying);
    this.retrying = setTimeout(() => {
      if (round !== this.round) return;
      if (this.total !== null) this.draw();
      else this.page(0).then(() => round === this.round && this.redraw());
    }, RETRY);
  }

  song(index) {
    const page = this.pages.get(Math.floor(index / SIZE));
    return Array.isArray(page) ? page[index % SIZE] : undefined;
  }

  async page(number) {
    if (this.pages.has(number)) return this.pages.get(number);
    const round = this.round;
    const asked = this.fetch(number, SIZE).then((answer) => {
      if (round !== this.round) return [];
      this.take(number, answer);
      return answer.songs;
    }).catch((error) => {
      if (round !== this.round) return [];
      this.pages.delete(number);
      this.failed = true;
      trouble(error);
      this.retry();
      return [];
    });
    this.pages.set(number, asked);
    return asked;
  }

  take(number, { songs, total }) {
    if (this.failed) trouble(null);
    this.failed = false;
    this.pages.delete(number); // the newest is kept longest
    this.pages.set(number, songs);
    if (this.pages.size > KEPT) this.pages.delete(this.pages.keys().next().value);
    if (this.total === total) return;
    this.total = total;
    this.rows.style.height = `${total * HEIGHT}px`;
    this.counted(total);
  }

  fetch(page, size) {
    const query = new URLSearchParams(this.query);
    query.set("page", page);
    query.set("size", size);
    return ask(`/api/library?${query}`);
  }

  redraw() {
    for (const row of this.shown.values()) row.remove();
    this.shown.clear();
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.list.scrollTop / HEIGHT) - SPARE);
    const last = Math.min(
      this.total - 1,
      Math.ceil((this.list.scrollTop + this.list.clientHeight) / HEIGHT) + SPARE,
    );
    for (const [index, row] of this.shown) {
      if (index < first || index > last) {
        row.remove();
        this.shown.delete(index);
      }
    }
    const missing = new Set();
    for (let index = first; index <= last; index++) {
      const song = this.song(index);
      if (!song) missing.add(Math.floor(index / SIZE));
      else if (!this.shown.has(index)) this.add(index, song);
    }
    this.mark();
    this.lack(missing);
  }

  /** Asks for pages once the list rests on them: nobody sees what a drag passes by. */
  lack(missing) {
    const round = this.round;
    clearTimeout(this.resting);
    if (!missing.size) return;
    this.resting = setTimeout(() => {
      if (round !== this.round) return;
      for (const number of missing) {
        this.page(number).then((songs) => round === this.round && songs.length && this.draw());
      }
    }, REST);
  }

  add(index, song) {
    const row = document.createElement("div");
    row.className = "song";
    row.id = `song-${index}`;
    row.dataset.index = index;
    row.dataset.track = song.trackId;
    row.setAttribute("role", "option");
    row.setAttribute("aria-setsize", this.total);
    row.setAttribute("aria-posinset", index + 1);
    row.style.transform = `translateY(${index * HEIGHT}px)`;
    const names = document.createElement("span");
    const artist = document.createElement("small");
    artist.textContent = song.artist || "Unknown Artist";
    names.append(`${song.favorite ? "★ " : ""}${song.title || song.filename}`, artist);
    const facts = document.createElement("small");
    facts.textContent = [song.tuningName, song.year].filter(Boolean).join(" · ");
    row.append(names, facts);
    this.rows.append(row);
    this.shown.set(index, row);
  }

  mark() {
    for (const [index, row] of this.shown) {
      row.classList.toggle("active", index === this.active);
      row.setAttribute("aria-selected", row.dataset.track === this.selected);
    }
    const row = this.shown.get(this.active);
    if (row) this.list.setAttribute("aria-activedescendant", row.id);
    else this.list.removeAttribute("aria-activedescendant");
  }

  /** Moves to a row and brings it into sight. */
  move(index) {
    if (!this.total) return;
    this.active = Math.min(this.total - 1, Math.max(0, index));
    const top = this.active * HEIGHT;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const bottom = top + HEIGHT - this.list.clientHeight;
    if (bottom > this.list.scrollTop) this.list.scrollTop = bottom;
    this.draw();
  }

  async choose(index) {
    this.move(index);
    await this.page(Math.floor(index / SIZE));
    const song = this.song(index);
    if (!song) return;
    this.selected = song.trackId;
    this.mark();
    this.chosen(song);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / HEIGHT) - 1);
    const steps = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.total - 1,
    };
    if (event.key in steps) this.move(steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.choose(this.active);
    else return;
    event.preventDefault();
  }

  /** The first song whose artist begins with a letter or comes behind it, halving what is left. */
  async jump(letter) {
    if (!this.total) return;
    const round = this.round;
    let low = 0;
    let high = letter === "#" ? 0 : this.total;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { songs } = await this.fetch(middle, 1);
      if (round !== this.round || !songs.length) return;
      if (fold(songs[0].artist) < letter.toLowerCase()) low = middle + 1;
      else high = middle;
    }
    this.active = Math.min(low, this.total - 1);
    this.list.scrollTop = this.active * HEIGHT;
    this.draw();
    this.list.focus();
  }
}

/** As the host folds texts to sort them. */
function fold(text) {
  let folded = text;
  for (let round = 0; round < 2; round++) {
    folded = folded.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase();
  }
  return folded.trim();
}
