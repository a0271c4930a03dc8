/** The page: filters above, the library, the player beside it. */
import { ask, trouble } from "/songs/api.js";
import { SongList } from "/songs/list.js";
import { Player } from "/songs/player.js";

const LETTERS = ["#", ..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const PAUSE = 150; // milliseconds without a key before it is searched

const find = (id) => document.getElementById(id);
const form = find("filters");
const profile = document.body.dataset.profile;
find("mine").hidden = !profile;

const player = new Player({ profile, changed: () => list.redraw() });
const list = new SongList(find("list"), find("rows"), {
  counted: (total) => {
    find("count").textContent = total === 1 ? "1 song" : `${total.toLocaleString("en")} songs`;
  },
  chosen: (song) => player.open(song),
});

function refresh() {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  find("rail").hidden = (query.get("sort") ?? "artist") !== "artist";
  trouble(null);
  list.show(query).catch(trouble);
}

let waiting = 0;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, PAUSE);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});

find("rail").append(...LETTERS.map((letter) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = letter;
  button.setAttribute("aria-label", letter === "#" ? "Artists without a letter" : `Artists with ${letter}`);
  button.addEventListener("click", () => list.jump(letter).catch(trouble));
  return button;
}));

refresh();
for (const { name, count } of await ask("/api/library/tuning-names").catch(() => [])) {
  form.elements.tunings.add(new Option(`${name} (${count})`, name));
}
