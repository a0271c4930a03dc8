import { ask, byId, el, every, ready, say, when, work } from "./desk.js";

const filter = byId("filter");
filter.elements.plugin.value = new URLSearchParams(location.search).get("plugin") ?? "";
const rows = new Map();
const DONE = new Set(["succeeded", "failed", "cancelled"]);

/** A row that is changed in place, so that the focus stays where it is. */
function makeRow(id) {
  const title = el("h2", {});
  const state = el("span", {});
  const cancel = el("button", { type: "button" }, "Cancel");
  const bar = el("progress", {});
  const text = el("p", { class: "faint" });
  const times = el("small", {});
  const result = el("details", {}, el("summary", {}, "Result"), el("pre", {}));
  cancel.addEventListener("click", () => work(cancel, async () => {
    await ask(`/api/admin/jobs/${id}/cancel`, { method: "POST" });
    say("The job is asked to stop.");
    await show();
  }));
  const item = el("li", { "data-id": id }, el("div", { class: "head" }, title, state, cancel), bar, text, times, result);
  return { item, title, state, cancel, bar, text, times, result };
}

function update(row, job) {
  row.title.textContent = `${job.plugin}: ${job.name}`;
  row.state.textContent = job.cancelRequested && !DONE.has(job.state) ? "stopping" : job.state;
  row.state.className = `state ${job.state}`;
  row.cancel.hidden = DONE.has(job.state) || job.cancelRequested;
  row.cancel.setAttribute("aria-label", `Cancel ${job.plugin}: ${job.name}`);
  row.bar.hidden = job.state !== "running";
  row.bar.setAttribute("aria-label", `How far ${job.plugin}: ${job.name} is`);
  if (job.total) Object.assign(row.bar, { max: job.total, value: job.done });
  else row.bar.removeAttribute("value");
  const count = job.total ? `${job.done} of ${job.total}` : "";
  row.text.textContent = job.error ?? [count, job.text].filter(Boolean).join(" · ");
  row.text.className = job.error ? "problem" : "faint";
  row.text.hidden = !row.text.textContent;
  row.times.textContent = [`asked for ${when(job.createdAt)}`, job.finishedAt ? `over ${when(job.finishedAt)}` : "", job.attempt > 1 ? `attempt ${job.attempt}` : ""].filter(Boolean).join(", ");
  row.result.hidden = job.result === null || job.result === undefined;
  if (!row.result.hidden) row.result.querySelector("pre").textContent = JSON.stringify(job.result, null, 2);
}

const listed = (state) => {
  const values = { limit: 100, state, plugin: filter.elements.plugin.value.trim() };
  return ask(`/api/admin/jobs?${new URLSearchParams(Object.entries(values).filter(([, value]) => value))}`);
};

/** The newest; of any state, those at work and waiting first, however old: short ones by the
 *  hundred must not hide them. */
async function newest() {
  const state = filter.elements.state.value;
  const found = (await Promise.all(state ? [listed(state)] : [listed("running"), listed("queued"), listed("")])).flat();
  return [...new Map(found.toReversed().map((job) => [job.id, job])).values()].toReversed();
}

async function show() {
  const jobs = await newest();
  const list = byId("jobs");
  const wanted = new Set(jobs.map((job) => job.id));
  for (const [id, row] of rows) if (!wanted.has(id)) row.item.remove(), rows.delete(id);
  jobs.forEach((job, at) => {
    if (!rows.has(job.id)) rows.set(job.id, makeRow(job.id));
    const row = rows.get(job.id);
    update(row, job);
    if (list.children[at] !== row.item) list.insertBefore(row.item, list.children[at] ?? null);
  });
  byId("none").hidden = jobs.length > 0;
  ready("jobs");
}

filter.addEventListener("input", () => work(null, show));
filter.addEventListener("submit", (event) => event.preventDefault());
{
  const plugins = await ask("/api/plugins").catch(() => []);
  byId("ids").replaceChildren(...plugins.map((each) => el("option", { value: each.id })));
}
every(1000, show);
