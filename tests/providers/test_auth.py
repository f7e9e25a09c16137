"""Auth: who asks, without showing it."""

import copy
import pickle

import pytest

from lamellar import ConfigError
from lamellar.providers import Auth, ServiceTarget

KEY = "secret-0123456789"


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        (Auth.from_env("MY_KEY"), "Auth.from_env('MY_KEY')"),
        (Auth.of_key(KEY), "Auth.of_key('**********')"),
        (Auth.none(), "Auth.none()"),
        (
            Auth.override(f"https://gate.test/v1/chat?sig={KEY}", {"X-Mine": KEY}),
            "Auth.override(url='https://gate.test/v1/chat?**********', headers={'x-mine': '**********'})",
        ),
        (
            Auth.override(headers={"authorization": KEY}),
            "Auth.override(url=None, headers={'authorization': '**********'})",
        ),
    ],
)
def test_the_repr_is_masked(auth, shown):
    assert repr(auth) == str(auth) == f"{auth}" == shown
    assert KEY not in f"{[auth]} {auth!r:>10}"
    assert pickle.loads(pickle.dumps(auth)) == auth == copy.deepcopy(auth)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Auth.from_env(""), "the name of the variable is empty"),
        (lambda: Auth.of_key(" "), "expected a key as text"),
        (lambda: Auth.of_key(None), "expected a key as text"),
        (Auth.override, "say a url, headers, or both"),
        (lambda: Auth.override("gate.test"), "expected a URL"),
        (lambda: Auth.from_env(3), "expected the name of a variable as text, got int"),
        (lambda: Auth.override(3), "expected a URL as text, got int"),
        (lambda: Auth.override(headers={"x": 3}), "the header 'x' is text, got int"),
        (lambda: Auth.override(headers={3: "x"}), "the name of a header is text, got int"),
        (lambda: Auth.override(headers=["x"]), "expected headers by name, got list"),
        (lambda: Auth.override(headers={"x-a": "1\r\nx-b: 2"}), "holds a line break"),
    ],
)
def test_a_mistake_is_told(make, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make()


def test_what_an_override_hides_is_known_by_its_parts():
    headers = {"Authorization": "Bearer abcd-1", "x-gate": "s3cret"}
    auth = Auth.override(f"https://gate.test/v1?sig={KEY}&t=a%2Fb%2Fc&a", headers)
    assert set(auth.hidden()) == {KEY, "a%2Fb%2Fc", "a/b/c", "Bearer abcd-1", "abcd-1", "s3cret"}
    assert Auth.of_key(KEY).hidden() == ()


def test_a_target_shows_neither_a_password_nor_a_query():
    target = ServiceTarget("mine", "m", "chat", f"https://me:{KEY}@gate.test/v1?sig={KEY}", Auth.of_key(KEY))
    assert repr(target) == (
        "ServiceTarget(namespace='mine', model='m', dialect='chat', "
        "base_url='https://**********@gate.test/v1?**********', auth=Auth.of_key('**********'))"
    )
