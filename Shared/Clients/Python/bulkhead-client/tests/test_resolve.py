"""Which destination an address and the name of a key stand for."""

import pytest

from bulkhead_client import Destination, NoDestination
from bulkhead_client._destinations import Key, resolve

STRIPE = Destination("stripe", "https://api.stripe.com", "STRIPE_KEY", "bearer")
SUB = Destination("sub", "https://api.example.com/v2/", "SUB_KEY", "header")
OPEN = Destination("open", "http://127.0.0.1:8901")
KNOWN = [STRIPE, SUB, OPEN, Destination("wide", "https://api.example.com", "WIDE_KEY", "basic")]


def bearer(name: str) -> Key:
    return Key("bearer", name)


@pytest.mark.parametrize(
    ("url", "key", "found"),
    [
        ("https://api.stripe.com/v1/balance", bearer("STRIPE_KEY"), ("stripe", "/v1/balance", "")),
        ("HTTPS://API.Stripe.com:443/v1/a b?x=1&y=%2F", bearer("STRIPE_KEY"), ("stripe", "/v1/a%20b", "x=1&y=%2F")),
        ("https://api.stripe.com", bearer("STRIPE_KEY"), ("stripe", "/", "")),
        ("https://api.example.com/v2/things", Key("header", "SUB_KEY"), ("sub", "/things", "")),
        ("https://api.example.com/v2", Key("header", "SUB_KEY"), ("sub", "/", "")),
        ("https://api.example.com/v2/things", Key("basic", "WIDE_KEY"), ("wide", "/v2/things", "")),
        ("http://127.0.0.1:8901/x//y/../z", None, ("open", "/x//y/../z", "")),
    ],
)
def test_an_address_and_a_key_lead_to_one_destination(url: str, key: Key | None, found: tuple[str, str, str]) -> None:
    target = resolve(url, key, KNOWN)
    assert (target.name, target.path, target.query) == found


@pytest.mark.parametrize(
    ("url", "key", "says"),
    [
        ("https://evil.example/v1", bearer("STRIPE_KEY"), "no destination at https://evil.example:443"),
        ("http://api.stripe.com/v1", bearer("STRIPE_KEY"), "no destination at http://api.stripe.com:80"),
        ("https://api.stripe.com:8443/v1", bearer("STRIPE_KEY"), "api.stripe.com:8443"),
        ("https://api.stripe.com/v1", bearer("OTHER_KEY"), "there is: stripe (bearer='STRIPE_KEY')"),
        ("https://api.stripe.com/v1", Key("basic", "STRIPE_KEY"), "sealed for basic='STRIPE_KEY'"),
        ("https://api.stripe.com/v1", None, "sealed for no key"),
        ("https://api.stripe.com.evil.example/", bearer("STRIPE_KEY"), "no destination at"),
        ("https://api.example.com/v22/things", Key("header", "SUB_KEY"), "sealed for header='SUB_KEY'"),
    ],
)
def test_anything_else_is_refused(url: str, key: Key | None, says: str) -> None:
    with pytest.raises(NoDestination) as told:
        resolve(url, key, KNOWN)
    assert says in told.value.detail


def test_a_secret_given_in_place_of_its_name_is_not_repeated() -> None:
    with pytest.raises(NoDestination) as told:
        resolve("https://api.stripe.com/v1", bearer("sk_live_abcdef0123456789"), KNOWN)
    assert "sk_live" not in str(told.value) and "hidden" in str(told.value)


def test_two_that_fit_are_refused() -> None:
    twin = Destination("twin", "https://api.stripe.com", "STRIPE_KEY", "openai")
    with pytest.raises(NoDestination, match="stripe, twin"):
        resolve("https://api.stripe.com/v1", bearer("STRIPE_KEY"), [STRIPE, twin])


@pytest.mark.parametrize("url", ["ftp://a/b", "https:///b", "https://user:pass@api.stripe.com/", "https://api.stripe.com/#x", "https://api.stripe.com:99999/"])
def test_what_is_no_plain_address(url: str) -> None:
    with pytest.raises(ValueError) as told:
        resolve(url, bearer("STRIPE_KEY"), KNOWN)
    assert "pass@" not in str(told.value)
