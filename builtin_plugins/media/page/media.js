// The page: what is new, what is searched for, one player, and how scans go on.

import { ask, send } from "./api.js";
import { offerMetadata } from "./metadata.js";
import { play } from "./player.js";
import { watchScans } from "./scans.js";
import { element, fill, shelf } from "./shelf.js";

const SEARCH_DELAY = 150;
const at = (id) => document.getElementById(id);

function complain(error) {
  const trouble = at("trouble");
  trouble.textContent = error.message;
  trouble.hidden = false;
}

function fine() {
  at("trouble").hidden = true;
}

const open = (item) => play(item).catch(complain);

async function list() {
  try {
    const [films, shows, libraries] = await Promise.all([
      ask("/movies"),
      ask("/tvshows"),
      ask("/library?isLibrary=true"),
    ]);
    shelf(at("films"), films, open);
    shelf(at("shows"), shows, open);
    at("no-films").hidden = films.length > 0;
    at("no-shows").hidden = shows.length > 0;
    listLibraries(libraries);
    fine();
  } catch (error) {
    complain(error);
  }
}

// One listing at a time: what is asked for while one runs is listed after it, however often.
let listing = false;
let outdated = false;

async function refresh() {
  outdated = true;
  if (listing) return;
  listing = true;
  while (outdated) {
    outdated = false;
    await list();
  }
  listing = false;
}

function listLibraries(libraries) {
  fill(
    at("libraries"),
    libraries.map((library) => {
      const line = element("li");
      const name = element("span");
      const count = library.mediaCount === 1 ? "1 title" : `${library.mediaCount} titles`;
      name.append(element("b", library.name), ` · ${count}`);
      line.append(name, element("span", library.libraryPath ?? "no folder", "path"));
      if (library.libraryPath) {
        const again = element("button", "Scan again");
        again.type = "button";
        again.dataset.id = library.id;
        again.setAttribute("aria-label", `Scan ${library.name} again`);
        const kind = library.libraryType === "TV_SHOW" ? "tv" : "movie";
        again.addEventListener("click", () => scan(library.libraryPath, kind));
        line.append(again);
      }
      return line;
    }),
  );
}

async function scan(path, mediaType) {
  try {
    await send("/scan/path", { path, mediaType });
    fine();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

at("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  if (await scan(form.elements.path.value, form.elements.mediaType.value)) form.reset();
});

// Search as one types: an answer that comes late is for a question that nobody asks any more.
let waiting = 0;
let running = null;

function showHome(home) {
  at("found").hidden = home;
  at("home").hidden = !home;
}

const MOST_FOUND = 10;

function foundText(query, count) {
  if (count === 0) return `Nothing is called “${query}”.`;
  return count < MOST_FOUND ? `${count} found` : "The first ten: type on for fewer.";
}

async function search() {
  running?.abort();
  const query = at("query").value.trim();
  if (!query) {
    showHome(true);
    return;
  }
  running = new AbortController();
  try {
    const path = `/search?query=${encodeURIComponent(query)}`;
    const found = await ask(path, { signal: running.signal });
    const items = [...found.movies, ...found.tvShows];
    shelf(at("found-items"), items, open);
    at("found-text").textContent = foundText(query, items.length);
    showHome(false);
    fine();
  } catch (error) {
    if (error.name !== "AbortError") complain(error);
  }
}

at("query").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, SEARCH_DELAY);
});

watchScans(() => {
  refresh();
  if (at("query").value.trim()) search(); // what was found may be gone
});
offerMetadata(complain).catch(complain);
refresh();
