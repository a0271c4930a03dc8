from __future__ import annotations

import json
import re
from pathlib import Path

import example_auth
import pytest
from example_auth.passwords import DECOY, hashed, matches


def test_a_password_matches_its_hash() -> None:
    stored = hashed("correct horse")
    assert matches("correct horse", stored)
    assert not matches("Correct horse", stored)
    assert "horse" not in stored


def test_two_hashes_of_one_password_differ() -> None:
    assert hashed("x") != hashed("x")


def test_a_hash_keeps_its_own_cost() -> None:
    # RFC 7914, section 12, the second vector: its first 32 bytes.
    key = "/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI="
    assert matches("password", f"scrypt$1024$8$16$TmFDbA==${key}")
    assert not matches("password", f"scrypt$2048$8$16$TmFDbA==${key}")


@pytest.mark.parametrize("password", ["", "ü" * 500, "\ud800", "a\0b"])
def test_any_text_may_be_a_password(password: str) -> None:
    assert matches(password, hashed(password))


def test_the_settings_take_what_is_made_here() -> None:
    manifest = json.loads(Path(example_auth.__file__).with_name("plugin.json").read_text())
    users = manifest["settings"]["properties"]["users"]
    pattern = users["items"]["properties"]["password"]["pattern"]
    assert re.search(pattern, hashed("x"))
    assert re.search(pattern, DECOY)
    assert not re.search(pattern, "correct horse")
