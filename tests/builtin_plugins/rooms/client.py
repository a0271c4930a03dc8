"""A client of open groups, written from the contract alone: it shares no code with the server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Refused(Exception):
    """The server answered with another status than 200."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(status, answer)
        self.status = status


def _connection(address: str) -> http.client.HTTPConnection:
    host, _, port = address.removeprefix("http://").rpartition(":")
    return http.client.HTTPConnection(host, int(port), timeout=60)


class Client:
    """One person with one connection."""

    def __init__(self, address: str, secret: bytes | None = None) -> None:
        self._secret = X25519PrivateKey.from_private_bytes(secret or os.urandom(32))
        self.key = "05" + self._secret.public_key().public_bytes_raw().hex()
        self.tokens: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self._connection = _connection(address)

    def move_to(self, address: str) -> None:
        """The same person at another address of the server."""
        self._connection.close()
        self._connection = _connection(address)

    def close(self) -> None:
        self._connection.close()

    def send(
        self, method: str, path: str, content: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and parsed body; checks what every answer must be (2.1)."""
        self._connection.request(method, path, body=content, headers=headers)
        answer = self._connection.getresponse()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        text = answer.read()
        assert self.headers["content-type"] == "application/json", (answer.status, text)
        assert self.headers["cache-control"] == "no-store"
        assert "www-authenticate" not in self.headers
        if method == "HEAD":
            assert text == b""
            return answer.status, None
        body = json.loads(text)
        assert body["status_code"] == answer.status
        if answer.status != 200:
            assert set(body) == {"status_code", "error"} | (
                {"incident"} if answer.status == 500 else set()
            )
        return answer.status, body

    def ask(
        self,
        method: str,
        path: str,
        room: str | None = None,
        body: Any = None,
        *,
        token: str | None = None,
    ) -> Any:
        """The answer to a call in a room with its token. Raises Refused."""
        headers = {}
        if room is not None:
            headers["Room"] = room
            known = self.tokens.get(room) if token is None else token
            if known is not None:
                headers["Authorization"] = known
        content = None if body is None else json.dumps(body).encode()
        status, answer = self.send(method, path, content, **headers)
        if status != 200:
            raise Refused(status, answer)
        return answer

    # Logging in (4)

    def challenge(self, room: str) -> str:
        path = f"/auth_token_challenge?public_key={self.key}"
        status, answer = self.send("GET", path, Room=room)
        if status != 200:
            raise Refused(status, answer)
        return self.decrypt(answer["challenge"])

    def decrypt(self, challenge: dict[str, str]) -> str:
        assert set(challenge) == {"ciphertext", "ephemeral_public_key"}
        assert len(challenge["ciphertext"]) == 104
        assert len(challenge["ephemeral_public_key"]) == 44
        ciphertext = base64.b64decode(challenge["ciphertext"], validate=True)
        ephemeral = base64.b64decode(challenge["ephemeral_public_key"], validate=True)
        shared = self._secret.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        key = hmac.new(b"LOKI", shared, hashlib.sha256).digest()
        return AESGCM(key).decrypt(ciphertext[:12], ciphertext[12:], None).hex()

    def claim(self, room: str, token: str) -> None:
        self.ask("POST", "/claim_auth_token", room, {"public_key": self.key}, token=token)

    def login(self, room: str) -> str:
        token = self.challenge(room)
        assert len(token) == 96
        self.claim(room, token)
        self.tokens[room] = token
        return token

    # Messages (6, 7, 8)

    def post(self, room: str, data: bytes = b"hello") -> dict[str, Any]:
        body = {
            "data": base64.b64encode(data).decode(),
            "signature": base64.b64encode(bytes(64)).decode(),
            "timestamp": 1,
        }
        message: dict[str, Any] = self.ask("POST", "/messages", room, body)["message"]
        assert set(message) == {"server_id", "public_key", "timestamp", "data", "signature"}
        return message

    def messages(self, room: str, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/messages{query}", room)["messages"]
        return found

    def delete(self, room: str, *numbers: int) -> None:
        self.ask("POST", "/delete_messages", room, {"ids": list(numbers)})

    def deletions(self, room: str, query: str = "") -> list[dict[str, int]]:
        found: list[dict[str, int]] = self.ask("GET", f"/deleted_messages{query}", room)["ids"]
        return found

    def poll(self, room: str, messages: int | None = None, deletions: int | None = None) -> Any:
        entry = {"room_id": room, "auth_token": self.tokens.get(room, "")}
        if messages is not None:
            entry["from_message_server_id"] = messages
        if deletions is not None:
            entry["from_deletion_server_id"] = deletions
        results = self.ask("POST", "/compact_poll", body={"requests": [entry]})["results"]
        assert len(results) == 1
        result = results[0]
        assert set(result) == {"room_id", "status_code", "deletions", "messages", "moderators"}
        assert result["room_id"] == room
        return result

    # Moderation (9)

    def ban(self, room: str, key: str, *, and_delete_all: bool = False) -> None:
        path = "/ban_and_delete_all" if and_delete_all else "/block_list"
        self.ask("POST", path, room, {"public_key": key})

    def unban(self, room: str, key: str) -> None:
        self.ask("DELETE", f"/block_list/{key}", room)

    # Files (10)

    def upload(self, room: str, content: bytes) -> int:
        body = {"file": base64.b64encode(content).decode()}
        file_id: int = self.ask("POST", "/files", room, body)["result"]
        return file_id

    def download(self, room: str, file_id: int) -> bytes:
        return base64.b64decode(self.ask("GET", f"/files/{file_id}", room)["result"], validate=True)
