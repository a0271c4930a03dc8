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
find("sign-in").hidden = Boolean(profile);

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

/** Filters that are folded away count as well: how many is said beside them. */
function countMore() {
  const used = find("more").querySelectorAll("input, select");
  const number = [...used].filter((each) => each.value.trim()).length;
  find("more").querySelector("summary").textContent = `More filters${number ? ` (${number})` : ""}`;
}

function filtered() {
  const query = new FormData(form);
  return [...query].some(([name, value]) => name !== "sort" && value);
}

const scan = new Scan({
  bar: find("scanning"),
  text: find("scanned"),
  button: find("look"),
  failures: find("failures"),
  changed: (ended) => {
    find("shelf").hidden = false; // the list asks for what is in sight
    list.renew().catch(trouble);
    if (ended) offerTunings().catch(trouble);
  },
});

function refresh() {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  countMore();
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

find("more").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  find("more").open = false;
  find("more").querySelector("summary").focus();
});
find("more").addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget && !find("more").contains(relatedTarget)) find("more").open = false;
});

const letters = LETTERS.map((letter, index) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = letter;
  button.tabIndex = index ? -1 : 0; // one stop for all: arrows go on
  button.setAttribute("aria-label", letter === "#" ? "Artists without a letter" : `Artists with ${letter}`);
  button.addEventListener("click", () => list.jump(letter).catch(trouble));
  button.addEventListener("focus", () => {
    for (const each of letters) each.tabIndex = each === button ? 0 : -1;
  });
  return button;
});
find("rail").append(...letters);
find("rail").addEventListener("keydown", (event) => {
  const here = letters.indexOf(document.activeElement);
  const steps = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: letters.length - 1 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  letters[steps[event.key]]?.focus();
});

async function offerTunings() {
  const select = form.elements.tunings;
  const chosen = select.value;
  const tunings = await ask("/api/library/tuning-names");
  select.length = 1;
  for (const { name, count } of tunings) select.add(new Option(`${name} (${count})`, name));
  if (chosen && !tunings.some(({ name }) => name === chosen)) select.add(new Option(chosen));
  select.value = chosen;
}

refresh();
scan.follow().catch(trouble);
offerTunings().catch(trouble);
