"""Login: what an auth provider is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from plugin_sdk.access import Principal
from plugin_sdk.http import Request

__all__ = ["AuthProvider", "Login"]


@dataclass(frozen=True, slots=True)
class Login:
    """A login that succeeded. ``expires_at`` is milliseconds since the epoch; ``extra`` stands
    beside ``token`` and ``expiresAt`` in the answer (``{"profile": {...}}``, say)."""

    token: str = field(repr=False)
    expires_at: int
    principal: Principal
    extra: Mapping[str, Any] = field(default_factory=dict)


class AuthProvider(ABC):
    """The provider type ``auth``: claims a login body, knows its own tokens.

    All active ones stand side by side behind ``POST /api/auth/login``; the first that claims the
    body decides. Tokens are kept as hashes only. ``plugin_sdk.testing.AuthSuite`` says in tests
    what each method promises.
    """

    name: ClassVar[str]

    @abstractmethod
    def claims(self, body: Mapping[str, Any]) -> bool:
        """Whether a login body is of this provider's shape, judged by its keys alone."""

    @abstractmethod
    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        """Raises Invalid for bad fields, Unauthenticated(code="INVALID_CREDENTIALS") for wrong
        ones, and whatever else its contract says."""

    @abstractmethod
    def identify(self, token: str) -> Principal | None:
        """Who stands behind a token; None when it is not one of this provider's live tokens.

        Asked once for each request: one indexed look-up."""

    @abstractmethod
    def logout(self, token: str) -> bool:
        """Ends exactly this token; False when it was not a live one of this provider."""

    def governs(self) -> bool:
        """Whether this provider knows an administrator. While no active provider does, a caller
        from this machine counts as administrator, so that a fresh host can be set up."""
        return False
