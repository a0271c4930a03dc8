"""The auth suite: an honest provider passes, and each broken promise is found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest

from plugin_sdk import Login, Principal
from plugin_sdk.testing import AuthSuite

STAFF = """
import hashlib, json, secrets, threading
from plugin_sdk import AuthProvider, Invalid, Login, Principal, Unauthenticated

class Staff(AuthProvider):
    name = "staff"

    def __init__(self, clock, folder):
        self.clock, self.file, self.lock, self.live = clock, folder / "tokens", threading.Lock(), {}

    def claims(self, body):
        return "staff" in body

    def login(self, body, request):
        name, password = body.get("staff"), body.get("password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise Invalid("staff and password are texts.")
        if (name, password) != ("alice", "correct horse"):
            raise Unauthenticated("Wrong.", code="INVALID_CREDENTIALS")
        token = self.make_token()
        expires = self.clock.ms() + 3_600_000
        who = Principal("staff-alice", "Alice", "staff", permissions=frozenset({"UPLOAD"}))
        with self.lock:
            self.live[self.key(token)] = (expires, who)
            self.file.write_text(json.dumps(list(self.live)))
        return Login(token, expires, who, {"staff": {"name": "Alice"}})

    def make_token(self):
        return secrets.token_urlsafe(16)

    def key(self, token):
        return hashlib.sha256(token.encode()).hexdigest()

    def identify(self, token):
        expires, who = self.live.get(self.key(token), (0, None))
        return who if self.clock.ms() < expires else None

    def logout(self, token):
        if self.identify(token) is None:
            return False
        return self.live.pop(self.key(token), None) is not None

    def governs(self):
        return True
"""

# Each breaks one promise of AuthProvider; the suite must find it by the test named beside it.
MUTANTS = {
    "test_it_says_what_it_is": """
        def governs(self): return None
    """,
    "test_it_claims_its_logins": """
        def claims(self, body): return body.get("password") != "wrong"
    """,
    "test_it_judges_by_keys_alone": """
        def claims(self, body): return bool(body.get("staff"))
    """,
    "test_it_leaves_other_logins_alone": """
        def claims(self, body): return True
    """,
    "test_a_good_login": """
        def login(self, body, request):
            return replace(super().login(body, request), expires_at=self.clock.ms() // 1000)
    """,
    "test_the_principal_of_a_login": """
        def login(self, body, request):
            login = super().login(body, request)
            return replace(login, principal=replace(login.principal, provider="other"))
    """,
    "test_wrong_credentials": """
        def login(self, body, request):
            try:
                return super().login(body, request)
            except Unauthenticated:
                raise Unauthenticated("Wrong.") from None
    """,
    "test_fields_of_the_wrong_type": """
        def login(self, body, request):
            return super().login({key: str(value) for key, value in body.items()}, request)
    """,
    "test_a_token_tells_who_stands_behind_it": """
        def identify(self, token):
            who = super().identify(token)
            return who and replace(who, permissions=frozenset())
    """,
    "test_each_login_has_a_token_of_its_own": """
        def make_token(self): return "always-the-same-token"
    """,
    "test_unknown_tokens_are_nobody": """
        def key(self, token): return super().key(token.strip())
    """,
    "test_logout_ends_exactly_one_token": """
        def logout(self, token):
            known = super().logout(token)
            self.live.clear()
            return known
    """,
    "test_a_failed_login_ends_nothing": """
        def login(self, body, request):
            try:
                return super().login(body, request)
            except Unauthenticated:
                self.live.clear()
                raise
    """,
    "test_many_threads_at_once": """
        meeting = None
        def make_token(self):
            with self.lock:
                self.meeting = self.meeting or threading.Barrier(4)
            number = getattr(self, "number", 0)
            self.meeting.wait(60)
            self.number = number + 1
            return f"token-{self.number}"
    """,
    "test_a_token_is_ended_once": """
        def logout(self, token):
            known = self.identify(token) is not None
            with self.lock:
                self.meeting = getattr(self, "meeting", None) or threading.Barrier(2)
            self.meeting.wait(60)
            self.live.pop(self.key(token), None)
            return known
    """,
    "test_tokens_expire": """
        def identify(self, token):
            expires, who = self.live.get(self.key(token), (0, None))
            return who if self.clock.ms() <= expires else None
    """,
    "test_no_token_is_kept_in_clear": """
        def key(self, token): return "token:" + token
    """,
}

_SUITE = """
class Test{name}(AuthSuite):
    class Provider(Staff):
        pass
{body}
    @pytest.fixture
    def clock(self): return FakeClock()
    @pytest.fixture
    def stored(self, tmp_path): return tmp_path
    @pytest.fixture
    def provider(self, clock, stored): return self.Provider(clock, stored)
    @pytest.fixture
    def good_login(self): return {{"staff": "alice", "password": "correct horse"}}
    @pytest.fixture
    def bad_login(self): return {{"staff": "alice", "password": "wrong"}}
"""

_HEAD = """
import threading
from dataclasses import replace
import pytest
from plugin_sdk import Unauthenticated
from plugin_sdk.testing import AuthSuite, FakeClock
from staff import Staff
"""

PROMISES = {name for name in vars(AuthSuite) if name.startswith("test_")}


def test_an_honest_provider_passes(run_pytest: Callable[..., Any]) -> None:
    outcome = run_pytest(_HEAD + _SUITE.format(name="Staff", body=""), files={"staff.py": STAFF})
    assert outcome.passed == {f"TestStaff.{name}" for name in PROMISES}, outcome.output


def test_what_was_not_given_is_skipped(run_pytest: Callable[..., Any]) -> None:
    hidden = """
    @pytest.fixture
    def provider(self, tmp_path): return self.Provider(FakeClock(), tmp_path)
    clock = AuthSuite.clock
    stored = AuthSuite.stored
    """
    source = _HEAD + _SUITE.format(name="Staff", body="") + hidden
    outcome = run_pytest(source, files={"staff.py": STAFF})
    assert outcome.failed == {}
    assert outcome.skipped == {
        "TestStaff.test_tokens_expire",
        "TestStaff.test_no_token_is_kept_in_clear",
    }


@pytest.mark.parametrize(
    ("show", "passes"), [(lambda _: "x", True), (lambda _: "", False), (str, False)]
)
def test_what_is_stored_may_be_given_as_text(show: Callable[..., str], passes: bool) -> None:
    class Forgetful:
        tokens: ClassVar[list[str]] = []

        def login(self, *_: object) -> Login:
            self.tokens.append("the-token")
            return Login("the-token", 1, Principal(id="alice"))

    provider: Any = Forgetful()
    with nullcontext() if passes else pytest.raises(AssertionError):
        AuthSuite().test_no_token_is_kept_in_clear(provider, {}, lambda: show(provider.tokens))


def test_each_broken_promise_is_found(check_mutants: Callable[..., None]) -> None:
    def made(number: int, _name: str, body: str) -> str:
        return _SUITE.format(name=f"Mutant{number}", body=body)

    check_mutants(AuthSuite, MUTANTS, _HEAD, made, {"staff.py": STAFF})
