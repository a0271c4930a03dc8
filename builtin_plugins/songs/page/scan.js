/** Looking for songs: how far the scan is, and the button that begins one. */
import { ask, trouble } from "/songs/api.js";

const LOOK = 1000; // milliseconds between two looks at a scan that runs
const RETRY = 3000; // milliseconds after a look that was not answered
const PATIENCE = 30; // looks until one that was asked for has to have begun
const REASONS = {
  NO_LIBRARY_FOLDER: "Nobody has said yet which folder holds the songs: it is the setting dlcDir.",
  LIBRARY_UNREADABLE: "The folder of the songs cannot be read.",
};

export class Scan {
  /** `changed` is called when there may be other songs than before, with whether that was all. */
  constructor({ bar, text, button, failures, changed }) {
    Object.assign(this, { bar, text, button, failures, changed });
    this.seen = 0;
    this.patience = 0;
    button.addEventListener("click", () => this.begin().catch(trouble));
  }

  async begin() {
    trouble(null);
    this.before = (await ask("/api/scan-status")).startedAt;
    await ask("/api/rescan", { method: "POST" });
    this.patience = PATIENCE;
    await this.follow();
  }

  /** Shows the scan until it has ended. */
  async follow() {
    clearTimeout(this.waiting);
    const status = await this.look();
    if (!status) return;
    this.show(status);
    const news = status.added + status.changed + status.removed;
    const ended = this.ended !== undefined && status.finishedAt !== this.ended;
    if (ended || (status.running && news !== this.seen)) this.changed(!status.running);
    this.seen = news;
    this.ended = status.finishedAt;
    // A scan that was asked for begins a moment later.
    if (status.running || status.startedAt !== this.before) this.patience = 0;
    const more = status.running || this.patience-- > 0;
    if (more) this.waiting = setTimeout(() => this.follow().catch(trouble), LOOK);
  }

  /** Null when the host does not answer: then it is asked again after a while. */
  async look() {
    try {
      const status = await ask("/api/scan-status");
      if (this.failed) trouble(null);
      this.failed = false;
      return status;
    } catch (error) {
      this.failed = true;
      trouble(error);
      this.waiting = setTimeout(() => this.follow().catch(trouble), RETRY);
      return null;
    }
  }

  show(status) {
    this.button.disabled = status.running;
    this.bar.hidden = !status.running;
    if (status.total) {
      this.bar.max = status.total;
      this.bar.value = status.done;
    } else {
      this.bar.removeAttribute("value"); // how much there is to do is not known yet
    }
    this.text.textContent = sentence(status);
    this.failures.hidden = !status.failures.length;
    this.failures.querySelector("ul").replaceChildren(...status.failures.map(({ file, message }) => {
      const item = document.createElement("li");
      item.textContent = `${file}: ${message}`;
      return item;
    }));
  }
}

function sentence(status) {
  if (status.error) return REASONS[status.error] ?? `The scan failed: ${status.error}.`;
  if (status.running && !status.total) return "Looking through the folder…";
  if (status.running) return `${status.done} of ${status.total}: ${status.current}`;
  if (status.status !== "complete") return "";
  const parts = ["added", "changed", "removed", "failed"].filter((name) => status[name]);
  return parts.length ? `Scanned: ${parts.map((name) => `${status[name]} ${name}`).join(", ")}.` : "Scanned: nothing new.";
}
