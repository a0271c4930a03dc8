"""The question to a signaling server, and what its answer means (local REST contract, 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from builtin_plugins.signaling_login.credentials import Credentials
from plugin_sdk import (
    Hooks,
    Http,
    Invalid,
    Logger,
    Settings,
    StageboxError,
    Unauthenticated,
    UpstreamFailed,
    dump_json,
    parse_json,
)

__all__ = ["Upstream", "User"]

_MAX_ANSWER: Final = 64 * 1024
_REJECTED: Final = frozenset({400, 401, 403, 422})
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class User:
    """Who a signaling server says it is."""

    id: str
    username: str
    display_name: str

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "username": self.username, "displayName": self.display_name}

    @classmethod
    def from_answer(cls, answer: Any) -> User:
        """Everything else in the answer is dropped. Raises UpstreamFailed for nonsense."""
        if isinstance(answer, Mapping):
            id, username = answer.get("id"), answer.get("username")
            if isinstance(id, str) and id and isinstance(username, str) and username:
                display_name = answer.get("displayName")
                named = isinstance(display_name, str) and display_name
                return cls(id, username, str(display_name) if named else username)
        raise UpstreamFailed("The signaling server did not say who this is.")


class Upstream:
    """Asks the plugins that answer ``signaling_verify_login``, else the server itself."""

    def __init__(self, http: Http, hooks: Hooks, settings: Settings, log: Logger) -> None:
        self._http = http
        self._hooks = hooks
        self._settings = settings
        self._log = log

    def verify(self, server: str, credentials: Credentials) -> User:
        """``server`` is an entry of the list. Raises Unauthenticated (INVALID_CREDENTIALS) when
        the credentials are rejected, UpstreamFailed for all that is no answer."""
        verdict = self._asked_plugins(server, credentials)
        if verdict is None:
            verdict = self._asked_server(server, credentials)
        if verdict is False:
            raise Unauthenticated(
                "The signaling server does not accept this login.", code="INVALID_CREDENTIALS"
            )
        return User.from_answer(verdict)

    def _asked_plugins(self, server: str, credentials: Credentials) -> Any:
        try:
            verdict = self._hooks.first(
                "signaling_verify_login",
                server_url=server,
                username=credentials.username,
                password=credentials.password,
            )
            if isinstance(verdict, Mapping):
                return parse_json(dump_json(dict(verdict)))  # what could not be sent is nonsense
            return verdict
        except Exception as error:  # foreign code; its text might repeat the password
            self._log.error("A hook signaling_verify_login raised %s.", type(error).__name__)
            raise _unreachable() from None

    def _asked_server(self, server: str, credentials: Credentials) -> Any:
        try:
            return self._exchange(server, credentials)
        except StageboxError as error:  # all that keeps an answer from arriving or being read
            self._log.warning("No login through %s: %s", server, error.message)
            raise _unreachable() from None

    def _exchange(self, server: str, credentials: Credentials) -> Any:
        """The answer's JSON value, or False when the server rejects; the body of an answer that
        is no 200 is not even read."""
        fields = asdict(credentials)
        body = {name: fields[name] for name in ("username", "password")}
        with self._http.stream(
            "POST",
            f"{server}/api/users/login",
            headers=_HEADERS,
            content=dump_json(body).encode(),
            timeout=self._settings["upstreamTimeoutSeconds"],
            max_bytes=_MAX_ANSWER,
        ) as answer:
            if answer.status in _REJECTED:
                return False
            if answer.status != 200:
                raise UpstreamFailed(f"it answered with status {answer.status}.")
            content = b"".join(answer.chunks())
        value = parse_json(content)
        if not isinstance(value, dict):
            raise Invalid("its answer is no JSON object.")
        return value


def _unreachable() -> UpstreamFailed:
    return UpstreamFailed("The signaling server could not be reached, or gave no usable answer.")
