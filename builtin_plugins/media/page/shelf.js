// Tiles with a poster, or with the colours of one.

export function element(name, text = null, className = "") {
  const made = document.createElement(name);
  if (text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export const year = (media) => media.releaseDate?.slice(0, 4) ?? "";

function poster(media) {
  const frame = element("span", null, "poster");
  media.meshGradientColors.forEach((colour, place) =>
    frame.style.setProperty(`--c${place}`, colour),
  );
  const letter = element("span", media.title.slice(0, 1).toUpperCase(), "letter");
  letter.setAttribute("aria-hidden", "true");
  // Pictures of other servers are not loaded: nobody there needs to know who looks.
  if (media.posterUrl?.startsWith("/")) {
    const image = element("img");
    image.alt = "";
    image.loading = "lazy";
    image.addEventListener("error", () => image.replaceWith(letter));
    image.src = media.posterUrl;
    frame.append(image);
  } else {
    frame.append(letter);
  }
  return frame;
}

function tile(item, open) {
  const { media } = item;
  const button = element("button", null, "tile");
  button.type = "button";
  button.dataset.id = item.id;
  const caption = element("span", null, "caption");
  const kind = media.type === "TV_SHOW" ? "Show" : "Film";
  const about = [kind, year(media)].filter(Boolean).join(", ");
  caption.append(element("b", media.title), element("span", about));
  button.append(poster(media), caption);
  button.addEventListener("click", () => open(item));
  return button;
}

export function shelf(list, items, open) {
  list.replaceChildren(
    ...items.map((item) => {
      const line = element("li");
      line.append(tile(item, open));
      return line;
    }),
  );
}
