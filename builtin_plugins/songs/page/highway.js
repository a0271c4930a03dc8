/** Draws a chart on a canvas: strings as lanes, time from right to left. */
const SECONDS = 4; // in sight
const MOST = 24; // strings, whatever a chart says
const LEGIBLE = 11; // pixels of the page, high
const PAST = 0.12; // of the width, left of the line where notes are played
const COLOURS = ["#ff5b5b", "#ffd43b", "#4dabf7", "#ffa94d", "#69db7c", "#b197fc", "#f783ac", "#66d9e8"];

export class Highway {
  constructor(canvas, lyrics) {
    this.canvas = canvas;
    this.lyrics = lyrics;
    this.pen = canvas.getContext("2d");
    this.clear();
  }

  clear() {
    this.chart = null;
    this.notes = [];
    this.longest = 0;
    this.line = "";
    this.lyrics.textContent = "";
    this.stale = true;
    this.draw(0);
  }

  show(chart) {
    this.chart = chart;
    this.stale = true;
    this.notes = chart.notes.map((note) => ({ ...note }));
    for (const chord of chart.chords) {
      for (const note of chord.notes) this.notes.push({ ...note, t: chord.t, chord: true });
    }
    this.notes.sort((one, other) => one.t - other.t);
    this.longest = this.notes.reduce((most, note) => Math.max(most, note.sus ?? 0), 0);
    this.lines = linesOf(chart.lyrics ?? []);
    const song = chart.song;
    this.canvas.setAttribute(
      "aria-label",
      `Highway of ${song.arrangementName}: ${chart.notes.length} notes, ` +
        `${chart.chords.length} chords on ${song.stringCount} strings`,
    );
  }

  /** Draws a moment of the chart, unless that is what is there already. */
  draw(now) {
    const { canvas, pen } = this;
    const width = Math.round(canvas.clientWidth * devicePixelRatio) || canvas.width;
    if (!this.stale && now === this.now && width === canvas.width) return;
    this.stale = false;
    this.now = now;
    if (canvas.width !== width) {
      canvas.width = width;
      canvas.height = Math.round(width * 0.325);
    }
    const height = canvas.height;
    pen.clearRect(0, 0, width, height);
    if (!this.chart) return;
    const strings = Math.min(MOST, this.chart.song.stringCount);
    const scale = (width * (1 - PAST)) / SECONDS;
    const view = {
      now, width, height, scale, strings,
      x: (time) => width * PAST + (time - now) * scale,
      y: (string) => height * 0.12 + ((strings - 0.5 - string) / strings) * height * 0.84,
    };
    this.beats(view);
    for (let string = 0; string < strings; string++) {
      pen.fillStyle = COLOURS[string % COLOURS.length];
      pen.globalAlpha = 0.45;
      pen.fillRect(0, view.y(string), width, Math.max(1, height / 200));
    }
    pen.globalAlpha = 1;
    const drawn = this.drawNotes(view);
    pen.fillStyle = "#fff";
    pen.fillRect(width * PAST - 1, height * 0.1, 2, height * 0.88);
    canvas.dataset.drawn = drawn;
    canvas.dataset.now = now.toFixed(2);
    this.sing(now);
  }

  beats(view) {
    const { pen } = this;
    const end = view.now + SECONDS;
    for (let i = from(this.chart.beats, "time", view.now - 1); i < this.chart.beats.length; i++) {
      const beat = this.chart.beats[i];
      if (beat.time > end) break;
      pen.fillStyle = beat.measure >= 0 ? "#5a6272" : "#2b303a";
      pen.fillRect(view.x(beat.time), view.height * 0.1, 1.5, view.height * 0.88);
    }
    pen.fillStyle = "#cfd5e1";
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.font = `${Math.round(Math.max(view.height * 0.06, LEGIBLE * devicePixelRatio))}px system-ui, sans-serif`;
    for (const section of this.chart.sections) {
      if (section.time < view.now - 1) continue;
      if (section.time > end) break;
      pen.fillText(section.name, view.x(section.time) + 4, 2);
    }
  }

  drawNotes(view) {
    const { pen } = this;
    const size = Math.min(view.height * 0.1, (view.height * 0.8) / view.strings);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const fonts = [0.75, 0.6].map((part) => `bold ${Math.round(size * part)}px system-ui, sans-serif`);
    let drawn = 0;
    const end = view.now + SECONDS;
    for (let i = from(this.notes, "t", view.now - 1 - this.longest); i < this.notes.length; i++) {
      const note = this.notes[i];
      if (note.t > end) break;
      if (note.t + (note.sus ?? 0) < view.now - 1) continue;
      const x = view.x(note.t);
      const y = view.y(note.s);
      pen.fillStyle = COLOURS[note.s % COLOURS.length];
      if (note.sus) {
        pen.globalAlpha = 0.5;
        pen.fillRect(x, y - size / 6, note.sus * view.scale, size / 3);
        pen.globalAlpha = 1;
      }
      pen.beginPath();
      pen.roundRect(x - size / 2, y - size / 2, size, size, note.chord ? size / 8 : size / 2);
      pen.fill();
      pen.fillStyle = "#101216";
      pen.font = fonts[note.f > 9 && !note.mt ? 1 : 0]; // two digits are to fit in
      pen.fillText(note.mt ? "×" : note.f, x, y + size * 0.04);
      drawn++;
    }
    return drawn;
  }

  sing(now) {
    const line = this.lines?.findLast((each) => each.begin <= now + 1);
    const text = line && now < line.end + 2 ? line.text : "";
    if (text !== this.line) this.lyrics.textContent = this.line = text;
  }
}

/** The index of the first item at or behind a time. */
function from(items, key, time) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle][key] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Syllables as lines: a last + ends one, a last - joins the next syllable. */
function linesOf(syllables) {
  const lines = [];
  let line = null;
  for (const { t, d, w } of syllables) {
    line ??= { begin: t, end: t, text: "" };
    const last = w.endsWith("+");
    const word = last ? w.slice(0, -1) : w;
    line.text += word.endsWith("-") ? word.slice(0, -1) : `${word} `;
    line.end = t + d;
    if (last || line.text.length > 60) {
      lines.push(line);
      line = null;
    }
  }
  if (line) lines.push(line);
  return lines;
}
