// Live progress of scans over the WebSocket; it is opened again when it breaks.

import { ask } from "./api.js";

const at = (id) => document.getElementById(id);
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;

const PAINT_EVERY = 400;

// Thousands of frames a second may come, and each text is read aloud: the last one is shown.
let shown = null; // {job, text, percent}; job: the id of a scan that goes on
let painting = 0;

function paint() {
  painting = 0;
  at("scan").hidden = false;
  at("scan").classList.toggle("on", shown.job !== null);
  at("scan-text").textContent = shown.text;
  at("scan-progress").value = shown.percent;
}

function show(job, text, percent = shown?.percent ?? 0) {
  shown = { job, text, percent };
  if (!painting) painting = setTimeout(paint, at("scan").hidden ? 0 : PAINT_EVERY);
}

const counted = (current, total) => `${current} of ${total} folders`;

function heard(frame, refresh) {
  switch (frame.type) {
    case "scan:progress":
      show(
        frame.scanJobId,
        `${counted(frame.current, frame.total)}. ${frame.message}`,
        frame.progress,
      );
      break;
    case "scan:complete":
      show(null, frame.message, 100);
      refresh();
      break;
    case "scan:error":
      if (frame.fatal) {
        show(null, frame.error);
        refresh();
      } else {
        show(frame.scanJobId, `${frame.folderName}: ${frame.error}`);
      }
      break;
    default:
      if (frame.type.startsWith("library:")) refresh();
  }
}

// What no frame told: a scan that goes on, or the end of the one that was shown.
async function catchUp() {
  const before = shown;
  const { jobs } = await ask("/scan/jobs?status=IN_PROGRESS&limit=1");
  const known = jobs[0] ?? (before?.job ? await ask(`/scan/job/${before.job}`) : null);
  if (known === null || shown !== before) return; // a frame that came meanwhile is newer
  const { processedFolders, failedFolders, totalFolders, percentComplete } = known.progress;
  const text = counted(processedFolders + failedFolders, totalFolders);
  const ends = { COMPLETED: `Scan complete: ${known.itemsSaved} items`, FAILED: known.error };
  if (known.status in ends) show(null, ends[known.status], percentComplete);
  else show(known.id, `${known.library.name}: ${text}`, percentComplete);
}

// A server may have a port of its own for sockets, unless something before it joins the two.
function addresses() {
  const other = document.querySelector("meta[name=sockets]").content;
  const own = `${location.protocol.replace("http", "ws")}//${location.host}`;
  return other ? [other, own] : [own];
}

export function watchScans(refresh) {
  const known = addresses();
  let wait = FIRST_WAIT;
  const open = () => {
    let opened = false;
    const socket = new WebSocket(`${known[0]}/ws`);
    socket.addEventListener("open", () => {
      opened = true;
      wait = FIRST_WAIT;
      refresh(); // from here on nothing is missed; what was asked before may have changed
      catchUp().catch(() => {}); // the listing says what is wrong
      document.documentElement.dataset.live = "yes";
    });
    socket.addEventListener("message", (event) => heard(JSON.parse(event.data), refresh));
    socket.addEventListener("close", () => {
      delete document.documentElement.dataset.live;
      if (!opened) known.push(known.shift());
      setTimeout(open, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    });
  };
  open();
}
