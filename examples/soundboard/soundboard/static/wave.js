// Draws the outline of a sound, as the path of an SVG that is 96 wide and 40 high.

const BARS = 32;
const MAX_BYTES = 1024 * 1024; // beyond that a picture is not worth the download

/** The path data of the sound at this address, or "" when it cannot be drawn. */
export async function outline(url) {
  try {
    const response = await fetch(url);
    if (!response.ok || response.headers.get("Content-Length") > MAX_BYTES) return "";
    const context = new OfflineAudioContext(1, 1, 22050);
    const sound = await context.decodeAudioData(await response.arrayBuffer());
    return path(peaks(sound.getChannelData(0)));
  } catch {
    return ""; // a picture only: playing it will say what is wrong
  }
}

function peaks(samples) {
  const width = Math.ceil(samples.length / BARS);
  const found = Array.from({ length: BARS }, (_, bar) =>
    samples.subarray(bar * width, (bar + 1) * width).reduce((top, s) => Math.max(top, Math.abs(s)), 0),
  );
  const loudest = Math.max(...found) || 1;
  return found.map((peak) => peak / loudest);
}

function path(heights) {
  const step = 96 / BARS;
  return heights
    .map((height, bar) => {
      const half = Math.max(0.6, 17 * height);
      return `M${step * (bar + 0.5)} ${20 - half}v${2 * half}`;
    })
    .join("");
}
