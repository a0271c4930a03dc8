import { Refusal, ask, byId, button, confirm, el, may, plural, ready, say, trouble, work } from "./desk.js";
import { refuse, valid } from "./fields.js";

const dialog = byId("edit");
const form = dialog.querySelector("form");
let profiles = [];
let groups = [];
let permissions = [];
let submit = null;

byId("edit-no").addEventListener("click", () => dialog.close());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!valid(form)) return;
  work(form.querySelector(".main"), async () => {
    try {
      await submit();
    } catch (error) {
      if (error instanceof Refusal && refuse(form, error).found) return;
      throw error;
    }
    dialog.close();
    await load();
  }, byId("edit-trouble"));
});

function edit(title, fields, action) {
  byId("edit-title").textContent = title;
  byId("edit-fields").replaceChildren(...fields);
  trouble(null, byId("edit-trouble"));
  submit = action;
  dialog.showModal();
}

const field = (name, label, attributes = {}, hint = "") =>
  el("div", { class: "field" }, el("label", { for: `e-${name}` }, label), el("input", { id: `e-${name}`, name, autocomplete: "off", ...attributes }), hint ? el("small", {}, hint) : null);
const checks = (name, legend, options, chosen) =>
  el("fieldset", {}, el("legend", {}, legend), options.map(([value, label]) =>
    el("label", { class: "check" }, el("input", { type: "checkbox", name, value, checked: chosen.includes(value) }), label)));
const checked = (name) => [...form.querySelectorAll(`[name="${name}"]:checked`)].map((each) => each.value);

function editProfile(profile) {
  const secret = { type: "password", autocomplete: "new-password", required: !profile };
  const keep = profile ? "Leave it empty to keep it." : "";
  edit(profile ? `Change ${profile.name}` : "New profile", [
    field("name", "Name", { required: true, maxlength: 64, value: profile?.name }),
    field("pin", "PIN", { ...secret, minlength: 4, maxlength: 32 }, keep || "4 to 32 characters"),
    field("recoveryPhrase", "Recovery phrase", { ...secret, minlength: 4, maxlength: 128 }, keep),
    field("recoveryPhraseHint", "What reminds of the phrase", { maxlength: 128, value: profile?.recoveryPhraseHint }),
  ], async () => {
    const sent = Object.fromEntries([...new FormData(form)].filter(([name, value]) => value || name === "recoveryPhraseHint"));
    await ask(profile ? `/api/profiles/${profile.id}` : "/api/profiles", { method: profile ? "PATCH" : "POST", body: sent });
    say(`${sent.name} is saved.`);
  });
}

function editGroup(group) {
  edit(group ? `Change ${group.name}` : "New group", [
    field("name", "Name", { required: true, maxlength: 128, value: group?.name }),
    checks("profileIds", "Members", profiles.map((each) => [String(each.id), each.name]), (group?.profileIds ?? []).map(String)),
    checks("permissions", "May", choices(group), group?.permissions ?? []),
  ], async () => {
    const name = form.elements.name.value;
    const sent = { name, profileIds: checked("profileIds").map(Number), permissions: checked("permissions") };
    await ask(`/api/admin/permission-groups${group ? `/${group.id}` : ""}`, { method: group ? "PATCH" : "POST", body: sent });
    say(`${name} is saved.`);
  });
}

/** All permissions that there are, and those of plugins that are off but granted. */
function choices(group) {
  const known = new Set(permissions.map((each) => each.name));
  const off = (group?.permissions ?? []).filter((name) => !known.has(name));
  return [...permissions.map((each) => [each.name, `${each.name}: ${each.description}`]), ...off.map((name) => [name, `${name} (its plugin is off)`])];
}

async function remove(what, path) {
  if (!(await confirm(`Delete ${what}?`, el("p", {}, "This cannot be undone."), "Delete", { danger: true }))) return;
  await ask(path, { method: "DELETE" });
  await load();
  say(`${what} is deleted.`);
}

function profileRow(profile) {
  const { id, name, locked } = profile;
  const own = groups.filter((each) => each.profileIds.includes(id)).map((each) => each.name);
  return el("li", { "data-id": id }, el("div", { class: "head" }, el("h3", {}, name), locked ? el("span", { class: "state failed" }, "locked") : null,
    own.length ? el("small", {}, own.join(", ")) : null,
    el("span", { class: "buttons" }, may("MANAGE_PROFILES") ? [
      button("Change", () => editProfile(profile), { "aria-label": `Change ${name}` }),
      button(locked ? "Unlock" : "Lock", async () => {
        await ask(`/api/profiles/${id}`, { method: "PATCH", body: { locked: !locked } });
        await load();
      }, { "aria-label": `${locked ? "Unlock" : "Lock"} ${name}` }),
      button("Delete", () => remove(name, `/api/profiles/${id}`), { class: "danger", "aria-label": `Delete ${name}` }),
    ] : [])));
}

function groupRow(group) {
  const { id, name } = group;
  const members = group.profileIds.map((each) => profiles.find((profile) => profile.id === each)?.name ?? each);
  return el("li", { "data-id": id }, el("div", { class: "head" }, el("h3", {}, name), el("small", {}, plural(members.length, "member")),
    el("span", { class: "buttons" },
      button("Change", () => editGroup(group), { "aria-label": `Change group ${name}` }),
      button("Delete", () => remove(`group ${name}`, `/api/admin/permission-groups/${id}`), { class: "danger", "aria-label": `Delete group ${name}` }))),
  el("p", { class: "faint" }, members.join(", ") || "no members"), el("p", {}, group.permissions.join(", ") || "no permissions"));
}

async function load() {
  const grants = may("MANAGE_PERMISSIONS");
  [profiles, permissions, groups] = await Promise.all([
    ask("/api/profiles"), ask("/api/plugins/permissions/available"), grants ? ask("/api/admin/permission-groups") : []]);
  byId("profiles").replaceChildren(...profiles.map(profileRow));
  byId("groups").replaceChildren(...groups.map(groupRow));
  byId("groups-part").hidden = !grants;
  byId("new-profile").hidden = !may("MANAGE_PROFILES");
  ready("profiles");
}

byId("new-profile").addEventListener("click", () => editProfile(null));
byId("new-group").addEventListener("click", () => editGroup(null));
work(null, load);
