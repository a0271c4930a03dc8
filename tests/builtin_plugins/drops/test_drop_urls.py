"""DropURLs (contract, 4.3)."""

from __future__ import annotations

import pytest

from builtin_plugins.drops.drop_urls import drop_url_problem, is_below, new_drop_id, url_problem

ID = "1234567890123456789012345678901234567890_-a"


@pytest.mark.parametrize(
    "url",
    [
        f"http://d.example:1234/tools/drop/{ID}",
        f"http://localhost:6000/{ID}",
        f"https://127.0.0.1:8085/drops/{ID}",
        f"http://[::1]:8085/drops/{ID}",
        f"http://a-b.c1/{ID}",
        "http://d.example/" + "a" * 40 + "opo",
        "http://d.example/" + "a" * 40 + "opq",
        f"http://d.example:65535/{ID}",
    ],
)
def test_good_ones(url: str) -> None:
    assert drop_url_problem(url, allow_unqualified=False) is None


@pytest.mark.parametrize(
    "url",
    [
        f"http://d.example/{ID[:42]}",
        f"http://d.example/{ID}x",
        "http://d.example/" + "a" * 12,
        "http://d.example/" + "a" * 42 + "@",
        "http://d.example/" + "a" * 42 + "+",
        f"http://d.example/{ID}/",
        f"http://d.example/drop{ID}",
        f"ftp://d.example/{ID}",
        f"http://horst/{ID}",
        f"http://d.example:0/{ID}",
        f"http://d.example:65536/{ID}",
        f"http://u:p@d.example/{ID}",
        f"http://d.example/{ID}?x",
        f"http://d.example/{ID}#x",
        f"http://d.example//{ID}",
        f"http://d.example/a b/{ID}",
        f"http://d.example/\n/{ID}",
        f"http://d.example/\u00a0/{ID}",
        f"http://d.example/\u0085/{ID}",
        f"http://d.example/\u200b/{ID}",
        f"http://1.2.3/{ID}",
        f"http://1.2.3.400/{ID}",
        f"http://-a.b/{ID}",
        f"http://a..b/{ID}",
        f"http://{'a' * 64}.b/{ID}",
        f"http://[::g]/{ID}",
        f"http:///{ID}",
        "http://d.example/" + "a/" * 1100 + ID,
        f"http://d.example/{ID}\n",
        "",
    ],
)
def test_bad_ones(url: str) -> None:
    assert drop_url_problem(url, allow_unqualified=False)


def test_single_words_on_request() -> None:
    assert drop_url_problem(f"http://horst/{ID}", allow_unqualified=True) is None
    assert drop_url_problem(f"http://-horst/{ID}", allow_unqualified=True)


def test_servers() -> None:
    assert url_problem("http://horst:1/x?y") is None
    assert url_problem("HTTPS://d.example") is None
    for wrong in ("d.example", "http://", "http://a b", "ftp://a", "http://a:0", "/x", ""):
        assert url_problem(wrong)
    assert is_below(f"http://a.b/x/{ID}", "http://a.b/x//")
    assert not is_below(f"http://a.b/xy/{ID}", "http://a.b/x")


def test_new_ids() -> None:
    ids = {new_drop_id() for _ in range(20)}
    assert len(ids) == 20
    assert all(
        drop_url_problem(f"http://a.b/{each}", allow_unqualified=False) is None for each in ids
    )
