"""Drop messages: their shape at ``/drop`` and on the wire (contract, section 5)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from builtin_plugins.drops import strict

__all__ = ["INTERNAL", "BadMessage", "Message", "digest", "read_posted", "read_wire", "wire_text"]

INTERNAL: Final = "drop"
"""The model object of messages that are the protocol's own: acknowledgements."""

_HIGHEST: Final = 2**63 - 1
_POSTED: Final = (
    "version",
    "time_stamp",
    "acknowledge_id",
    "sender",
    "receiver",
    "model_object",
    "data",
)


class BadMessage(ValueError):
    """Why something is no drop message, as a sentence."""


@dataclass(frozen=True, slots=True)
class Message:
    """``time_stamp`` is milliseconds since the epoch; ``sender`` and ``receiver`` are key ids;
    ``acknowledge_id`` is "0" where none is wanted."""

    time_stamp: int
    sender: str
    model_object: str
    data: dict[str, Any]
    acknowledge_id: str = "0"
    receiver: str = ""

    def shown(self) -> dict[str, Any]:
        """The seven members of an answer."""
        return {
            "version": 1,
            "time_stamp": self.time_stamp,
            "acknowledge_id": self.acknowledge_id,
            "sender": self.sender,
            "receiver": self.receiver,
            "model_object": self.model_object,
            "data": self.data,
        }

    def told(self, receiver: str) -> dict[str, str]:
        """What events say of it: nothing of its content. They cannot carry U+0000."""
        model = self.model_object.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return {"receiver": receiver, "sender": self.sender, "model_object": model}


def wire_text(message: Message) -> bytes:
    """The JSON that is sealed (5.2)."""
    shape = {
        "version": 1,
        "time_stamp": message.time_stamp,
        "sender": message.sender,
        "acknowledge_id": message.acknowledge_id,
        "drop_payload": strict.compact(message.data),
        "drop_payload_type": message.model_object,
    }
    return strict.compact(shape).encode()


def read_wire(text: bytes, receiver: str) -> Message | None:
    """What was opened for a key id; None for what is no message. The sender is what the JSON
    says, not checked yet."""
    try:
        shape = strict.parse(text, unique=False)
    except (strict.NotJson, strict.NotStrict):
        return None
    if not isinstance(shape, dict) or not _is_one(shape.get("version")):
        return None
    sender, acknowledge = shape.get("sender"), shape.get("acknowledge_id", "0")
    moment, payload = shape.get("time_stamp"), _payload(shape)
    if not isinstance(sender, str) or not isinstance(acknowledge, str):
        return None
    if not _is_moment(moment) or payload is None:
        return None
    return Message(moment, sender.lower(), payload[0], payload[1], acknowledge, receiver)


def digest(receiver: str, text: bytes) -> str:
    """What a message is known by: the same text for the same receiver is the same message."""
    return hashlib.sha256(bytes.fromhex(receiver) + text).hexdigest()


def read_posted(value: Any, sender: str, now_ms: int) -> tuple[Message, str | None]:
    """What a client wants sent, and the receiver it names. Raises BadMessage (5.1)."""
    if not isinstance(value, dict):
        raise BadMessage("A drop message is a JSON object.")
    for name in value:
        if name not in _POSTED:
            raise BadMessage(f'A drop message has no member "{name[:80]}".')
    if not _is_one(value.get("version", 1)):
        raise BadMessage("The version of a drop message is 1.")
    moment = value.get("time_stamp", now_ms)
    if not _is_moment(moment):
        raise BadMessage("time_stamp is an integer of milliseconds, not negative.")
    acknowledge = value.get("acknowledge_id", "0")
    if not isinstance(acknowledge, str):
        raise BadMessage("acknowledge_id is a text.")
    named = value.get("sender", sender)
    if not isinstance(named, str) or named.lower() != sender:
        raise BadMessage("sender of the message is not the identity that sends it.")
    model = value.get("model_object")
    if not isinstance(model, str) or not model:
        raise BadMessage("model_object is needed: the name of the module, a text.")
    if model == INTERNAL:
        raise BadMessage(f'model_object "{INTERNAL}" is reserved.')
    data = value.get("data")
    if not isinstance(data, dict):
        raise BadMessage("data is needed: an object.")
    message = Message(moment, sender, model, data, acknowledge)
    if "receiver" not in value:
        return message, None
    receiver = value["receiver"]
    if not isinstance(receiver, str):
        raise BadMessage("receiver is a text: the key id of the only recipient.")
    return message, receiver.lower()


def _payload(shape: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Both vocabularies."""
    if "model_object" in shape:
        model, data = shape["model_object"], shape.get("data")
    else:
        model, data = shape.get("drop_payload_type"), _unfolded(shape.get("drop_payload"))
    if not isinstance(model, str) or not model or not isinstance(data, dict):
        return None
    return model, data


def _unfolded(payload: Any) -> dict[str, Any] | None:
    if not isinstance(payload, str):
        return None
    try:
        data = strict.parse(payload, unique=False)
    except (strict.NotJson, strict.NotStrict):
        return {"payload": payload}
    return data if isinstance(data, dict) else {"payload": payload}


def _is_one(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == 1


def _is_moment(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _HIGHEST
