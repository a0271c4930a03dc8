/** A form made from a JSON Schema, and the values back out of it. */

import { el } from "./desk.js";

const words = (name) => name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/^./, (first) => first.toUpperCase());
const kind = (schema) => [schema.type].flat().find((type) => type && type !== "null");
const plain = (schema) => kind(schema) === "object" && schema.properties && !schema.$ref && !schema.patternProperties;
const lines = (schema) => kind(schema) === "array" && schema.items?.type === "string" && !schema.items.enum;

/** The elements for an object's properties; the names of inputs are dotted paths. */
export function fields(schema, values, path = []) {
  return Object.entries(schema.properties ?? {}).map(([name, each]) => {
    const here = [...path, name];
    const value = values && name in values ? values[name] : each.default;
    if (plain(each)) {
      return el("fieldset", {}, el("legend", {}, each.title ?? words(name)), each.description ? el("p", { class: "faint" }, each.description) : null, fields(each, value, here));
    }
    return field(here.join("."), name, each, value, (schema.required ?? []).includes(name));
  });
}

function field(path, name, schema, value, required) {
  const id = `setting-${path}`;
  const about = schema.description ? `${id}-about` : null;
  const input = control(schema, value, { id, name: path, "aria-describedby": about, required: required && kind(schema) !== "boolean" });
  const label = el("label", { for: id }, schema.title ?? words(name));
  const hint = about ? el("small", { id: about }, schema.description) : null;
  if (input.type !== "checkbox") return el("div", { class: "field" }, label, input, hint);
  return el("div", { class: "field" }, el("div", { class: "check" }, input, label), hint);
}

function control(schema, value, attributes) {
  if (schema.enum) {
    return el("select", attributes, schema.enum.map((each) => el("option", { value: JSON.stringify(each), selected: JSON.stringify(each) === JSON.stringify(value) }, String(each ?? "none"))));
  }
  switch (kind(schema)) {
    case "boolean":
      return el("input", { ...attributes, type: "checkbox", checked: value === true });
    case "integer":
    case "number":
      return el("input", { ...attributes, type: "number", step: kind(schema) === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, value });
    case "string":
      return el("input", { ...attributes, type: schema.writeOnly ? "password" : "text", autocomplete: schema.writeOnly ? "new-password" : "off", maxlength: schema.maxLength, value });
    default: {
      const text = lines(schema) ? (value ?? []).join("\n") : (value ?? null) === null ? "" : JSON.stringify(value, null, 2);
      const made = el("textarea", { ...attributes, rows: Math.min(12, Math.max(3, text.split("\n").length)), spellcheck: "false" });
      made.value = text;
      return made;
    }
  }
}

/** The document to store: what equals its default is left out, so that it follows the default.
 *  Throws {input, message} for a text that is no JSON. */
export function read(form, schema, before, path = []) {
  const known = schema.properties ?? {};
  const found = Object.fromEntries(Object.entries(before ?? {}).filter(([name]) => !(name in known)));
  for (const [name, each] of Object.entries(known)) {
    const here = [...path, name];
    const value = plain(each) ? read(form, each, before?.[name], here) : taken(form.elements[here.join(".")], each);
    const isDefault = JSON.stringify(value) === JSON.stringify(each.default);
    const empty = plain(each) && !Object.keys(value).length;
    if (value !== undefined && !isDefault && !empty) found[name] = value;
  }
  return found;
}

function taken(input, schema) {
  if (schema.enum) return JSON.parse(input.value);
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
      if (lines(schema)) return input.value.split("\n").map((line) => line.trim()).filter(Boolean);
      if (!input.value.trim()) return undefined;
      try {
        return JSON.parse(input.value);
      } catch {
        throw Object.assign(new Error("This is not valid JSON."), { input });
      }
  }
}

