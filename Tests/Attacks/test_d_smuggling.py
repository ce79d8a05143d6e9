"""D. Headers and requests: what a caller says arrives as the destination's policy wants it, or not at all."""

from __future__ import annotations

import json

import pytest

from caller import DENIED, INVALID, NOT_FOUND, OK, PRECONDITION
from target import Target, called_too, every_way
from upstream import Request


def sent(target: Target, *words, **about) -> Request:
    """The request as the upstream saw it: exactly one."""
    before = len(target.upstream.requests)
    answer = target.clean(target.call(*words, **about))
    assert answer.code == OK, answer
    assert len(target.upstream.requests) == before + 1
    return target.upstream.requests[-1]


@pytest.mark.parametrize(
    "about",
    [
        {"headers": [("x-a", "b\r\nauthorization: Bearer evil")]}, {"headers": [("x-a", "b\nx: y")]}, {"headers": [("x-a", b"b\0c")]},
        {"headers": [("x-a\r\nx-b", "c")]}, {"headers": [("x a", "c")]}, {"headers": [("x-a:", "c")]}, {"headers": [("", "c")]},
        {"method": "GET /evil HTTP/1.1\r\nx: y\r\n\r\nGET"}, {"method": "GE T"}, {"method": b"GET\0"},
        {"path": "/x HTTP/1.1\r\nhost: evil\r\n\r\nGET /y"}, {"path": b"/x\0y"}, {"path": "/x\ny"}, {"path": "x"},
        {"query": "a=b HTTP/1.1\r\nx: y"}, {"query": b"a=\0"},
    ],
)
def test_d30_line_breaks_and_nulls(target: Target, about: dict) -> None:
    about = dict(about)
    target.refused(INVALID, "up", about.pop("path", "/x"), **about)


@called_too
@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION", "x-api-key", "X-Api-Key", "Cookie", "Proxy-Authorization", "api-key", "x-goog-api-key"])
def test_d31_credentials_of_the_caller(target: Target, name: str) -> None:
    request = sent(target, "up", headers=[(name, "Bearer of-the-caller"), (name.upper(), "twice")])
    assert request.all("authorization") == [f"Bearer {target.secrets['UP_KEY']}"]
    assert b"of-the-caller" not in request.raw and b"twice" not in request.raw


@every_way
@pytest.mark.parametrize("name", ["Host", "host", ":authority", "X-Forwarded-Host"])
def test_d32_another_host(target: Target, name: str) -> None:
    before = len(target.upstream.requests)
    answer = target.call("up", headers=[(name, "evil.test")])
    assert answer.code in (OK, INVALID), answer
    for request in target.upstream.requests[before:]:
        assert request.all("host") == [f"127.0.0.1:{target.upstream.port}"] and b"evil.test" not in request.raw


@every_way
@pytest.mark.parametrize("listed", ["Authorization", "authorization, x-api-key", "close, authorization", "host"])
def test_d33_connection_does_not_take_the_secret_away(target: Target, listed: str) -> None:
    request = sent(target, "up", headers=[("Connection", listed), ("Keep-Alive", "timeout=5")])
    assert request.all("authorization") == [f"Bearer {target.secrets['UP_KEY']}"]
    assert "authorization" not in " ".join(request.all("connection")).lower() and not request.all("keep-alive")


