"""Keys, challenges and signatures: the vectors of the contract, exactly (4.5, 11)."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.rooms.names import (
    Key,
    decode_base64,
    is_key,
    is_room_id,
    parse_key,
    path_integer,
    query_integer,
)
from builtin_plugins.rooms.sealing import Seal, symmetric_key
from builtin_plugins.rooms.signatures import edwards_key, verify
from plugin_sdk import Invalid

SECRET = bytes.fromhex("3894eea49c580aef816935762be049559d6d1440dede12e6a125f1841fff8e6f")
KEY = Key("054701d08488451f545a409fb58ae3e58581ca40ac3f7f114698cd71deac73ca01")
SHARED = bytes.fromhex("047f9f001d84201772e3859ff57049f986575709308c14e329ac8fbeaa9f485a")
SYMMETRIC = "e9cb69298c0b04a473bfb50369fe76feb9923478d7993892cf1c230c40244e7d"
EPHEMERAL = X25519PrivateKey.from_private_bytes(bytes(range(0x20, 0x40)))
IV = bytes(range(12))
TOKEN = bytes(range(100, 148))
CIPHERTEXT = (
    "AAECAwQFBgcICQoLZ52JShfNbmmRYdFaf7gR+jwBsGTG4JFhpck9cBnVw3y5wydVTyD7nMnpJOlfPDkwDXf2EGosAQDj"
    "HoYPpaMNoQ=="
)
LOW_ORDER = (
    "05" + "00" * 32,
    "0501" + "00" * 31,
    "05e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
)
TEXT = b"hello session"
SIGNATURES = {
    "own": (
        "8681481e17fe52481652784d24bb1c97274e5006bc4a32524dc7f931b81d004b"
        "fb5c5b05c3e099660e2dabb72696ffe367f5249544d24ed9d80474c1b131958f",
        True,
    ),
    "xeddsa": (
        "fefb01039cf26a3f6c3f5b64673607e613d620417199d66a77aca5340c13c3f2"
        "3915bf1730b35285a13d35b0d4113c6955f57cd2156cf5776765ce933ae33406",
        True,
    ),
    "wrong sign": (
        "8681481e17fe52481652784d24bb1c97274e5006bc4a32524dc7f931b81d004b"
        "fb5c5b05c3e099660e2dabb72696ffe367f5249544d24ed9d80474c1b131950f",
        False,
    ),
}


def test_the_account_of_the_vector() -> None:
    seed = bytes(range(32))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert public.hex() == "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    half = bytearray(hashlib.sha512(seed).digest()[:32])
    half[0] &= 248
    half[31] = half[31] & 127 | 64
    assert bytes(half) == SECRET
    own = X25519PrivateKey.from_private_bytes(SECRET).public_key().public_bytes_raw()
    assert "05" + own.hex() == KEY


def test_symmetric_key_of_the_vector() -> None:
    shared = EPHEMERAL.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(KEY[2:])))
    assert shared == SHARED
    assert symmetric_key(shared).hex() == SYMMETRIC


def test_challenge_of_the_vector() -> None:
    sealed = Seal(KEY, EPHEMERAL).close(TOKEN, IV)
    assert sealed.ephemeral_public_key == "NYBy1jZYgNGu6jKa35EhODhR7SGijjt16WXQ0s0WYlQ="
    assert sealed.ciphertext == CIPHERTEXT


def test_a_flipped_bit_does_not_decrypt() -> None:
    content = bytearray(base64.b64decode(CIPHERTEXT))
    cipher = AESGCM(bytes.fromhex(SYMMETRIC))
    assert cipher.decrypt(bytes(content[:12]), bytes(content[12:]), None) == TOKEN
    for at in range(len(content)):
        spoilt = bytearray(content)
        spoilt[at] ^= 1
        with pytest.raises(InvalidTag):
            cipher.decrypt(bytes(spoilt[:12]), bytes(spoilt[12:]), None)


def test_two_challenges_have_nothing_in_common() -> None:
    one, other = Seal(KEY).close(TOKEN), Seal(KEY).close(TOKEN)
    assert one.ephemeral_public_key != other.ephemeral_public_key
    assert one.ciphertext[:16] != other.ciphertext[:16]


@pytest.mark.parametrize("key", LOW_ORDER)
def test_keys_of_low_order_are_refused(key: str) -> None:
    with pytest.raises(Invalid):
        Seal(parse_key(key))


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_of_the_vector(name: str) -> None:
    text, good = SIGNATURES[name]
    signature = bytes.fromhex(text)
    assert verify(KEY, TEXT, signature) is good
    assert not verify(KEY, TEXT + b"!", signature)
    assert not verify(
        parse_key("05" + EPHEMERAL.public_key().public_bytes_raw().hex()), TEXT, signature
    )


def test_a_key_without_edwards_key_signs_nothing() -> None:
    minus_one = (2**255 - 20).to_bytes(32, "little").hex()
    assert edwards_key(Key("05" + minus_one), 0) is None
    assert not verify(Key("05" + minus_one), TEXT, bytes(64))


@given(st.binary(min_size=1, max_size=100))
def test_base64_goes_there_and_back(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    assert decode_base64(text, "data") == content
    assert decode_base64(text.rstrip("="), "data") == content


@given(st.text(alphabet="AQRz09+/=-_ \n\u00e9", max_size=12))
def test_base64_is_the_only_spelling(text: str) -> None:
    """Whatever passes gives the same text again, up to padding that is absent altogether."""
    try:
        content = decode_base64(text, "data")
    except Invalid:
        return
    again = base64.b64encode(content).decode()
    assert text in (again, again.rstrip("="))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QR==",
        "QQ=",
        "QQ===",
        "Q",
        "=",
        "====",
        "AAAA====",
        "QQ==\n",
        "Q Q=",
        "-_==",
        "QUJ",
        "QQé",
        None,
        5,
    ],
)
def test_malformed_base64(text: object) -> None:
    with pytest.raises(Invalid):
        decode_base64(text, "data")


@pytest.mark.parametrize(
    "text",
    [
        "",
        KEY + "\n",
        " " + KEY,
        "0x" + KEY[2:],
        "15" + KEY[2:],
        KEY[:-1],
        KEY + "0",
        KEY[:-1] + "\uff11",
        None,
        5,
    ],
)
def test_malformed_keys(text: object) -> None:
    with pytest.raises(Invalid):
        parse_key(text)
    assert not is_key(text)


def test_both_spellings_are_one_person() -> None:
    assert parse_key("05" + KEY[2:].upper()) == KEY
    assert not is_key("05" + KEY[2:].upper())


@pytest.mark.parametrize(
    "text", ["", "a" * 65, "a b", "a/b", "..", "a\n", "\u00e9", "a\0", None, 5]
)
def test_what_is_no_room_id(text: object) -> None:
    assert not is_room_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+5",
        " 5",
        "5 ",
        "1_0",
        "1e2",
        "5.0",
        "\u0663",
        "5\n",
        str(2**63),
        "9" * 9000,
        "--5",
        "-",
    ],
)
def test_what_is_no_integer_of_a_query(text: str) -> None:
    with pytest.raises(Invalid):
        query_integer(text, "limit")


def test_integers_of_queries_and_paths() -> None:
    assert query_integer("-9223372036854775808", "limit") == -(2**63)
    assert query_integer("007", "limit") == 7
    assert query_integer("-" + "0" * 5000 + "7", "limit") == -7
    assert path_integer("0" * 5000, "id") == 0
    assert path_integer("9223372036854775807", "id") == 2**63 - 1
    for wrong in ("-1", "0" * 200_000 + "x"):  # the second one at once, not after a minute
        with pytest.raises(Invalid):
            path_integer(wrong, "id")
