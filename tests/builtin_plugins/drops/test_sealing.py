"""Known answers of the contract (6.1), both ways, and what must not open."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.drops.keys import is_usable_public_key, public_key_of
from builtin_plugins.drops.sealing import (
    PDU_BYTES,
    Opener,
    Recipient,
    SealError,
    derive,
    open_box,
    seal_box,
    seal_pdu,
)
from builtin_plugins.drops.wire import Message, read_wire, wire_text

S, R, E = bytes(range(0x01, 0x21)), bytes(range(0x21, 0x41)), bytes(range(0x41, 0x61))
S_PUB = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
R_PUB = "5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b"
HELLO = (
    "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484668c237d2fbaf852a3f398138caa24e7"
    "98902935846aa4966ab84766b7478bc601219a2fd3608cffe721ded1679b9ab51c65039415b81fd73c7fa545845c09"
    "0571270d3c0d3c6dfef2ea033584b0f8"
)
FOREIGN_KEY = "782e3b1ea317f7f808e1156d1282b4e7d0e60e4b7c0f205a5ce804f0a1a3a155"
FOREIGN_BOX = (
    "539edb6df8541fb8e56c97c6a8cd061fe1c6c874a374d8501f8a285ed5ec092244178f74e77071918e3f2c3e3d2a25"
    "6916c33a85f409844bbd1b749719b2f2e71e210f763928d856479e7078cb0413e1e25f3e6685caaee9d10b2a0756d7"
    "c1769ccad1ee13bcbaf1186cec727a94b01e2be042da07"
)


def recipient(private: bytes) -> Recipient[str]:
    return Recipient.of(private, "me")


def test_public_keys() -> None:
    pair = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert public_key_of(pair) == public
    assert public_key_of(S.hex()) == S_PUB
    assert public_key_of(R.hex()) == R_PUB


def test_a_box_of_another_client_opens() -> None:
    opened = open_box(bytes.fromhex(FOREIGN_BOX), recipient(bytes.fromhex(FOREIGN_KEY)))
    assert opened.text == b"yellow submarines"
    assert opened.sender.hex() == "1f5349c16e430d7685d56437734d9346c3c842e4a873034d489f480a68e2ed25"


def test_the_keys_that_are_derived() -> None:
    me, ephemeral = recipient(E), recipient(R)
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    r_pub = X25519PublicKey.from_public_bytes(ephemeral.public)
    chain, k1, n1 = derive(me.private.exchange(r_pub), bytes(48), 0)
    assert k1.hex() == "89e20238eb92492c342e84a3d6def71da3e5abe71c7d75cb20a5031a8488e1ff"
    assert n1.hex() == "0ea3387f915c96813614cbe6"
    _, k2, n2 = derive(recipient(S).private.exchange(r_pub), chain, 1)
    assert k2.hex() == "ea78454ffc90a488547caef09fbff402e7ca9b2f153f69988b9ca33fb06691b6"
    assert n2.hex() == "22cd735aa817fee3c0739b9d"


def test_hello_both_ways() -> None:
    box = seal_box(S, bytes.fromhex(R_PUB), b"hello drop", ephemeral=E)
    assert box.hex() == HELLO
    opened = open_box(box, recipient(R))
    assert (opened.text, opened.sender.hex()) == (b"hello drop", S_PUB)


def test_the_reference_message_both_ways() -> None:
    message = Message(1443484800000, S_PUB, "chat", {"text": "hi"})
    text = wire_text(message)
    assert len(text) == 199
    assert text.decode() == (
        '{"version":1,"time_stamp":1443484800000,"sender":"' + S_PUB + '","acknowledge_id":"0",'
        '"drop_payload":"{\\"text\\":\\"hi\\"}","drop_payload_type":"chat"}'
    )
    pdu = seal_pdu(S, bytes.fromhex(R_PUB), text, ephemeral=E)
    assert len(pdu) == PDU_BYTES == 2149
    assert pdu.hex().startswith("0064b101b1d0be5a87")
    assert (
        hashlib.sha256(pdu).hexdigest()
        == "4d1342cfa0128dbfe52d347640a365348a99b2014340f7b256eda27a6ee816c7"
    )
    opened = Opener([recipient(E), recipient(R)]).open_pdu(pdu)
    assert opened is not None
    assert opened.text == text
    received = read_wire(opened.text, R_PUB)
    assert received == Message(1443484800000, S_PUB, "chat", {"text": "hi"}, "0", R_PUB)


def test_every_sealing_is_another() -> None:
    first, second = (seal_pdu(S, bytes.fromhex(R_PUB), b"{}") for _ in range(2))
    assert first != second


def test_a_text_that_does_not_fit_is_refused() -> None:
    assert len(seal_pdu(S, bytes.fromhex(R_PUB), b"x" * 2048)) == PDU_BYTES
    with pytest.raises(SealError):
        seal_pdu(S, bytes.fromhex(R_PUB), b"x" * 2049)


def test_padding_beyond_the_text_is_refused() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    box = seal_box(S, bytes.fromhex(R_PUB), b"abc", ephemeral=E)
    chain, _, _ = derive(
        recipient(E).private.exchange(recipient(R).private.public_key()), bytes(48), 0
    )
    shared = recipient(S).private.exchange(recipient(R).private.public_key())
    _, key, nonce = derive(shared, chain, 1)
    for padding, text in ((0, b"abcd"), (2, b"ab"), (4, b""), (5, None)):
        body = AESGCM(key).encrypt(
            nonce, b"abcd" + padding.to_bytes(4, "big"), bytes.fromhex(R_PUB) + box[:80]
        )
        if text is None:
            with pytest.raises(SealError):
                open_box(box[:80] + body, recipient(R))
        else:
            assert open_box(box[:80] + body, recipient(R)).text == text


def test_low_order_keys_are_none() -> None:
    assert not is_usable_public_key("00" * 32)
    assert not is_usable_public_key("01" + "00" * 31)
    assert is_usable_public_key(R_PUB)
    with pytest.raises(SealError):
        seal_box(S, bytes(32), b"x")
    assert Opener([recipient(R)]).open_pdu(bytes(PDU_BYTES)) is None


@given(st.integers(0, PDU_BYTES * 8 - 1))
def test_a_changed_bit_opens_nothing(bit: int) -> None:
    pdu = bytearray(seal_pdu(S, bytes.fromhex(R_PUB), b'{"a":1}', ephemeral=E))
    pdu[bit // 8] ^= 1 << bit % 8
    assert Opener([recipient(R)]).open_pdu(bytes(pdu)) is None


@given(st.binary(max_size=PDU_BYTES + 10) | st.binary(min_size=PDU_BYTES, max_size=PDU_BYTES))
def test_any_bytes_open_nothing(pdu: bytes) -> None:
    assert Opener([recipient(R)]).open_pdu(pdu) is None


@given(st.binary(max_size=2048))
def test_what_is_sealed_opens(text: bytes) -> None:
    opened = Opener([recipient(R)]).open_pdu(seal_pdu(S, bytes.fromhex(R_PUB), text))
    assert opened is not None
    assert opened.text == text.rstrip(b"\0")
    assert opened.sender.hex() == S_PUB
