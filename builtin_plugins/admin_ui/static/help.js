import { Refusal, byId, el, say, work } from "./desk.js";

const form = byId("diagnostics");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  work(form.querySelector("button"), async () => {
    const include = Object.fromEntries(["system", "hardware", "logs", "plugins"].map((name) => [name, form.elements[name].checked]));
    const answer = await fetch("/api/diagnostics/export", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ redact: form.elements.redact.checked, include: { ...include, console: false } }),
    });
    if (!answer.ok) throw new Refusal(answer.status, await answer.json());
    const url = URL.createObjectURL(await answer.blob());
    el("a", { href: url, download: "diagnostics.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    say("The bundle is made.");
  });
});
