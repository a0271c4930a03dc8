// Where posters and descriptions come from: offered as long as nobody is asked for them.

import { ask, send } from "./api.js";

const at = (id) => document.getElementById(id);

function chosen(name) {
  at("choices").hidden = true;
  at("metadata-text").textContent = `${name} is asked from now on: scan a library again.`;
}

function offer(form, name, store, complain) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await store(form.elements);
      form.reset();
      chosen(name);
    } catch (error) {
      complain(error);
    }
  });
}

export async function offerMetadata(complain) {
  offer(
    at("key"),
    "The Movie Database",
    (fields) => send("/settings", { tmdbApiKey: fields.key.value }, "PUT"),
    complain,
  );
  offer(
    at("beside"),
    "What lies beside your files",
    () => send("/settings/providers", { name: "local_files" }),
    complain,
  );
  const rows = await ask("/settings/providers");
  at("metadata").hidden = rows.some((row) => row.enabled && row.configured);
}
