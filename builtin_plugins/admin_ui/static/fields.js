/** Messages beside fields: what the browser finds, and what the host refuses. */

import { el } from "./desk.js";

/** Puts the message below an input, or takes it away. */
export function mark(input, message) {
  const id = `${input.id}-wrong`;
  const own = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
  document.getElementById(id)?.remove();
  if (message) {
    if (!input.matches("fieldset")) input.setAttribute("aria-invalid", "true");
    own.push(id);
    (input.closest(".field, fieldset") ?? input).append(el("span", { class: "wrong", id }, message));
  } else input.removeAttribute("aria-invalid");
  if (own.length) input.setAttribute("aria-describedby", own.join(" "));
  else input.removeAttribute("aria-describedby");
}

/** Whether all fields of a form satisfy the browser; the first that does not gets the focus. */
export function valid(form) {
  let first = null;
  for (const input of form.elements) {
    if (input.matches("fieldset")) mark(input, "");
    if (!input.closest(".field") || !input.willValidate) continue;
    mark(input, input.validity.valid ? "" : input.validationMessage);
    if (!input.validity.valid) first ??= input;
  }
  first?.focus();
  return first === null;
}

/** Where inside of a field with several values it is. */
function placeIn(input, deeper) {
  if (!deeper.length) return "";
  if (input.dataset.lines === undefined || !/^\d+$/.test(deeper[0])) return `${deeper.join(".")}: `;
  return `Line ${Number(deeper[0]) + 1}: `;
}

/** Shows what the host said of each field; returns what belongs to none of them. */
export function refuse(form, error) {
  const rest = [];
  const messages = new Map();
  for (const { path, message } of error.details ?? []) {
    const parts = path.split(".");
    const deeper = [];
    let input = null;
    while (parts.length && !(input = form.querySelector(`[name="${CSS.escape(parts.join("."))}"]`))) deeper.unshift(parts.pop());
    if (!input) {
      rest.push({ path, message });
      continue;
    }
    const told = `${placeIn(input, deeper)}${message}`;
    messages.set(input, messages.has(input) ? `${messages.get(input)} · ${told}` : told);
  }
  for (const [input, message] of messages) mark(input, message);
  [...form.elements].find((input) => messages.has(input))?.focus();
  return { found: messages.size > 0, rest };
}

export const fieldsOf = (form) => Object.fromEntries(new FormData(form));
