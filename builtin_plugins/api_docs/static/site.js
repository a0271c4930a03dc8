// Search over all pages, and the switch between light and dark. Nothing is asked of other hosts.

const root = document.documentElement;
const button = document.querySelector("button.theme");
const dark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
}

function label() {
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
}

button.hidden = false;
button.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("stagebox-docs-theme", root.dataset.theme);
  } catch {
    // Storage is switched off: it holds for this page.
  }
  label();
});
dark.addEventListener("change", label);
label();

const form = document.querySelector("form.search");
const field = document.getElementById("search");
const panel = document.getElementById("results");
const list = panel.querySelector("ol");
const status = panel.querySelector("[role=status]");
const MOST = 20;
let index = null;

// A promise: whoever types on while the index is fetched waits for the same one.
function load() {
  index ??= fetchIndex().catch((problem) => {
    index = null;
    throw problem;
  });
  return index;
}

async function fetchIndex() {
  const answer = await fetch("/docusaurus/assets/search.json");
  if (!answer.ok) throw new Error(`the index answered ${answer.status}`);
  const entries = await answer.json();
  return entries.map((entry) => ({
    ...entry,
    head: `${entry.page} ${entry.title}`.toLowerCase(),
    body: entry.text.toLowerCase(),
  }));
}

function score(entry, words) {
  let points = 0;
  for (const word of words) {
    if (entry.title.toLowerCase().includes(word)) points += 10;
    else if (entry.head.includes(word)) points += 4;
    else if (entry.body.includes(word)) points += 1;
    else return 0;
  }
  return points;
}

function excerpt(entry, words) {
  const at = words.map((word) => entry.body.indexOf(word)).filter((place) => place >= 0);
  const start = Math.max(0, Math.min(...(at.length ? at : [0])) - 60);
  const text = entry.text.slice(start, start + 160);
  return (start ? "… " : "") + text + (start + 160 < entry.text.length ? " …" : "");
}

function show(found, words) {
  list.replaceChildren(
    ...found.slice(0, MOST).map((entry) => {
      const link = document.createElement("a");
      const title = document.createElement("strong");
      const text = document.createElement("span");
      link.href = entry.url;
      title.textContent = entry.title === entry.page ? entry.title : `${entry.page}: ${entry.title}`;
      text.textContent = excerpt(entry, words);
      link.append(title, text);
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  const more = found.length > MOST ? `, the best ${MOST} are shown` : "";
  status.textContent = found.length ? `${found.length} found${more}` : "Nothing found";
  panel.hidden = false;
}

async function search() {
  const asked = field.value;
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    panel.hidden = true;
    return;
  }
  try {
    const entries = await load();
    if (field.value !== asked) return; // the list must not be drawn anew below somebody's fingers
    const found = entries
      .map((entry) => [score(entry, words), entry])
      .filter(([points]) => points > 0)
      .sort(([one], [other]) => other - one)
      .map(([, entry]) => entry);
    show(found, words);
  } catch (problem) {
    status.textContent = `The search does not work right now: ${problem.message}.`;
    panel.hidden = false;
  }
}

function close() {
  panel.hidden = true;
  field.value = "";
  field.focus();
}

form.hidden = false;
field.addEventListener("input", search);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelector("a")?.click();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "Escape" && !panel.hidden) {
    close();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    move(event);
  }
});

function move(event) {
  const links = [...list.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (panel.hidden || (at < 0 && document.activeElement !== field)) return;
  event.preventDefault();
  const next = at + (event.key === "ArrowDown" ? 1 : -1);
  if (next < 0) field.focus();
  else links[Math.min(next, links.length - 1)]?.focus();
}

list.addEventListener("click", (event) => {
  if (event.target.closest("a")) panel.hidden = true;
});

// On a phone the list of pages would hide the text.
const pages = document.querySelector("nav.pages details");
const narrow = matchMedia("(max-width: 50rem)");
const fold = () => (pages.open = !narrow.matches);
narrow.addEventListener("change", fold);
fold();
