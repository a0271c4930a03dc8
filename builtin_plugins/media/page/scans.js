// Live progress of scans over the WebSocket; it is opened again when it breaks.

const at = (id) => document.getElementById(id);
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;

const PAINT_EVERY = 400;

// Thousands of frames a second may come, and each text is read aloud: the last one is shown.
let shown = null;
let painting = 0;

function paint() {
  painting = 0;
  at("scan").hidden = false;
  at("scan-text").textContent = shown.text;
  at("scan-progress").value = shown.percent;
}

function show(frame, text) {
  const percent = { "scan:progress": frame.progress, "scan:complete": 100 }[frame.type];
  shown = { text, percent: percent ?? shown?.percent ?? 0 };
  if (!painting) painting = setTimeout(paint, at("scan").hidden ? 0 : PAINT_EVERY);
}

function heard(frame, refresh) {
  switch (frame.type) {
    case "scan:progress":
      show(frame, `${frame.current} of ${frame.total} folders. ${frame.message}`);
      break;
    case "scan:complete":
      show(frame, frame.message);
      refresh();
      break;
    case "scan:error":
      show(frame, frame.folderName ? `${frame.folderName}: ${frame.error}` : frame.error);
      if (frame.fatal) refresh();
      break;
    default:
      if (frame.type.startsWith("library:")) refresh();
  }
}

export function watchScans(refresh) {
  let wait = FIRST_WAIT;
  const open = () => {
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws`);
    socket.addEventListener("open", () => {
      if (wait > FIRST_WAIT) refresh(); // something may have been missed
      wait = FIRST_WAIT;
      document.documentElement.dataset.live = "yes";
    });
    socket.addEventListener("message", (event) => heard(JSON.parse(event.data), refresh));
    socket.addEventListener("close", () => {
      delete document.documentElement.dataset.live;
      setTimeout(open, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    });
  };
  open();
}
