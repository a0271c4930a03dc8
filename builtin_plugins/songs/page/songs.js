/** The page: filters above, the library, the player beside it. */
import { ask, trouble } from "/songs/api.js";
import { SongList } from "/songs/list.js";
import { Player } from "/songs/player.js";
import { Scan } from "/songs/scan.js";

const LETTERS = ["#", ..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const PAUSE = 150; // milliseconds without a key before it is searched

const find = (id) => document.getElementById(id);
const form = find("filters");
const profile = document.body.dataset.profile;
find("mine").hidden = !profile;

const player = new Player({
  profile,
  changed: () => list.redraw(),
  closed: () => find("list").focus(),
});
const list = new SongList(find("list"), find("rows"), {
  counted: (total) => {
    find("count").textContent = total === 1 ? "1 song" : `${total.toLocaleString("en")} songs`;
    find("empty").hidden = total > 0 || filtered();
    find("nothing").hidden = total > 0 || !filtered();
    find("shelf").hidden = total === 0;
  },
  chosen: (song) => player.open(song),
});

function filtered() {
  const query = new FormData(form);
  return [...query].some(([name, value]) => name !== "sort" && value);
}

const scan = new Scan({
  bar: find("scanning"),
  text: find("scanned"),
  button: find("look"),
  failures: find("failures"),
  changed: () => refresh(),
});

function refresh() {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  find("rail").hidden = (query.get("sort") ?? "artist") !== "artist";
  trouble(null);
  find("shelf").hidden = false; // the list asks for what is in sight
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

find("all").addEventListener("click", () => {
  form.reset();
  refresh();
  form.elements.q.focus();
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
scan.follow().catch(trouble);
for (const { name, count } of await ask("/api/library/tuning-names").catch(() => [])) {
  form.elements.tunings.add(new Option(`${name} (${count})`, name));
}
