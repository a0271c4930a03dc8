from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.outbound.addresses import Address, Directory, is_public, resolve
from plugin_sdk import Forbidden, UpstreamFailed

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "223.255.255.254",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # link-local: cloud metadata
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # the deprecated compatible form
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001:db8::1",
    "2001:0:1::1",  # Teredo
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
NEVER = ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:0.0.0.0"]


def directory(*addresses: str, private: bool = False) -> Directory:
    def answer(host: str, port: int) -> Sequence[Address]:
        return [Address(socket.AF_INET6 if ":" in a else socket.AF_INET, (a, port))
                for a in addresses]  # fmt: skip

    return Directory(allow_private=private, resolve=answer)


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))
    assert directory(text).addresses("box.test", 80, 60)[0].target == (text, 80)
    assert directory().addresses(text, 80, 60)[0].target == (text, 80)


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))
    with pytest.raises(Forbidden, match=r"box\.test"):
        directory(text).addresses("box.test", 80, 60)
    with pytest.raises(Forbidden):
        directory().addresses(text, 80, 60)


@pytest.mark.parametrize("text", sorted(set(NOT_PUBLIC) - set(NEVER)))
def test_private_addresses_if_declared(text: str) -> None:
    if text.startswith(("239.", "ff")):
        with pytest.raises(Forbidden):
            directory(text, private=True).addresses("box.test", 80, 60)
        return
    assert directory(text, private=True).addresses("box.test", 80, 60)


@pytest.mark.parametrize("text", NEVER)
def test_what_is_no_one_host_is_never_allowed(text: str) -> None:
    with pytest.raises(Forbidden, match="no one host"):
        directory(text, private=True).addresses("box.test", 80, 60)


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_counts_as_what_it_wraps(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    for wrapped in (
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1),
    ):
        assert is_public(wrapped) == is_public(inner)


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(Forbidden):
        directory("8.8.8.8", "127.0.0.1").addresses("rebinding.test", 80, 60)


def test_the_message_does_not_tell_the_address() -> None:
    with pytest.raises(Forbidden) as caught:
        directory("10.1.2.3").addresses("intranet.test", 80, 60)
    assert "10.1.2.3" not in caught.value.message
    assert "http.private" in caught.value.message


@pytest.mark.parametrize("name", ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"])
def test_other_spellings_of_this_machine(name: str) -> None:
    with pytest.raises((Forbidden, UpstreamFailed)):  # some systems do not know some spellings
        Directory(allow_private=False).addresses(name, 80, 60)


def test_the_system_knows_localhost() -> None:
    found = resolve("localhost", 80)
    assert found
    assert all(ipaddress.ip_address(each.target[0]).is_loopback for each in found)


def test_a_scope_does_not_hide_a_link_local_address() -> None:
    with pytest.raises(Forbidden):
        directory("fe80::1%eth0").addresses("box.test", 80, 60)


def test_an_unknown_name() -> None:
    def unknown(host: str, port: int) -> Sequence[Address]:
        raise socket.gaierror(-2, "Name or service not known")

    found = Directory(allow_private=True, resolve=unknown)
    with pytest.raises(UpstreamFailed, match="cannot be found"):
        found.addresses("nowhere.test", 80, 60)
    with pytest.raises(UpstreamFailed, match="no address"):
        directory().addresses("nowhere.test", 80, 60)


def test_a_slow_look_up_ends_with_the_time() -> None:
    go = threading.Event()
    before = set(threading.enumerate())

    def slow(host: str, port: int) -> Sequence[Address]:
        assert go.wait(60)
        return []

    found = Directory(allow_private=True, resolve=slow)
    for _ in range(20):  # more than may hang at once
        with pytest.raises(UpstreamFailed, match="took too long"):
            found.addresses("slow.test", 80, 0.01)
    hanging = [each for each in set(threading.enumerate()) - before if each.name == "look-up"]
    assert len(hanging) <= 16
    go.set()
    for thread in hanging:
        thread.join(60)
    assert not any(thread.is_alive() for thread in hanging)
