"""What ``/drop`` answers (contract, sections 5 and 7)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from builtin_plugins.drops import strict
from builtin_plugins.drops.answers import empty, found, invalid, listing, refusal, value
from builtin_plugins.drops.directory import Contact, Directories, Directory, Identity
from builtin_plugins.drops.documents import Given
from builtin_plugins.drops.inbox import Inbox
from builtin_plugins.drops.keys import is_key
from builtin_plugins.drops.parameters import Unreadable, parameters, read_body
from builtin_plugins.drops.rounds import Outcome, Rounds
from builtin_plugins.drops.schema import HIGHEST_INT, has_type
from builtin_plugins.drops.sealing import MAX_TEXT_BYTES
from builtin_plugins.drops.sending import Delivery, Sender
from builtin_plugins.drops.wire import BadMessage, Message, read_posted, wire_text
from plugin_sdk import Context, NotFound, Request, Response, StageboxError, TooLarge

__all__ = ["DropRoutes"]

_MOST_WAITING: Final = 4
"""Half of the calls that a host lets into one plugin at a time."""
_PATIENCE: Final = 0.25
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_Who = int | str
"""The id of an item, or a key id."""


class DropRoutes:
    """``note`` is told of each round that a caller waited for."""

    def __init__(
        self,
        context: Context,
        directories: Directories,
        inbox: Inbox,
        rounds: Rounds,
        sender: Sender,
        note: Callable[[Outcome], object],
    ) -> None:
        self._context = context
        self._directories = directories
        self._inbox = inbox
        self._rounds = rounds
        self._sender = sender
        self._note = note
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)

    def get(self, request: Request) -> Response:
        """New messages, or all of them; a HEAD looks and takes nothing."""
        outcome = self._round()
        receivers = self._directories.present().identities
        headers = {"X-Qabel-Drop-Errors": str(outcome.failed)} if outcome.failed else {}
        everything = request.query.all("all") == ("true",)
        if request.method == "HEAD" or everything:
            if not self._inbox.has(receivers, only_new=not everything):
                return empty(204, headers)
            if request.method == "HEAD":
                return found(headers)
            return listing(self._inbox.all(receivers), headers)
        texts = self._inbox.take(receivers)
        return listing(texts, headers) if texts else empty(204, headers)

    def _round(self) -> Outcome:
        """A round of the caller's own. While drop servers are dead each waits for long, so only
        a few may: the others get what is there, and leave the host's threads to other routes."""
        if not self._waiting.acquire(timeout=_PATIENCE):
            return self._rounds.so_far()
        try:
            outcome = self._rounds.run()
        finally:
            self._waiting.release()
        self._note(outcome)
        return outcome

    def post(self, request: Request) -> Response:
        """Sends a message; what is judged when is the contract's order (5.3)."""
        recipients, sender, content = _read(request)
        directory = self._directories.present()
        identity = _identity(directory, sender)
        try:
            now = self._context.clock.ms()
            message, receiver = read_posted(content, identity.key, now)
        except BadMessage as error:
            raise invalid(str(error), "INVALID_DROP_MESSAGE") from None
        known = _known(directory, identity)
        _check_receiver(receiver, known, recipients)
        contacts = _contacts(known, recipients)
        _check_reachable(contacts)
        wire = wire_text(message)
        if len(wire) > MAX_TEXT_BYTES:
            raise _too_large(f"The message has {len(wire)} bytes; {MAX_TEXT_BYTES} are allowed.")
        deliveries = self._sender.send(identity, contacts, wire)
        self._tell(message, deliveries)
        return _answer(deliveries)

    def _tell(self, message: Message, deliveries: Sequence[Delivery]) -> None:
        sent = [each for each in deliveries if each.drop_url is not None]
        if not sent:
            return
        with self._context.db.transaction():
            for each in sent:
                self._context.events.emit("drops.sent", message.told(each.contact.key))
        results = [each.shown() for each in deliveries]
        self._context.hooks.call("drops_sent", message=message.shown(), results=results)


