// Tiles with a poster, or with the colours of one.

export function element(name, text = null, className = "") {
  const made = document.createElement(name);
  if (text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export const year = (media) => media.releaseDate?.slice(0, 4) ?? "";

// The colours of a poster, for whatever is drawn around it.
export function colour(target, media) {
  for (const place of [0, 1, 2, 3]) {
    target.style.setProperty(`--c${place}`, media.meshGradientColors[place] ?? "");
  }
}

function poster(media) {
  const frame = element("span", null, "poster");
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
  colour(button, media);
  const caption = element("span", null, "caption");
  const kind = media.type === "TV_SHOW" ? "Show" : "Film";
  const about = [kind, year(media)].filter(Boolean).join(", ");
  const title = element("b", media.title);
  title.title = media.title; // where it is cut
  caption.append(title, element("span", about));
  button.append(poster(media), caption);
  button.addEventListener("click", () => open(item));
  return button;
}

// New lines in a list; whoever was at a button with a data-id is at the same one afterwards.
export function fill(list, lines) {
  const at = list.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
  list.replaceChildren(...lines);
  if (at) list.querySelector(`[data-id="${CSS.escape(at)}"]`)?.focus();
}

export function shelf(list, items, open) {
  fill(
    list,
    items.map((item) => {
      const line = element("li");
      line.append(tile(item, open));
      return line;
    }),
  );
}
