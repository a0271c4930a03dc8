import { ask, button, byId, bytes, confirm, el, pause, plural, ready, say, when, work } from "./desk.js";
import { comeBack, uptime } from "./restart.js";

const archive = (name) => `/api/admin/backups/${encodeURIComponent(name)}`;

/** Waits for a job, showing how far it is. Throws when it did not succeed. */
async function finished(job) {
  const bar = byId("progress");
  byId("work").hidden = false;
  try {
    while (job.state === "queued" || job.state === "running") {
      byId("work-text").textContent = job.text || "Waiting for its turn";
      if (job.total) Object.assign(bar, { max: job.total, value: job.done });
      else bar.removeAttribute("value");
      await pause(300);
      job = await ask(`/api/admin/jobs/${job.id}`);
    }
  } finally {
    byId("work").hidden = true;
  }
  if (job.state !== "succeeded") throw new Error(job.error ?? `The job was ${job.state}.`);
}

async function restore(name) {
  const about = await ask(`${archive(name)}/summary`);
  const text = [
    el("p", {}, `Made ${when(about.created)} by version ${about.version}: ${plural(about.databases, "database")}, ${plural(about.files + about.blobs, "file")}, ${bytes(about.size)} unpacked.`),
    el("p", { class: "warning" }, "Everything that this host keeps now is replaced by it. The host restarts, and whoever is signed in may have to sign in again."),
  ];
  if (!(await confirm(`Restore ${name}?`, text, "Restore and restart", { danger: true }))) return;
  await finished(await ask(`${archive(name)}/restore`, { method: "POST" }));
  await show();
  const before = await uptime();
  await ask("/api/admin/restart", { method: "POST" });
  await comeBack(before);
}

const row = ({ name, size, modifiedAt }) =>
  el("li", { "data-name": name }, el("div", { class: "head" }, el("h2", {}, name), el("small", {}, `${bytes(size)}, ${when(modifiedAt)}`),
    el("span", { class: "buttons" },
      el("a", { class: "button", href: archive(name), download: name, "aria-label": `Download ${name}` }, "Download"),
      button("Restore…", () => restore(name), { "aria-label": `Restore ${name}` }),
      button("Delete", async () => {
        if (!(await confirm(`Delete ${name}?`, el("p", {}, "This cannot be undone."), "Delete", { danger: true }))) return;
        await ask(archive(name), { method: "DELETE" });
        await show();
        say(`${name} is deleted.`);
      }, { class: "danger", "aria-label": `Delete ${name}` }))));

async function show() {
  const { backups, pending, lastRestore } = await ask("/api/admin/backups");
  byId("backups").replaceChildren(...backups.map(row));
  byId("none").hidden = backups.length > 0;
  byId("pending").hidden = !pending;
  byId("pending").textContent = pending ? `${pending} takes the place of all data when the host starts the next time.` : "";
  const last = byId("last");
  last.hidden = !lastRestore;
  last.className = lastRestore?.succeeded === false ? "problem" : "";
  if (lastRestore) last.textContent = `${lastRestore.succeeded ? "Restored" : "Not restored"}: ${lastRestore.name}, ${when(lastRestore.at)}. ${lastRestore.message}`;
  ready("backups");
}

byId("take").addEventListener("click", ({ currentTarget }) => work(currentTarget, async () => {
  await finished(await ask("/api/admin/backups", { body: {} }));
  await show();
  say("The backup is complete.");
}));

const upload = byId("upload");
upload.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = upload.elements.file.files[0];
  if (!file) return;
  work(upload.querySelector("button"), async () => {
    const form = new FormData();
    form.append("file", file);
    await ask(archive(file.name), { method: "PUT", form });
    upload.reset();
    await show();
    say(`${file.name} is here.`);
  });
});

work(null, show);