def _read(request: Request) -> tuple[list[_Who], _Who, Any]:
    """Recipients, sender and message: their form only."""
    try:
        body = read_body(request)
    except Unreadable as error:
        raise invalid(str(error)) from None
    except strict.NotStrict as error:
        raise invalid(f"The body cannot be kept: {error}.") from None
    given = parameters(request, body, ("recipients", "sender", "drop_message"))
    recipients = _recipients(given.get("recipients"))
    sender = given.get("sender")
    who = _who(sender.value) if sender is not None else None
    if who is None:
        text = "sender is needed: the id or the key id of an identity."
        raise invalid(text, "INVALID_SENDER")
    return recipients, who, _content(given)


def _recipients(given: Given | None) -> list[_Who]:
    value = given.value if given is not None else None
    if given is not None and not given.typed:
        try:
            value = strict.parse(given.value)
        except (strict.NotJson, strict.NotStrict):
            value = None
    found = [_who(each) for each in value] if isinstance(value, list) else []
    known = [each for each in found if each is not None]
    if not known or len(known) < len(found):
        text = "recipients is needed: a list of ids or key ids of contacts."
        raise invalid(text, "INVALID_RECIPIENTS")
    return known


def _content(given: Mapping[str, Given]) -> Any:
    content = given["drop_message"].value if "drop_message" in given else None
    if isinstance(content, str):
        try:
            content = strict.parse(content)
        except (strict.NotJson, strict.NotStrict):
            content = None
    if not isinstance(content, dict):
        text = "drop_message is needed: an object, or its JSON text."
        raise invalid(text, "INVALID_DROP_MESSAGE")
    return content


def _who(value: Any) -> _Who | None:
    if isinstance(value, str):
        if is_key(value):
            return value.lower()
        value = int(value) if _NUMBER.fullmatch(value) else None
    return value if has_type(value, int) and 0 <= value <= HIGHEST_INT else None


def _identity(directory: Directory, who: _Who) -> Identity:
    for identity in directory.identities.values():
        if who in (identity.id, identity.key):
            return identity
    raise invalid("There is no such identity to send from.", "INVALID_SENDER")


def _known(directory: Directory, identity: Identity) -> Mapping[_Who, Contact]:
    """The contacts of an identity, by id and by key id."""
    own = [each for each in directory.contacts.values() if each.owner == identity.key]
    return {each.id: each for each in own} | {each.key: each for each in own}


def _check_receiver(
    receiver: str | None, known: Mapping[_Who, Contact], recipients: Sequence[_Who]
) -> None:
    """A message may name its receiver if there is one only. Judged before it is known whether
    all recipients exist: an id that is nobody's is none of this."""
    named = {known[each].key if each in known else each for each in recipients}
    if receiver is not None and (len(named) > 1 or {*filter(_is_text, named)} - {receiver}):
        text = "receiver is given for one recipient only, and is that one's key id."
        raise invalid(text, "INVALID_DROP_MESSAGE")


def _is_text(who: _Who) -> bool:
    return isinstance(who, str)


def _contacts(known: Mapping[_Who, Contact], recipients: Sequence[_Who]) -> list[Contact]:
    """Each once. Raises NotFound if one of them is missing."""
    missing = [str(each) for each in recipients if each not in known]
    if missing:
        text = f"The sender has no such contacts: {', '.join(missing[:10])}."
        raise refusal(NotFound, text, "RECIPIENTS_NOT_FOUND")
    return list({known[each].id: known[each] for each in recipients}.values())


def _check_reachable(contacts: Sequence[Contact]) -> None:
    without = [str(each.id) for each in contacts if not each.drop_urls]
    if without:
        text = f"There is no DropURL to reach these contacts: {', '.join(without[:10])}."
        raise invalid(text, "NO_DROP_URL")


def _answer(deliveries: Sequence[Delivery]) -> Response:
    results = [each.shown() for each in deliveries]
    if all(each.drop_url is not None for each in deliveries):
        return value({"results": results}, 201)
    error = "DROP_NOT_DELIVERED"
    text = "Not every recipient could be reached."
    status = 502
    if any(each.too_large for each in deliveries if each.drop_url is None):
        error, status = "DROP_MESSAGE_TOO_LARGE", 413
        text = "A drop server finds the message too large."
    return value({"error": error, "message": text, "results": results}, status)


def _too_large(text: str) -> StageboxError:
    return refusal(TooLarge, text, "DROP_MESSAGE_TOO_LARGE")
