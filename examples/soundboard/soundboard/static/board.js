// The soundboard: one <audio> for a whole board, a tile for each sound.

import { outline } from "./wave.js";

const DEFAULT_ROOM = "room-7ebdde75";

class Board {
  constructor(root) {
    this.root = root;
    this.base = root.dataset.base;
    this.canEdit = root.dataset.canEdit === "true";
    this.room = new URLSearchParams(location.search).get("serverId") || DEFAULT_ROOM;
    this.audio = this.find("audio");
    this.filter = this.find(".filter");
    this.favorites = [];
    this.tiles = [];
    this.find(".room-id").textContent = this.room;
    this.listen();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  // Talking to the host

  async ask(path, options) {
    let response;
    try {
      response = await fetch(this.base + path, options);
    } catch {
      throw new Error("The host does not answer.");
    }
    if (response.ok) return response.status === 204 ? null : response.json();
    const problem = await response.json().catch(() => ({}));
    const message = problem.message ?? `The host answered with status ${response.status}.`;
    throw Object.assign(new Error(message), { status: response.status });
  }

  askRoom(path, options) {
    return this.ask(`${path}?serverId=${encodeURIComponent(this.room)}`, options);
  }

  /** Runs an action; what goes wrong is told in the line above the board. */
  async attempt(action) {
    this.tell(".problem", "");
    this.tell(".notice", "");
    try {
      await action();
    } catch (error) {
      this.tell(".problem", error.message);
    }
  }

  tell(selector, text) {
    const line = this.find(selector);
    line.textContent = text;
    line.hidden = !text;
  }

  async load() {
    const sounds = await this.ask("/sounds");
    this.favorites = await this.loadFavorites();
    const known = new Set(sounds.map((sound) => sound.url));
    const strays = this.favorites.filter((favorite) => !known.has(favorite.url));
    for (const sound of [...sounds, ...strays]) this.addTile(sound);
    this.arrange();
    // One after the other: a plugin has only so many calls at once, and playing comes first.
    for (const tile of this.tiles) await this.draw(tile);
  }

  async loadFavorites() {
    try {
      return await this.askRoom("/favorites");
    } catch (error) {
      if (error.status !== 401) throw error;
      this.tell(".notice", "Sign in to see the favourites of this room.");
      return [];
    }
  }

  // Tiles

  addTile(sound) {
    const item = document.getElementById("tile").content.cloneNode(true).firstElementChild;
    const part = (selector) => item.querySelector(selector);
    const tile = { ...sound, item, play: part(".play"), star: part(".star"), key: part("kbd") };
    const index = this.tiles.push(tile) - 1;
    item.style.setProperty("--hue", (265 + index * 40 + Math.floor(index / 9) * 20) % 360);
    part(".label").textContent = sound.label;
    part(".where").textContent = isHere(sound.url) ? "" : `${new URL(sound.url).host} ↗`;
    part(".wave").toggleAttribute("hidden", !isHere(sound.url));
    tile.play.addEventListener("click", () => this.attempt(() => this.play(tile)));
    tile.star.addEventListener("click", () => this.attempt(() => this.toggle(tile)));
    tile.star.setAttribute("aria-label", `Favourite: ${sound.label}`);
    tile.star.disabled = !this.canEdit;
    part(".remove").setAttribute("aria-label", `Remove: ${sound.label}`);
    part(".remove").hidden = !(this.canEdit && sound.uploaded);
    part(".remove").addEventListener("click", () => this.attempt(() => this.remove(tile)));
    this.find(".grid").append(item);
    return tile;
  }

  async draw(tile) {
    if (!isHere(tile.url)) return;
    const path = await outline(tile.url);
    for (const wave of tile.item.querySelectorAll(".wave path")) wave.setAttribute("d", path);
  }

  /** Shows what the filter lets through, with the keys 1 to 9 in the order shown. */
  arrange() {
    const only = this.filter.getAttribute("aria-pressed") === "true";
    const starred = new Set(this.favorites.map((favorite) => favorite.url));
    let shown = 0;
    for (const tile of this.tiles) {
      tile.star.setAttribute("aria-pressed", String(starred.has(tile.url)));
      tile.item.hidden = only && !starred.has(tile.url);
      if (!tile.item.hidden) shown += 1;
      const key = !tile.item.hidden && shown <= 9 ? String(shown) : "";
      tile.key.textContent = key;
      if (key) tile.play.setAttribute("aria-keyshortcuts", key);
      else tile.play.removeAttribute("aria-keyshortcuts");
    }
    this.find(".empty").hidden = !only || shown > 0;
  }

  // What people do

  async play(tile) {
    if (!isHere(tile.url)) {
      // The page may load nothing from elsewhere, so the browser opens it by itself.
      window.open(tile.url, "_blank", "noreferrer");
      return;
    }
    const { audio } = this;
    this.stop();
    this.playing = tile;
    if (audio.getAttribute("src") !== tile.url) audio.src = tile.url;
    audio.currentTime = 0;
    tile.item.classList.add("playing");
    try {
      await audio.play();
    } catch (error) {
      if (error.name === "AbortError") return; // another sound came first
      this.stop();
      throw new Error(`${tile.label} could not be played.`);
    }
    this.follow(tile);
  }

  /** Moves the coloured part of the picture along with the sound. */
  follow(tile) {
    if (this.playing !== tile) return;
    const { currentTime, duration } = this.audio;
    tile.item.style.setProperty("--played", duration ? currentTime / duration : 0);
    requestAnimationFrame(() => this.follow(tile));
  }

  stop() {
    this.audio.pause();
    this.playing?.item.classList.remove("playing");
    this.playing?.item.style.removeProperty("--played");
    this.playing = undefined;
  }

  async toggle(tile) {
    if (tile.busy) return;
    tile.busy = true;
    try {
      const favorite = this.favorites.find(({ url }) => url === tile.url);
      if (favorite) {
        const path = `/favorites/${encodeURIComponent(favorite.label)}`;
        await this.askRoom(path, { method: "DELETE" });
        this.favorites = this.favorites.filter((other) => other !== favorite);
      } else {
        const body = JSON.stringify({ label: tile.label, url: tile.url });
        const headers = { "Content-Type": "application/json" };
        this.favorites.push(await this.askRoom("/favorites", { method: "POST", headers, body }));
      }
    } finally {
      tile.busy = false;
    }
    this.arrange();
    if (tile.item.hidden) this.filter.focus();
  }

  async upload(form) {
    const file = form.elements.file.files[0];
    if (file.size > Number(this.root.dataset.maxBytes)) throw new Error("This file is too large.");
    const sound = await this.ask("/uploads", { method: "POST", body: new FormData(form) });
    form.reset();
    const tile = this.addTile(sound);
    this.arrange();
    this.tell(".notice", `${sound.label} is on the board.`);
    await this.draw(tile);
  }

  async remove(tile) {
    if (!confirm(`Remove ${tile.label} for everybody?`)) return;
    await this.ask(`/uploads/${encodeURIComponent(tile.name)}`, { method: "DELETE" });
    this.tiles = this.tiles.filter((other) => other !== tile);
    tile.item.remove();
    this.arrange();
    this.tell(".notice", `${tile.label} is gone.`);
  }

  /** Starts the job that looks for dead favourites, and watches it; a second press cancels it. */
  async check() {
    if (this.checking) {
      await this.ask(`/checks/${this.checking}`, { method: "DELETE" });
      return;
    }
    const button = this.find(".check");
    let check = await this.askRoom("/checks", { method: "POST" });
    this.checking = check.id;
    button.textContent = "Stop checking";
    try {
      while (check.state === "queued" || check.state === "running") {
        this.tell(".notice", `Checked ${check.done} of ${check.total}. ${check.text}`);
        await new Promise((resolve) => setTimeout(resolve, 400));
        check = await this.ask(`/checks/${check.id}`);
      }
    } finally {
      this.checking = undefined;
      button.textContent = "Check favourites";
    }
    this.tell(".notice", verdict(check));
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (event.target.closest("input:not([type=range]), textarea, select")) return;
    if (event.key === "Escape") this.stop();
    const tile = this.tiles.find(({ key }) => key.textContent === event.key);
    if (tile) this.attempt(() => this.play(tile));
  }

  listen() {
    const volume = this.find(".volume input");
    const setVolume = () => (this.audio.volume = volume.value);
    volume.addEventListener("input", setVolume);
    setVolume();
    this.audio.addEventListener("ended", () => this.stop());
    this.filter.addEventListener("click", () => {
      const pressed = this.filter.getAttribute("aria-pressed") === "true";
      this.filter.setAttribute("aria-pressed", String(!pressed));
      this.arrange();
    });
    document.addEventListener("keydown", (event) => this.press(event));
    const check = this.find(".check");
    check.hidden = !this.canEdit;
    check.addEventListener("click", () => this.attempt(() => this.check()));
    const form = this.find(".upload");
    form.hidden = !this.canEdit;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.attempt(() => this.upload(form));
    });
    form.elements.file.addEventListener("change", ({ target }) => {
      form.elements.label.value ||= target.files[0]?.name.replace(/\.[^.]*$/, "") ?? "";
    });
  }
}

function isHere(url) {
  return new URL(url, location.href).origin === location.origin;
}

function verdict({ state, result }) {
  if (state !== "succeeded") return state === "cancelled" ? "Not checked." : "The check failed.";
  if (result.broken.length === 0) return "All favourites can be reached.";
  return result.broken.map(({ label, reason }) => `${label}: ${reason}`).join(" ");
}

for (const root of document.querySelectorAll(".soundboard")) {
  const board = new Board(root);
  board.attempt(() => board.load());
}
