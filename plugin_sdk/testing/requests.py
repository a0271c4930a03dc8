"""Requests, uploads and terminals for calling handlers directly."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

from plugin_sdk.access import ANONYMOUS, Principal
from plugin_sdk.http import Form, Headers, Query, Request
from plugin_sdk.routes import Method
from plugin_sdk.strict_json import dump_json, parse_json

__all__ = ["FakeCommandIO", "FakeUpload", "request"]


def request(
    method: Method = "GET",
    path: str = "/",
    *,
    params: Mapping[str, object] | None = None,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    principal: Principal | None = None,
    form: Form | None = None,
    raw: bytes = b"",
    token: str | None = None,
    peer: str = "127.0.0.1",
) -> Request:
    """A request for calling a handler::

        answer = board.favorites(request(query={"serverId": "room-1"}))
        board.add(request("POST", body=SOUND, principal=signed_in("example.soundboard:edit")))

    ``params`` are the path's fields. ``query`` holds values as the route's schema would make
    them: texts, numbers, booleans, lists; ``query.all`` gives their texts. ``body`` is the JSON
    body, and what ``read`` gives unless ``raw`` says otherwise. Raises Invalid for a ``body``
    that is no JSON.
    """
    text = b"" if body is None else dump_json(body).encode()
    content = raw or text
    values = dict(query or {})
    return Request(
        method=method,
        path=path,
        params={name: str(value) for name, value in (params or {}).items()},
        query=Query({name: _texts(value) for name, value in values.items()}, values),
        headers=Headers(headers),
        body=parse_json(text) if text else None,
        form=form,
        principal=principal or ANONYMOUS,
        token=token,
        peer=peer,
        id="test-request",
        read=lambda: content,
        target=_target(path, values),
    )


def _target(path: str, values: Mapping[str, Any]) -> str:
    pairs = [(name, text) for name, value in values.items() for text in _texts(value)]
    sent = quote(path, errors="backslashreplace")
    return f"{sent}?{urlencode(pairs, errors='backslashreplace')}" if pairs else sent


def _texts(value: Any) -> list[str]:
    many = value if isinstance(value, list | tuple) else [value]
    return [each if isinstance(each, str) else dump_json(each) for each in many]


class FakeUpload:
    """A file of a form::

    form = Form({"title": "Boo"}, [FakeUpload("file", b"RIFF...", filename="boo.wav")])
    board.upload(request("POST", form=form))
    """

    def __init__(
        self,
        name: str,
        content: bytes,
        *,
        filename: str = "file.bin",
        content_type: str = "application/octet-stream",
    ) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.size: int = len(content)
        self.file: BinaryIO = io.BytesIO(content)


class FakeCommandIO:
    """The outside of a command::

        terminal = FakeCommandIO(answers=[True])
        assert plugin.forget(terminal, room="room-1") in (None, 0)
        assert terminal.output == "Forgot 3 sounds.\\n"

    ``answers`` are given to ``confirm`` one after the other; when there are none left, nobody
    can be asked.
    """

    def __init__(self, *, stdin: bytes = b"", answers: Sequence[bool] = ()) -> None:
        self.stdin: BinaryIO = io.BytesIO(stdin)
        self.interactive: bool = bool(answers)
        self.written: bytes = b""
        """Standard output, as bytes."""
        self.errors: str = ""
        """Standard error."""
        self.questions: list[str] = []
        self._answers = list(answers)

    @property
    def output(self) -> str:
        """Standard output as text."""
        return self.written.decode()

    def print(self, text: str = "") -> None:
        self.written += text.encode() + b"\n"

    def write(self, data: bytes) -> None:
        self.written += data

    def error(self, text: str) -> None:
        self.errors += text + "\n"

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self._answers.pop(0) if self._answers else False
