"""A. Host and URL: a caller names a destination; whatever else it says, the secret goes to that destination's host or nowhere."""

from __future__ import annotations

import pytest

from caller import DENIED, INVALID, NOT_FOUND, OK
from target import Target, every_way

HOST = "api.example.com"


def refused_url(target: Target, base_url: str) -> str:
    """The configuration is refused when it names such a base URL."""

    def change(document: dict) -> None:
        document["credentials"]["destinations"]["odd"] = {"base_url": base_url, "secret": "UP_KEY", "preset": "bearer", "callers": ["edge"]}

    code, text = target.check(change)
    assert code == 78, f"{base_url!r} passes `check`: {text}"
    assert "base_url" in text, text
    return text


def refused_as_name_and_path(target: Target, url: str) -> None:
    target.refused((INVALID, NOT_FOUND), url)
    target.refused((INVALID, DENIED), "up", url)


def test_a01_a_host_that_no_destination_names(target: Target) -> None:
    target.refused((NOT_FOUND, INVALID), "evil.test")
    refused_as_name_and_path(target, "https://evil.test/v1")
    assert target.audit(1)[-1]["decision"] == "deny"


def test_a02_plain_http_to_a_public_host(target: Target) -> None:
    refused_as_name_and_path(target, f"http://{HOST}/")
    refused_url(target, f"http://{HOST}")


def test_a03_userinfo(target: Target) -> None:
    refused_as_name_and_path(target, f"https://{HOST}@evil.test/")
    refused_url(target, f"https://{HOST}@evil.test")


def test_a04_a_backslash_before_the_at(target: Target) -> None:
    refused_as_name_and_path(target, f"https://{HOST}\\@evil.test/")
    refused_url(target, f"https://{HOST}\\@evil.test")


@pytest.mark.parametrize("mark", "#?")
def test_a05_fragment_and_query_before_the_at(target: Target, mark: str) -> None:
    refused_as_name_and_path(target, f"https://evil.test{mark}@{HOST}/")
    refused_url(target, f"https://evil.test{mark}@{HOST}")


def sealed_elsewhere(target: Target, base_url: str) -> tuple[int, str]:
    def change(document: dict) -> None:
        document["credentials"]["destinations"]["up"]["base_url"] = base_url

    return target.check(change)


def test_a06_a_trailing_dot_is_no_other_host(target: Target) -> None:
    """The same policy result with and without, or refused."""
    dotted, plain = (sealed_elsewhere(target, f"https://{host}") for host in (HOST + ".", HOST))
    assert dotted[0] in (plain[0], 78), (dotted, plain)
    target.refused((NOT_FOUND, INVALID), "up.")


def test_a07_letter_case(target: Target) -> None:
    upper, lower = (sealed_elsewhere(target, f"https://{host}") for host in (HOST.upper(), HOST))
    assert upper[0] == lower[0], (upper, lower)
    target.refused((NOT_FOUND, INVALID), "UP")


def test_a08_another_port(target: Target) -> None:
    refused_as_name_and_path(target, f"https://{HOST}:8443/")
    target.refused((NOT_FOUND, INVALID), "up:8443")


@pytest.mark.parametrize("host", ["аpi.example.com", "ａpi.example.com", "ⓐpi.example.com", "api。example.com"])
def test_a09_letters_that_look_alike(target: Target, host: str) -> None:
    refused_as_name_and_path(target, f"https://{host}/")
    refused_url(target, f"https://{host}")
    target.refused((NOT_FOUND, INVALID), "uр")  # a Cyrillic r


@pytest.mark.parametrize("host", ["api.example.com%2eevil.test", "api.example.com%00.evil.test", "api.example\t.com", "api.example .com"])
def test_a10_escapes_and_blanks_in_the_host(target: Target, host: str) -> None:
    refused_as_name_and_path(target, f"https://{host}/")
    refused_url(target, f"https://{host}")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1"])
def test_a11_odd_spellings_of_an_address(target: Target, host: str) -> None:
    refused_as_name_and_path(target, f"https://{host}/")
    refused_url(target, f"https://{host}")


@pytest.mark.parametrize("host", ["[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[fe80::1%25eth0]"])
def test_a12_ipv6_spellings_of_inner_addresses(target: Target, host: str) -> None:
    refused_as_name_and_path(target, f"https://{host}/")
    refused_url(target, f"https://{host}")


@every_way
@pytest.mark.parametrize("name", ["up.evil.test", "evilup", "sub.up", "u", "upp"])
def test_a13_prefix_suffix_and_subdomain(target: Target, name: str) -> None:
    target.refused((NOT_FOUND, INVALID), name)


@pytest.mark.parametrize("url", ["http+unix://%2Frun%2Fx/", "unix:/run/x", "file:///etc/passwd", "gopher://127.0.0.1:70/_x", "https+unix://%2Frun%2Fx/"])
def test_a14_other_schemes(target: Target, url: str) -> None:
    refused_as_name_and_path(target, url)
    refused_url(target, url)


@every_way
def test_a00_the_right_name_works(target: Target) -> None:
    """The positive control of this file."""
    answer = target.call("up")
    assert answer.code == OK and target.upstream.requests[-1].secret.decode() == target.secrets["UP_KEY"]
