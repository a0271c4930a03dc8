/** Waiting for a host that starts again. */

import { byId, el, pause } from "./desk.js";

export async function uptime() {
  const answer = await fetch("/health");
  return (await answer.json()).uptime;
}

/** Covers the page until the host answers with a younger life than `before` seconds, then loads it anew. */
export async function comeBack(before) {
  const asked = performance.now();
  const told = el("p", { role: "status" }, "The host is starting again. This page goes on when it is back.");
  byId("main").replaceChildren(el("h1", {}, "Restarting"), told, el("progress", { "aria-label": "Restarting" }));
  for (;;) {
    await pause(500);
    const gone = (performance.now() - asked) / 1000;
    try {
      const now = await uptime();
      if (now < before + gone - 0.4) break;
    } catch {
      if (gone > 60) told.textContent = "The host has not come back for a minute: look at it on its own machine.";
    }
  }
  location.reload();
}
