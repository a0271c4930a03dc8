"""``stagebox why``: how a decision about a profile's permission comes about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from builtin_plugins.accounts.identities import principal_of
from builtin_plugins.accounts.permissions import canonical
from builtin_plugins.accounts.profiles import ProfileStore
from plugin_sdk import ADMIN, Context, Invalid, NotFound, Principal

__all__ = ["explain"]

_GRANTING: Final = """
    SELECT g.name, p.permission FROM permission_groups g
    JOIN group_members m ON m.group_id = g.id
    JOIN group_permissions p ON p.group_id = g.id
    WHERE m.profile_id = :profile AND p.permission IN (:permission, :admin)
    ORDER BY g.name_key, p.permission
"""
_HOLDING: Final = """
    SELECT g.name FROM permission_groups g JOIN group_permissions p ON p.group_id = g.id
    WHERE p.permission = :permission ORDER BY g.name_key
"""
_SHOWN: Final = 20
_UNDENIABLE: Final = frozenset({ADMIN, "MANAGE_PLUGINS"})


def explain(context: Context, profiles: ProfileStore, name: str, permission: str) -> Iterator[str]:
    """The decision, then what it follows from, a line each.

    Plugins are asked for no resource in particular: about certain ones they may say otherwise.
    Raises NotFound for an unknown profile, Invalid for what is no permission's name."""
    wanted = canonical(permission)
    if wanted is None:
        near = _near(context, permission)
        meant = f'; did you mean "{near}"?' if near else ': UPLOAD, or "ada.notes:write".'
        raise Invalid(f'"{permission}" is no name of a permission{meant}')
    row = profiles.by_name(name)
    if row is None:
        raise NotFound(f'There is no profile named "{name}"; see `stagebox accounts list`.')
    who = principal_of(row)
    votes = list(_votes(context, who, wanted))
    holds = who.holds(wanted)
    allowed = context.permissions.allowed(who, wanted)
    yield f"{row['name']} {'may' if allowed else 'may not'}: {wanted}"
    if row["locked"]:
        yield "An administrator has locked this profile: it cannot sign in at all."
    yield from _about(context, wanted)
    yield from _grants(context, row["id"], wanted)
    yield from votes
    if not allowed and holds and wanted in _UNDENIABLE and ADMIN in who.permissions:
        yield "Routes let an administrator through all the same: no plugin can forbid that."


def _about(context: Context, wanted: str) -> Iterator[str]:
    for each in context.permissions.available():
        if each.name == wanted:
            owner = f"plugin {each.plugin_id}" if each.plugin_id else "the host"
            yield f"It is a permission of {owner}: {each.description}."
            return
    near = _near(context, wanted)
    meant = f' Did you mean "{near}"?' if near else ""
    yield f"No plugin that is on declares this permission, so nothing asks for it.{meant}"


def _near(context: Context, name: str) -> str | None:
    """The permission that looks most like it, if one does."""
    known = {each.name.casefold(): each.name for each in context.permissions.available()}
    found = get_close_matches(name.casefold(), known, n=1, cutoff=0.8)
    return known[found[0]] if found else None


def _grants(context: Context, profile: int, wanted: str) -> Iterator[str]:
    """Which groups grant it to the profile; else, which could."""
    params = {"profile": profile, "permission": wanted, "admin": ADMIN}
    found = context.db.query(_GRANTING, params)
    for row in found:
        through = "" if row["permission"] == wanted else ", which includes all permissions"
        yield f'The group "{row["name"]}" grants {row["permission"]}{through}.'
    if found:
        return
    names = context.db.values(_HOLDING, {"permission": wanted})
    yield "No group of this profile grants it." + _listed(names)


def _listed(names: Sequence[str]) -> str:
    if not names:
        return " No other group does either."
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    shown = ", ".join(f'"{name}"' for name in names[:_SHOWN])
    return f" These groups would: {shown}{more}."


def _votes(context: Context, who: Principal, wanted: str) -> Iterator[str]:
    """What plugins say in their hook ``decide``."""
    results = context.hooks.call("decide", principal=who, permission=wanted, resources=())
    for result in results:
        if result.error is not None:
            yield f"The plugin {result.plugin_id} failed to decide, which denies it: {result.error}"
        elif result.value is None:
            yield f"The plugin {result.plugin_id} leaves it to the others."
        else:
            verb = "allows" if result.value is True else "denies"
            yield f"The plugin {result.plugin_id} {verb} it, whatever was granted."
