/** Asks the host; an answer that is no success is thrown with its sentence. */
export async function ask(path, options = {}) {
  const { body, ...rest } = options;
  if (body !== undefined) {
    rest.body = JSON.stringify(body);
    rest.headers = { "Content-Type": "application/json" };
  }
  const answer = await fetch(path, rest).catch(() => {
    throw new Error("The host cannot be reached.");
  });
  const content = answer.status === 204 ? null : await answer.json().catch(() => undefined);
  if (!answer.ok || content === undefined) {
    throw new Error(content?.message ?? `The host answered ${answer.status}.`);
  }
  return content;
}

/** Shows what went wrong, until something works again. */
export function trouble(error) {
  const place = document.getElementById("trouble");
  place.hidden = !error;
  place.textContent = error ? error.message : "";
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
