from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import pytest
from soundboard import Soundboard
from soundboard.sounds import SOUNDS, wav

from plugin_sdk import (
    Blob,
    Conflict,
    FileBody,
    Form,
    Invalid,
    NotFound,
    Request,
    TooLarge,
    UnsupportedMediaType,
)
from plugin_sdk.testing import FakeContext, FakeUpload, request

WAV = wav(SOUNDS["pop"])
OGG = b"OggS\0\2" + bytes(40)
MP3 = b"\xff\xfb\x90\x64" + bytes(400)
MP3_WITH_TAG = b"ID3\4\0\0" + bytes(400)


def uploading(content: bytes, label: str = "Air horn!") -> Request:
    form = Form({"label": label}, [FakeUpload("file", content, filename="../x.exe")])
    return request("POST", form=form)


def upload(board: Soundboard, content: bytes = WAV, label: str = "Air horn!") -> dict[str, Any]:
    sound: dict[str, Any] = board.upload(uploading(content, label)).body
    return sound


def audio(board: Soundboard, name: str) -> Blob:
    body = board.sound(request(params={"name": name})).body
    assert isinstance(body, FileBody)
    assert not isinstance(body.source, Path)
    return body.source


def content(blob: Blob) -> bytes:
    with blob.open() as stream:
        return stream.read()


@pytest.mark.parametrize("name", SOUNDS)
def test_built_in_sounds_are_real_audio(board: Soundboard, name: str) -> None:
    with wave.open(io.BytesIO(content(audio(board, name)))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert file.getnframes() / file.getframerate() == pytest.approx(SOUNDS[name].seconds, 0.01)
        samples = memoryview(file.readframes(file.getnframes())).cast("h")
    assert max(samples) > 20_000 or min(samples) < -20_000, "it cannot be heard"
    assert abs(samples[-1]) < 1_000, "it ends with a click"


def test_a_sound_is_the_same_each_time() -> None:
    assert all(wav(sound) == wav(sound) for sound in SOUNDS.values())


def test_a_built_in_sound_is_made_once(board: Soundboard, context: FakeContext) -> None:
    first = audio(board, "chime").info
    assert len(context.blobs.list()) == 1
    assert audio(board, "chime").info == first


def test_the_list_names_where_each_sound_is(board: Soundboard) -> None:
    sound = upload(board)
    listed = board.sounds(request())
    assert [each["name"] for each in listed] == [*SOUNDS, sound["name"]]
    assert listed[-1] == sound
    for each in listed:
        assert each["url"] == f"/api/plugins/example.soundboard/sounds/{each['name']}"
        assert each["uploaded"] is (each is listed[-1])


@pytest.mark.parametrize(
    ("sent", "content_type"),
    [(WAV, "audio/wav"), (OGG, "audio/ogg"), (MP3, "audio/mpeg"), (MP3_WITH_TAG, "audio/mpeg")],
)
def test_an_upload_is_played_as_what_it_is(
    board: Soundboard, sent: bytes, content_type: str
) -> None:
    sound = upload(board, sent)
    assert sound["label"] == "Air horn!"
    assert sound["name"].startswith("air-horn-")
    blob = audio(board, sound["name"])
    assert content(blob) == sent
    assert blob.info.content_type == content_type


@pytest.mark.parametrize(
    "sent", [b"", b"\xff", b"<html>", b"RIFF\0\0\0\0AVI ", b"MZ\x90\0", b"\xff\xf1\x50\x80"]
)
def test_anything_else_is_refused(board: Soundboard, context: FakeContext, sent: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        upload(board, sent)
    assert context.blobs.list() == []


def test_a_large_upload_is_refused(board: Soundboard, context: FakeContext) -> None:
    context.settings.update({"maxUploadBytes": 1024})
    upload(board, OGG.ljust(1024))
    with pytest.raises(TooLarge, match="1,024 bytes"):
        upload(board, OGG.ljust(1025))


@pytest.mark.parametrize("label", ["", "  ", "..", "AC/DC", "two\nlines", "x" * 81])
def test_a_bad_label_is_refused(board: Soundboard, label: str) -> None:
    with pytest.raises(Invalid):
        upload(board, label=label)


def test_a_form_without_a_file_is_refused(board: Soundboard) -> None:
    with pytest.raises(Invalid):
        board.upload(request("POST", form=Form({"label": "Nothing"})))


def test_a_sound_is_there_once(board: Soundboard) -> None:
    upload(board)
    with pytest.raises(Conflict, match="already"):
        upload(board)
    upload(board, OGG)


def test_a_full_library_takes_no_more(board: Soundboard, context: FakeContext) -> None:
    context.settings.update({"maxUploads": 1})
    sound = upload(board)
    with pytest.raises(Conflict, match="full"):
        upload(board, OGG)
    board.remove_upload(request(params={"name": sound["name"]}))
    upload(board, OGG)


def test_a_removed_sound_is_gone(board: Soundboard, context: FakeContext) -> None:
    sound = upload(board)
    board.remove_upload(request(params={"name": sound["name"]}))
    assert context.blobs.list() == []
    for call in (board.sound, board.remove_upload):
        with pytest.raises(NotFound):
            call(request(params={"name": sound["name"]}))


@pytest.mark.parametrize("name", ["chime", "../secret", "nothing"])
def test_only_uploads_can_be_removed(board: Soundboard, name: str) -> None:
    with pytest.raises(NotFound):
        board.remove_upload(request(params={"name": name}))
