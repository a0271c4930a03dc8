// Live progress of scans over the WebSocket; it is opened again when it breaks.

const at = (id) => document.getElementById(id);
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;

function show(frame, text) {
  at("scan").hidden = false;
  at("scan-text").textContent = text;
  if (frame.type === "scan:progress") at("scan-progress").value = frame.progress;
  if (frame.type === "scan:complete") at("scan-progress").value = 100;
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
