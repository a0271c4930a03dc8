/** What all pages of the desk share: asking the host, making elements, dialogs, figures. */

export const held = new Set((document.body.dataset.held ?? "").split(" ").filter(Boolean));
export const may = (permission) => held.has("ADMIN") || held.has(permission);
export const byId = (id) => document.getElementById(id);

/** An answer that is no success: `status`, `code`, `details` ([{path, message}]), `incident`. */
export class Refusal extends Error {
  constructor(status, body) {
    super(body?.message ?? `The host answered ${status}.`);
    this.status = status;
    this.code = body?.error;
    this.details = body?.details ?? [];
    this.incident = body?.incident;
  }
}

/** Asks the host; `body` is sent as JSON, `form` as it is. A session that ended leads to the door. */
export async function ask(path, { method, body, form } = {}) {
  const options = { method: method ?? (body !== undefined || form ? "POST" : "GET") };
  if (form) options.body = form;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The host does not answer.");
  }
  const isJson = answer.headers.get("Content-Type")?.includes("json");
  const content = answer.status === 204 || !isJson ? null : await answer.json();
  if (answer.status === 401 && !document.body.classList.contains("door")) toTheDoor();
  if (!answer.ok) throw new Refusal(answer.status, content);
  return content;
}

export function toTheDoor() {
  location.assign(`/admin/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** An element: `el("p", { class: "x", onclick: f }, "text", child)`; null children are left out. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function trouble(error, place = byId("trouble")) {
  place.hidden = !error;
  if (!error) return;
  const incident = error.incident ? ` (incident ${error.incident})` : "";
  const details = (error.details ?? []).map((each) => `${each.path || "whole"}: ${each.message}`);
  place.textContent = [error.message + incident, ...details].join(" · ");
  place.scrollIntoView({ block: "nearest" });
}

/** Tells what was done, also to screen readers. */
export function say(text) {
  trouble(null);
  byId("said").textContent = text;
}

/** Runs what a button does: once at a time, and with its trouble shown. The button is not
 *  disabled meanwhile, which would take the focus from it. */
export async function work(button, action, place) {
  if (button?.getAttribute("aria-disabled") === "true") return undefined;
  const focused = button !== null && document.activeElement === button;
  button?.setAttribute("aria-disabled", "true");
  try {
    trouble(null, place);
    if (!place && byId("said")) byId("said").textContent = "";
    return await action();
  } catch (error) {
    trouble(error, place);
    return undefined;
  } finally {
    button?.removeAttribute("aria-disabled");
    if (focused && !button.isConnected && document.activeElement === document.body) goOnFrom(button);
  }
}

/** The keyboard goes on from the button that took the place of one that is gone. */
function goOnFrom(gone) {
  const label = gone.getAttribute("aria-label");
  const next = label && [...document.querySelectorAll("main button")].find((each) => each.getAttribute("aria-label") === label);
  (next || byId("main")).focus();
}

export const button = (text, action, attributes = {}) => {
  const made = el("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", () => work(made, action));
  return made;
};

/** Asks the visitor; `content` are elements or texts. Escape and Cancel are no. */
export function confirm(title, content, yes, { danger = false } = {}) {
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").replaceChildren(...[content].flat());
  const button = byId("ask-yes");
  button.textContent = yes;
  button.className = danger ? "danger" : "main";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Calls again and again while the page is seen; `action` may throw, which is shown. */
export async function every(milliseconds, action) {
  let failing = false;
  for (;;) {
    if (!document.hidden) {
      try {
        await action();
        if (failing) trouble(null);
        failing = false;
      } catch (error) {
        failing = true;
        trouble(error);
      }
    }
    await pause(milliseconds);
  }
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit += 1) count /= 1024;
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

export const when = (iso) =>
  iso ? new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";
export const plural = (count, one, many = `${one}s`) =>
  `${count.toLocaleString()} ${count === 1 ? one : many}`;

/** With several processes: whose calls are counted, as each counts its own. */
export const shared = (others) =>
  others ? `Calls, failures and seconds are those of the process that answered; ${plural(others, "other")} served as well, so each look may show another's.` : "";

export function record(entry) {
  return el("div", { class: `record ${entry.level}` },
    el("time", { datetime: entry.time }, when(entry.time)), ` ${entry.level} `,
    el("span", { class: "from" }, entry.plugin ?? entry.logger), ` ${entry.message}`,
    entry.incident ? ` [incident ${entry.incident}]` : null,
    entry.trace ? el("details", {}, el("summary", {}, "Trace"), el("pre", {}, entry.trace)) : null);
}

/** Once a page's first content is there. */
export function ready(id) {
  byId(id).removeAttribute("aria-busy");
}

byId("sign-out")?.addEventListener("click", async () => {
  try {
    await ask("/api/auth/logout", { method: "POST" });
  } catch (error) {
    if (error.status !== 401) return trouble(error);
  }
  location.assign("/admin/sign-in");
});
byId("menu")?.addEventListener("click", ({ currentTarget }) => {
  const open = byId("nav").classList.toggle("open");
  currentTarget.setAttribute("aria-expanded", String(open));
});
