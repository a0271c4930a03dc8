// One dialog that plays a film, or the episodes of a show.

import { GONE, SIGN_IN, ask } from "./api.js";
import { colour, element, year } from "./shelf.js";

const at = (id) => document.getElementById(id);
const dialog = at("player");
const video = at("video");

function note(text) {
  at("player-note").textContent = text;
  at("player-note").hidden = text === "";
}

function load(address, title) {
  note("");
  at("player-title").textContent = title;
  video.hidden = false;
  video.src = address;
}

function stop() {
  video.pause();
  video.removeAttribute("src");
  video.load();
}

function describe(media) {
  const facts = [year(media), media.genres.join(", "), media.rating && `★ ${media.rating}`];
  const about = [
    element("p", facts.filter(Boolean).join(" · "), "path"),
    element("p", media.description),
  ];
  at("about").replaceChildren(...about.filter((line) => line.textContent));
}

function episodes(show) {
  return show.seasons.flatMap((season) => {
    const list = element("ul");
    list.append(
      ...season.episodes.map((episode) => {
        const line = element("li");
        const number = `${season.seasonNumber}×${String(episode.episodeNumber).padStart(2, "0")}`;
        const button = element("button", `${number}  ${episode.title}`);
        button.type = "button";
        button.addEventListener("click", () => {
          load(episode.streamUrl, `${show.media.title}: ${episode.title}`);
          video.play().catch(() => note("Press play to begin."));
          video.focus();
        });
        line.append(button);
        return line;
      }),
    );
    return [element("h3", season.name), list];
  });
}

let wanted = null;

export async function play(item) {
  const { media } = item;
  wanted = item;
  if (media.type === "TV_SHOW") {
    const show = await ask(`/tvshows/${item.id}`);
    if (wanted !== item) return; // somebody was quicker to choose than the server to answer
    at("player-title").textContent = media.title;
    video.hidden = true;
    at("seasons").replaceChildren(...episodes(show));
  } else {
    at("seasons").replaceChildren();
    load(item.streamUrl, media.title);
  }
  describe(media);
  colour(dialog, media);
  note("");
  if (!dialog.open) dialog.showModal();
}

// The element does not say why: a file that is gone looks like one that cannot be played.
async function trouble(address) {
  try {
    const { status } = await fetch(address, { method: "HEAD", credentials: "same-origin" });
    if (status === 404) return "The file is not there any more: scan its library again.";
    return status === 401 ? SIGN_IN : "This browser cannot play the file.";
  } catch {
    return GONE;
  }
}

video.addEventListener("error", async () => {
  const address = video.getAttribute("src");
  if (!address) return;
  const text = await trouble(address);
  if (video.getAttribute("src") === address) note(text);
});
at("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", stop);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
