/** A form made from a JSON Schema, and the values back out of it. */

import { button, el } from "./desk.js";

const words = (name) => name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/^./, (first) => first.toUpperCase());
const kind = (schema) => [schema.type].flat().find((type) => type && type !== "null");
const plain = (schema) => kind(schema) === "object" && schema.properties && !schema.$ref && !schema.patternProperties;
const entries = (schema) => kind(schema) === "array" && schema.items && plain(schema.items);
const choices = (schema) => kind(schema) === "array" && Array.isArray(schema.items?.enum);
const NUMBERS = new Set(["integer", "number"]);
const lines = (schema) => kind(schema) === "array" && !choices(schema) && (kind(schema.items ?? {}) === "string" || NUMBERS.has(kind(schema.items ?? {})));

/** The elements for an object's properties; the names of inputs are dotted paths, as the host's
 *  messages name them. `pinned` maps names to the place that decides them. */
export function fields(schema, values, path = [], pinned = new Map(), fixed = false) {
  return Object.entries(schema.properties ?? {}).map(([name, each]) => {
    const value = values && name in values ? values[name] : each.default;
    const where = path.length ? null : pinned.get(name);
    const made = part([...path, name], name, each, value, { required: (schema.required ?? []).includes(name), fixed: fixed || Boolean(where) });
    if (where) note(made, `Pinned by ${where}: it can be changed only there.`);
    return made;
  });
}

/** Says of a field who decides it, also to screen readers. */
function note(made, text) {
  const about = el("small", { class: "pinned", id: `${made.dataset.path}-pinned` }, text);
  made.append(about);
  const input = made.matches("fieldset") ? made : made.querySelector("input, select, textarea");
  input.setAttribute("aria-describedby", [input.getAttribute("aria-describedby"), about.id].filter(Boolean).join(" "));
}

function part(path, name, schema, value, { required, fixed }) {
  const title = schema.title ?? words(name);
  if (plain(schema)) return group(path, title, schema, fields(schema, value, path, new Map(), fixed));
  if (entries(schema)) return list(path, title, schema, value, fixed);
  if (choices(schema)) return group(path, title, schema, chosen(path, schema, value ?? [], fixed));
  return field(path.join("."), title, schema, value, required, fixed);
}

/** A fieldset has the name of what it stands for, so that a message about the whole has a place. */
const group = (path, title, schema, content) =>
  el("fieldset", { name: path.join("."), id: `setting-${path.join(".")}`, "data-path": path.join("."), tabindex: "-1" },
    el("legend", {}, title), schema.description ? el("p", { class: "faint" }, schema.description) : null, content);

const chosen = (path, schema, value, fixed) => schema.items.enum.map((each) => {
  const text = JSON.stringify(each);
  return el("label", { class: "check" }, el("input", { type: "checkbox", "data-choice": text, checked: value.some((one) => JSON.stringify(one) === text), disabled: fixed }), String(each));
});

/** Entries that come and go. What was typed into the others stays. */
function list(path, title, schema, value, fixed) {
  const items = el("div", { class: "entries" });
  const box = group(path, title, schema, items);
  const draw = (found) => items.replaceChildren(...found.map((each, at) =>
    el("fieldset", { class: "entry" }, el("legend", {}, `${title} ${at + 1}`), fields(schema.items, each, [...path, String(at)], new Map(), fixed),
      fixed ? null : button("Remove", () => {
        const rest = present().toSpliced(at, 1);
        draw(rest);
        (items.children[Math.min(at, rest.length - 1)]?.querySelector("button") ?? add).focus();
      }, { "aria-label": `Remove ${title} ${at + 1}` }))));
  const present = () => entered(box.closest("form"), schema, value, path);
  const add = button("Add", () => {
    draw([...present(), {}]);
    items.lastElementChild.querySelector("input, select, textarea, button").focus();
  }, { "aria-label": `Add to ${title}` });
  if (!fixed) box.append(add);
  draw(value ?? []);
  return box;
}

function field(path, title, schema, value, required, fixed) {
  const id = `setting-${path}`;
  const about = schema.description ? `${id}-about` : null;
  const input = control(schema, value, { id, name: path, "aria-describedby": about, required, disabled: fixed });
  const label = el("label", { for: id }, title);
  const hint = about ? el("small", { id: about }, schema.description) : null;
  if (input.type !== "checkbox") return el("div", { class: "field", "data-path": path }, label, input, hint);
  return el("div", { class: "field", "data-path": path }, el("div", { class: "check" }, input, label), hint);
}

