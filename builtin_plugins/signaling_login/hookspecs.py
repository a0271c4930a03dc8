"""What this plugin asks other plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from plugin_sdk import hookspec

__all__ = ["SignalingHooks"]


class SignalingHooks:
    """Hook specifications of ``signaling_login`` (local REST contract, 7.4)."""

    @hookspec
    def signaling_verify_login(
        self, server_url: str, username: str, password: str
    ) -> Mapping[str, Any] | Literal[False] | None:
        """Verify a login in the place of the signaling server ``server_url``, which is an entry
        of the list of allowed ones in its normalised spelling.

        A mapping with ``id``, ``username`` (texts, not empty) and perhaps ``displayName`` lets
        the person in, False turns them away; None leaves it to the next plugin, and in the end
        to the server. The first answer that is not None counts; raising answers 502. Do not keep
        the password.
        """