@called_too
@pytest.mark.parametrize(
    "headers",
    [
        [("Transfer-Encoding", "chunked"), ("Content-Length", "5")], [("Content-Length", "3"), ("Content-Length", "300")], [("Content-Length", "-1")],
        [("Transfer-Encoding", "xchunked")], [("Transfer-Encoding", "chunked, chunked")], [("Expect", "100-continue")], [("Upgrade", "h2c")], [("TE", "trailers")],
        [("Trailer", "x-a")], [("Content-Length", "0x3")], [("Content-Length", "+3")],
    ],
)
def test_d34_framing_is_not_the_callers(target: Target, headers: list[tuple[str, str]]) -> None:
    before = len(target.upstream.requests)
    answer = target.clean(target.call("up", method="POST", headers=headers, body=b"abc"))
    assert answer.code in (OK, INVALID), answer
    for request in target.upstream.requests[before:]:
        assert not (request.all("transfer-encoding") and request.all("content-length"))
        assert len(request.all("content-length")) <= 1 and b"abc" in request.body and len(request.body) <= 16
        assert not any(request.all(name) for name in ("expect", "upgrade", "te", "trailer"))
    assert len(target.upstream.requests) - before <= 1, "one request was made into two"


@every_way
@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Host", "X-Forwarded-For", "Forwarded"])
def test_d35_headers_that_change_what_a_request_is(target: Target, name: str) -> None:
    assert sent(target, "up", headers=[(name, "/admin")]).all(name) == []


@every_way
@pytest.mark.parametrize("text", ["UP_KEY", "{UP_KEY}", "{{secret}}", "${UP_KEY}", "{secret}", "Bearer {secret}"])
def test_d36_names_of_secrets_stay_text(target: Target, text: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in text.encode())
    request = sent(target, "up", f"/x/{quoted}", method="POST", headers=[("x-note", text)], query=f"q={quoted}", body=text.encode())
    assert request.all("x-note") == [text] and text.encode() in request.body and quoted in request.target
    assert request.raw.count(target.secrets["UP_KEY"].encode()) == 1


def test_d37_a_secret_of_another_destination(target: Target) -> None:
    """A caller cannot ask for another destination's secret: neither by header nor by naming two."""
    request = sent(target, "up", headers=[("x-bulkhead-destination", "second"), ("x-bulkhead-secret", "SECOND_KEY")])
    assert target.secrets["SECOND_KEY"].encode() not in request.raw
    target.refused((NOT_FOUND, INVALID), "up,second")

    def change(document: dict) -> None:
        document["credentials"]["destinations"]["up"]["base_url"] = "https://evil.test"

    changed = json.loads(json.dumps(target.suite.document))
    change(changed)
    suite = target.suite
    kept, suite.document = suite.document, changed
    try:
        suite.write()
        suite.cli("credentials", "reload")
        assert target.refused((DENIED, PRECONDITION), "up").reason == "destination_denied"
    finally:
        suite.document = kept
        suite.write()
        assert suite.cli("credentials", "reload").returncode == 0


PATHS = [
    "/v1/ok/../admin", "/v1/items/..", "/v1/items/%2e%2e", "/v1/items/%2E%2e/admin", "/v1%2fok", "/v1/items/a%2fb", "/v1/items/a%5cb", "/v1//ok", "//v1/ok",
    "/v1/ok%00", "/v1/ok;x=y", "/v1/items/.", "/v1/ok/", "/v1/OK", "/V1/ok", "/v1/ok%20", "/v1/o%6b", "/v1/items/a/b", "/v1/items/", "/", "/v1/\u212a",
]


@every_way
@pytest.mark.parametrize("path", PATHS)
def test_d40_paths_that_look_like_allowed_ones(target: Target, path: str) -> None:
    target.refused((DENIED, INVALID), "narrow", path)


@every_way
@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "TRACE", "CONNECT", "get", "OPTIONS", "PATCH", "TRACK", "GET,POST"])
def test_d41_methods_that_are_not_allowed(target: Target, method: str) -> None:
    target.refused((DENIED, INVALID), "narrow", "/v1/ok", method=method)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_d41_trace_and_connect_are_never_allowed(target: Target, method: str) -> None:
    target.refused((DENIED, INVALID), "up", method=method)


@every_way
def test_d00_the_allowed_path_works(target: Target) -> None:
    for path in ("/v1/ok", "/v1/items/7", "/v1/ok"):
        assert sent(target, "narrow", path).target == path
