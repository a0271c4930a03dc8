"""Putting messages into the boxes of contacts (contract, 5.3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.drops.directory import Contact, Identity
from builtin_plugins.drops.drop_urls import host_of
from builtin_plugins.drops.sealing import SealError, seal_pdu
from plugin_sdk import Http, Settings, StageboxError, UpstreamFailed

__all__ = ["Delivery", "Sender"]

_HEADERS: Final = {
    "Content-Type": "application/octet-stream",
    "Authorization": "Client Qabel",
}
_MAX_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went with one recipient: ``drop_url`` where it was sent, else ``error``."""

    contact: Contact
    drop_url: str | None = None
    error: str = ""
    too_large: bool = False

    def shown(self) -> dict[str, Any]:
        if self.drop_url is not None:
            return {"recipient": self.contact.id, "status": "sent", "drop_url": self.drop_url}
        return {"recipient": self.contact.id, "status": "failed", "error": self.error}


class Sender:
    """Seals for each recipient anew and posts to the first of the contact's boxes that takes it."""

    def __init__(self, http: Http, settings: Settings) -> None:
        self._http = http
        self._settings = settings

    def send(self, identity: Identity, contacts: Sequence[Contact], text: bytes) -> list[Delivery]:
        """To all at the same time; in the order of the contacts."""
        if len(contacts) == 1:
            return [self.deliver(identity, contacts[0], text)]
        workers = min(len(contacts), self._settings["maxParallelBoxes"])
        with ThreadPoolExecutor(workers, thread_name_prefix="drops-send") as pool:
            return list(pool.map(lambda each: self.deliver(identity, each, text), contacts))

    def deliver(self, identity: Identity, contact: Contact, text: bytes) -> Delivery:
        """Never raises for a server that does not take it."""
        error, too_large = "The contact has no DropURL.", False
        for url in contact.drop_urls:
            try:
                status = self._post(identity, contact, url, text)
            except SealError as failed:
                return Delivery(contact, error=str(failed))
            except StageboxError as failed:
                error = failed.message
                continue
            if status == 200:
                return Delivery(contact, url)
            too_large = too_large or status == 413
            error = f"{host_of(url)} answered {status}."
        return Delivery(contact, error=error, too_large=too_large)

    def _post(self, identity: Identity, contact: Contact, url: str, text: bytes) -> int:
        """The status. A connection that had been kept open may turn out closed, so what fails at
        once is tried again; a message that arrives twice is listed once."""
        budget: float = self._settings["boxTimeoutSeconds"]
        end = time.monotonic() + budget
        try:
            return self._exchange(identity, contact, url, text, budget)
        except UpstreamFailed:
            left = end - time.monotonic()
            if left < budget / 2:
                raise
            return self._exchange(identity, contact, url, text, left)

    def _exchange(
        self, identity: Identity, contact: Contact, url: str, text: bytes, timeout: float
    ) -> int:
        pdu = seal_pdu(identity.private_key, bytes.fromhex(contact.key), text)
        reply = self._http.request(
            "POST", url, headers=_HEADERS, content=pdu, timeout=timeout, max_bytes=_MAX_ANSWER
        )
        return reply.status
