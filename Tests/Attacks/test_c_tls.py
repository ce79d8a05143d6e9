"""C. TLS and redirects: the secret is sent to a server that proves to be the destination, and to no other."""

from __future__ import annotations

import shutil
import ssl
from typing import Any, Iterator

import pytest

from caller import OK, UNAVAILABLE
from certificates import Authority
from target import Target, every_way
from upstream import Upstream, answer, raw


SERVERS: dict[str, dict[str, Any]] = {
    "good": {}, "self-signed": {"self_signed": True}, "expired": {"days": -1}, "wrong-name": {"names": "DNS:elsewhere.example"}, "old": {"most": ssl.TLSVersion.TLSv1_1},
}


@pytest.fixture(scope="module")
def servers(provider) -> Iterator[tuple[Target, dict[str, Upstream]]]:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    authority = Authority()
    made = {name: Upstream(tls=authority.context(name, **options)) for name, options in SERVERS.items()}

    def change(document: dict[str, Any]) -> None:
        credentials = document["credentials"]
        credentials["egress"] = {"ca_file": str(authority.ca)}
        for name, server in made.items():
            credentials["destinations"][name] = {"base_url": server.url, "private_network": True, "secret": "UP_KEY", "preset": "bearer", "callers": ["edge"]}
        pinned = {"base_url": made["good"].url, "private_network": True, "secret": "UP_KEY", "preset": "bearer", "callers": ["edge"]}
        credentials["destinations"]["pinned"] = pinned

    plain = Upstream()
    target = Target(provider, plain, change)
    # A secret that several hosts may get is resealed for the tests; each server has one of its own.
    for name in SERVERS:
        target.suite.document["credentials"]["destinations"][name]["secret"] = f"{name.upper().replace('-', '_')}_KEY"
        target.suite.secrets[f"{name.upper().replace('-', '_')}_KEY"] = f"sk-{name}-0123456789abcdef"
    target.suite.document["credentials"]["destinations"]["pinned"]["secret"] = "GOOD_KEY"
    target.begin()
    yield target, made
    target.suite.close()
    for server in [*made.values(), plain]:
        server.close()
    shutil.rmtree(authority.folder)


def test_c24_a_good_certificate_works(servers) -> None:
    target, made = servers
    assert target.call("good").code == OK
    assert made["good"].requests[-1].secret == b"sk-good-0123456789abcdef"


@pytest.mark.parametrize("name", ["self-signed", "expired", "wrong-name", "old"])
def test_c24_a_bad_certificate(servers, name: str) -> None:
    target, made = servers
    told = target.call(name)
    assert told.code == UNAVAILABLE, told
    assert made[name].bytes == 0 and made[name].requests == [], "the request was sent to a server that did not prove itself"


REDIRECTS = {"same host": "/elsewhere", "another host": "http://{other}/", "plain": "http://127.0.0.1:{port}/plain", "an address": "http://169.254.169.254/latest/meta-data/", "no scheme": "//{other}/x"}


@every_way
@pytest.mark.parametrize("code", [301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("where", REDIRECTS)
def test_c25_redirects_are_answers(target: Target, code: int, where: str) -> None:
    with Upstream() as other:
        location = REDIRECTS[where].format(other=f"127.0.0.1:{other.port}", port=target.upstream.port)
        target.upstream.behaviour = answer(b"", f"{code} Moved", f"location: {location}\r\n")
        told = target.clean(target.call("up", method="POST", body=b"{}"))
        assert (told.code, told.status, told.header("location")) == (OK, code, location)
        assert len(target.upstream.requests) == 1 and other.accepted == 0


@every_way
def test_c26_a_location_with_the_secret(target: Target) -> None:
    target.upstream.behaviour = answer(b"", "302 Found", "location: https://evil.test/?key={secret}\r\n")
    told = target.clean(target.call("up"))
    assert told.status == 302 and "evil.test" in (told.header("location") or "")


@every_way
@pytest.mark.parametrize("header", ["refresh: 0; url=http://{other}/", "alt-svc: h2=\"{other}\"; ma=3600", "link: <http://{other}/x>; rel=preload", "content-location: http://{other}/"])
def test_c27_hints_are_not_followed(target: Target, header: str) -> None:
    with Upstream() as other:
        target.upstream.behaviour = answer(b"ok", headers=header.replace("{other}", f"127.0.0.1:{other.port}") + "\r\n")
        for _ in range(3):
            assert target.call("up").code == OK
        assert other.accepted == 0


def test_c28_a_pin_that_does_not_match(servers) -> None:
    target, made = servers
    code, text = target.check(lambda document: document["credentials"]["destinations"]["pinned"].update({"tls": {"pins": ["sha256/" + "A" * 43 + "="]}}))
    assert code in (0, 78), text
    suite = target.suite
    before = made["good"].bytes
    suite.document["credentials"]["destinations"]["pinned"]["tls"] = {"pins": ["sha256/" + "A" * 43 + "="]}
    suite.write()
    try:
        done = suite.cli("credentials", "reload")
        assert done.returncode == 0, f"pins are not known: {done.stdout}{done.stderr}"
        assert target.call("pinned").code != OK
        assert made["good"].bytes == before
    finally:
        del suite.document["credentials"]["destinations"]["pinned"]["tls"]
        suite.write()
        suite.cli("credentials", "reload")


@every_way
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("how", ["before the head", "in the head", "in the body"])
def test_c29_a_broken_answer_is_not_asked_for_again(target: Target, how: str, kept: bool) -> None:
    """One request, one decision and one end on record; on a new connection, and on one that served a request before."""
    if kept:
        assert target.call("up").code == OK
        target.upstream.requests.clear()
    pieces = {"before the head": [], "in the head": [b"HTTP/1.1 200 OK\r\ncontent-le"], "in the body": [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"]}[how]
    target.upstream.behaviour = raw(*pieces)
    told = target.clean(target.call("up", method="POST", body=b"{}"))
    assert told.code != OK
    assert len(target.upstream.requests) == 1
    last = target.audit(2)
    assert [record["event"] for record in last] == ["call", "end"] and last[1]["of"] == last[0]["seq"] and last[1]["decision"] == "failed"
