import { ask, byId, trouble, work } from "./desk.js";
import { fieldsOf, mark, refuse, valid } from "./fields.js";

const form = byId("setup");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!valid(form)) return;
  const { pin2, ...values } = fieldsOf(form);
  if (pin2 !== values.pin) {
    mark(form.elements.pin2, "The two PINs differ.");
    form.elements.pin2.focus();
    return;
  }
  work(form.querySelector("button"), async () => {
    try {
      await ask("/api/setup/init", { body: values });
    } catch (error) {
      if (refuse(form, error).found) return;
      throw error;
    }
    await ask("/api/auth/login?cookie=1", { body: { profileName: values.name.trim(), pin: values.pin } });
    location.assign("/admin");
  });
});

const status = await ask("/api/setup/status").catch((error) => trouble(error));
if (status?.configured) location.replace("/admin/sign-in");