/** Of what has no default nothing may be chosen, and stays so. */
function select(options, value, open, attributes) {
  const chosen = JSON.stringify(value ?? null);
  return el("select", attributes, open ? el("option", { value: "" }, "not set") : null,
    options.map(([each, text]) => el("option", { value: JSON.stringify(each), selected: JSON.stringify(each) === chosen }, text)));
}

function control(schema, value, attributes) {
  const open = schema.default === undefined;
  if (schema.enum) return select(schema.enum.map((each) => [each, String(each ?? "none")]), value, open && !schema.enum.includes(null), attributes);
  switch (kind(schema)) {
    case "boolean":
      if (open && !attributes.required) return select([[true, "yes"], [false, "no"]], value, true, attributes);
      return el("input", { ...attributes, required: false, type: "checkbox", checked: value === true });
    case "integer":
    case "number":
      return el("input", { ...attributes, type: "number", step: kind(schema) === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, value });
    case "string":
      return el("input", { ...attributes, type: schema.writeOnly ? "password" : "text", autocomplete: schema.writeOnly ? "new-password" : "off", maxlength: schema.maxLength, value });
    default: {
      const text = lines(schema) ? (value ?? []).join("\n") : (value ?? null) === null ? "" : JSON.stringify(value, null, 2);
      const made = el("textarea", { ...attributes, rows: Math.min(12, Math.max(3, text.split("\n").length)), spellcheck: "false", "data-lines": lines(schema) ? "" : null });
      made.value = text;
      return made;
    }
  }
}

/** Equal as JSON; the order of members says nothing. */
function same(one, other) {
  if (typeof one !== "object" || one === null || typeof other !== "object" || other === null) return one === other;
  const names = Object.keys(one);
  return Array.isArray(one) === Array.isArray(other) && names.length === Object.keys(other).length && names.every((name) => name in other && same(one[name], other[name]));
}

/** The document to store: what equals its default is left out, so that it follows the default, and
 *  so is what is pinned. Throws {input, message} for a text that cannot be what it should. */
export function read(form, schema, before, pinned = new Map(), path = []) {
  const known = schema.properties ?? {};
  const found = Object.fromEntries(Object.entries(before ?? {}).filter(([name]) => !(name in known)));
  for (const [name, each] of Object.entries(known)) {
    if (!path.length && pinned.has(name)) continue;
    const value = valueOf(form, each, before?.[name], [...path, name]);
    // Below the top the host fills in no defaults: what was there stays there.
    const kept = path.length > 0 && before && name in before && before[name] !== null;
    const isDefault = same(value, each.default) && !kept;
    const empty = plain(each) && !Object.keys(value).length;
    if (value !== undefined && !isDefault && !empty) found[name] = value;
  }
  return found;
}

function valueOf(form, schema, before, path) {
  if (plain(schema)) return read(form, schema, before, new Map(), path);
  const input = form.elements.namedItem(path.join("."));
  if (entries(schema)) {
    const value = entered(form, schema, before, path);
    return value.length || schema.default !== undefined ? value : undefined;
  }
  if (choices(schema)) {
    const value = [...input.querySelectorAll("[data-choice]:checked")].map((each) => JSON.parse(each.dataset.choice));
    return value.length || schema.default !== undefined ? value : undefined;
  }
  return taken(input, schema);
}

/** The entries of a list as they stand in the form. */
function entered(form, schema, before, path) {
  const box = form.elements.namedItem(path.join("."));
  const count = box.querySelector(".entries").children.length;
  return Array.from({ length: count }, (_, at) => {
    const names = Object.keys(schema.items.properties);
    const values = names.map((name) => [name, valueOf(form, schema.items.properties[name], before?.[at]?.[name], [...path, String(at), name])]);
    return Object.fromEntries(values.filter(([, value]) => value !== undefined));
  });
}

function taken(input, schema) {
  if (input.matches("select")) return input.value === "" ? undefined : JSON.parse(input.value);
  switch (kind(schema)) {
    case "boolean":
      return input.checked;
    case "integer":
    case "number":
      return input.value === "" ? undefined : Number(input.value);
    case "string":
      return input.value === "" && schema.default === undefined ? undefined : input.value;
    default:
      if (!input.value.trim() && schema.default === undefined) return undefined;
      if (lines(schema)) return linesOf(input, schema.items);
      if (!input.value.trim()) return undefined;
      try {
        return JSON.parse(input.value);
      } catch {
        throw Object.assign(new Error("This is not valid JSON."), { input });
      }
  }
}

function linesOf(input, schema) {
  const found = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (!NUMBERS.has(kind(schema))) return found;
  const bad = found.find((line) => Number.isNaN(Number(line)));
  if (bad !== undefined) throw Object.assign(new Error(`"${bad}" is no number.`), { input });
  return found.map(Number);
}
