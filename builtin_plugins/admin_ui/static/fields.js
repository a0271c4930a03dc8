/** Messages beside fields: what the browser finds, and what the host refuses. */

import { el } from "./desk.js";

/** Puts the message below an input, or takes it away. */
export function mark(input, message) {
  const id = `${input.id}-wrong`;
  const own = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
  document.getElementById(id)?.remove();
  if (message) {
    input.setAttribute("aria-invalid", "true");
    own.push(id);
    input.closest(".field").append(el("span", { class: "wrong", id }, message));
  } else input.removeAttribute("aria-invalid");
  if (own.length) input.setAttribute("aria-describedby", own.join(" "));
  else input.removeAttribute("aria-describedby");
}

/** Whether all fields of a form satisfy the browser; the first that does not gets the focus. */
export function valid(form) {
  let first = null;
  for (const input of form.elements) {
    if (!input.closest(".field") || !input.willValidate) continue;
    mark(input, input.validity.valid ? "" : input.validationMessage);
    if (!input.validity.valid) first ??= input;
  }
  first?.focus();
  return first === null;
}

/** Shows what the host said of each field; returns what belongs to none of them. */
export function refuse(form, error) {
  const rest = [];
  const wrong = new Set();
  for (const { path, message } of error.details ?? []) {
    const parts = path.split(".");
    let input = null;
    for (; parts.length && !input; parts.pop()) input = form.querySelector(`[name="${CSS.escape(parts.join("."))}"]`);
    if (!input) {
      rest.push({ path, message });
      continue;
    }
    mark(input, message);
    wrong.add(input);
  }
  [...form.elements].find((input) => wrong.has(input))?.focus();
  return { found: wrong.size > 0, rest };
}

export const fieldsOf = (form) => Object.fromEntries(new FormData(form));
