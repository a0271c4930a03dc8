import { ask, byId, trouble, work } from "./desk.js";
import { fieldsOf, refuse, valid } from "./fields.js";

/** Where the visitor wanted to go: a page of this host, whatever the address says. */
function wanted() {
  const next = new URLSearchParams(location.search).get("next") ?? "";
  return /^\/(?!\/)[\w./-]*(\?[\w.=&%-]*)?$/.test(next) ? next : "/admin";
}

async function enter(profileName, pin) {
  await ask("/api/auth/login?cookie=1", { body: { profileName, pin } });
  location.assign(wanted());
}

const form = byId("sign-in");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!valid(form)) return;
  const { profileName, pin } = fieldsOf(form);
  work(form.querySelector("button"), () => enter(profileName.trim(), pin));
});

const recover = byId("recover");
recover.elements.name.addEventListener("change", async () => {
  const profiles = await ask("/api/profiles").catch(() => []);
  const name = recover.elements.name.value.trim();
  const hint = profiles.find((each) => each.name === name)?.recoveryPhraseHint;
  byId("hint").hidden = !hint;
  byId("hint").textContent = hint ? `Your hint: ${hint}` : "";
});
recover.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!valid(recover)) return;
  const values = fieldsOf(recover);
  work(recover.querySelector("button"), async () => {
    try {
      await ask("/api/auth/recover", { body: values });
    } catch (error) {
      if (refuse(recover, error).found) return;
      throw error;
    }
    await enter(values.name.trim(), values.newPin);
  });
});

const status = await ask("/api/setup/status").catch((error) => trouble(error));
if (status && !status.configured) location.replace("/admin/setup");
