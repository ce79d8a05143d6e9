"""The credential proxy: any client reaches a destination by a changed base URL, and never holds its key."""

import concurrent.futures
import contextlib
import gzip
import hashlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from typing import Any, Iterator

import httpx
import pytest
import requests

import suite as driver
from suite import Provider, Reply, Suite, until
from upstream import Upstream

NAMES = ("plain", "keyed", "models", "voices", "forrouter")


class Stage:
    """A suite with destinations for applications: `plain` injects nothing, `keyed` a secret, `models` and `voices` are the demo
    provider in two dialects."""

    def __init__(self, suite: Suite, upstream: Upstream) -> None:
        self.suite, self.upstream = suite, upstream
        self.secret = suite.secrets["UP_KEY"]
        self.key = suite.new_key("--destinations", ",".join(NAMES))["key"]

    def url(self, path: str) -> str:
        return f"{self.suite.url}/v1/proxy/{path}"

    def proxy(self, path: str, method: str = "GET", body: Any = None, key: str | None = "", **more: Any) -> Reply:
        return self.suite.request(method, f"/v1/proxy/{path}", body, self.key if key == "" else key, **more)

    def call(self, name: str, key: str | None = "", mark: str | None = None, **body: Any) -> Reply:
        """`mark`: the Idempotency-Key."""
        return self.suite.request("POST", f"/v1/call/{name}", body, self.key if key == "" else key, {"idempotency-key": mark} if mark else None)


@pytest.fixture(scope="module")
def running(provider: Provider) -> Iterator[Stage]:
    upstream = Upstream()

    def change(document: dict[str, Any]) -> None:
        plain = {"base_url": upstream.url, "private_network": True, "callers": ["edge"]}
        secret = {"allow_plain_http": True, "secret": "UP_KEY", "preset": "bearer"}
        demo = {"base_url": provider.url, "private_network": True, "allow_plain_http": True, "callers": ["edge"]}
        document["credentials"]["destinations"] |= {
            "plain": plain, "keyed": plain | secret, "forrouter": plain | {"callers": ["router"]}, "unlisted": plain,
            "models": demo | {"secret": "OAI_KEY", "preset": "openai"}, "voices": demo | {"secret": "ANT_KEY", "preset": "anthropic"},
        }
        document["edge"]["max_upload"] = "32MiB"

    suite = driver.Suite(provider, change)
    suite.secrets["UP_KEY"] = "up-" + os.urandom(16).hex()
    suite.begin()
    yield Stage(suite, upstream)
    suite.close()
    upstream.close()


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.suite.wait_well(10)
    running.upstream.seen.clear()
    running.upstream.go.clear()
    return running


# The clients people have


def test_the_openai_client(stage: Stage) -> None:
    import openai

    client = openai.OpenAI(base_url=stage.url("models/v1"), api_key=stage.key, max_retries=0)
    ask = {"model": "demo-chat", "messages": [{"role": "user", "content": driver.prompt()}]}
    assert client.chat.completions.create(**ask).choices[0].message.content
    pieces = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask, stream=True) if chunk.choices]
    assert len(pieces) > 2 and "".join(pieces)
    assert client.embeddings.create(model="demo-embed", input="x").data[0].embedding
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=stage.url("models/v1"), api_key="bh_wrong", max_retries=0).models.list()


def test_the_asynchronous_openai_client(stage: Stage) -> None:
    import asyncio

    import openai

    async def run() -> list[str]:
        async with openai.AsyncOpenAI(base_url=stage.url("models/v1"), api_key=stage.key, max_retries=0) as client:
            ask = {"model": "demo-chat", "messages": [{"role": "user", "content": driver.prompt()}]}
            stream = await client.chat.completions.create(**ask, stream=True)
            return [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]

    assert "".join(asyncio.run(run()))


def test_the_anthropic_client(stage: Stage) -> None:
    import anthropic

    client = anthropic.Anthropic(base_url=stage.url("voices"), api_key=stage.key, max_retries=0)
    ask = {"model": "demo-claude", "max_tokens": 50, "messages": [{"role": "user", "content": driver.prompt()}]}
    assert client.messages.create(**ask).content[0].text
    with client.messages.stream(**ask) as stream:
        assert "".join(stream.text_stream)


def test_requests_with_a_form_and_a_file(stage: Stage) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {stage.key}"
        # As Stripe's library posts.
        form = {"amount": "2000", "metadata[order]": "6735", "expand[]": ["a", "b"]}
        told = session.post(stage.url("keyed/v1/charges"), data=form, headers={"Idempotency-Key": "k-1", "Stripe-Version": "2026-01-01"}).json()
        assert told["body"] == "amount=2000&metadata%5Border%5D=6735&expand%5B%5D=a&expand%5B%5D=b"
        assert stage.upstream.last().all("idempotency-key") == ["k-1"] and stage.upstream.last().all("stripe-version") == ["2026-01-01"]
        assert stage.upstream.last().all("authorization") == [f"Bearer {stage.secret}"]
        data = os.urandom(300_000)
        session.post(stage.url("plain/files"), files={"file": ("f.bin", data)}).raise_for_status()
        assert data in stage.upstream.last().body


def test_httpx_streams_both_ways(stage: Stage) -> None:
    data = [os.urandom(40_000) for _ in range(20)]
    with httpx.Client(headers={"x-api-key": stage.key}, trust_env=False) as client:
        with client.stream("POST", stage.url("plain/duplex"), content=iter(data)) as answer:
            assert b"".join(answer.iter_bytes()) == b"".join(data)
    assert stage.upstream.last().all("transfer-encoding") == ["chunked"]


def test_packed_bodies_go_on_as_they_are(stage: Stage) -> None:
    for coding, body in [("gzip", b"\x1f\x8b this is no gzip"), ("br, whatever", os.urandom(200_000))]:
        reply = stage.proxy("plain/upload", "POST", body, headers={"content-encoding": coding})
        assert reply.json["sha256"] == hashlib.sha256(body).hexdigest() and stage.upstream.last().all("content-encoding") == [coding]


def test_a_described_call_may_be_packed(stage: Stage) -> None:
    body = gzip.compress(json.dumps({"method": "POST", "path": "/upload", "body": "hello"}).encode())
    reply = stage.suite.request("POST", "/v1/call/plain", body, stage.key, {"content-encoding": "gzip"})
    assert reply.json["sha256"] == hashlib.sha256(b"hello").hexdigest() and not stage.upstream.last().all("content-encoding")
    refused = stage.suite.request("POST", "/v1/call/plain", body, stage.key, {"content-encoding": "br"})
    assert refused.status == 415 and refused.headers["content-type"] == "application/problem+json"


def test_curl_with_expect(stage: Stage, tmp_path: Any) -> None:
    path = tmp_path / "body"
    path.write_bytes(os.urandom(3 << 20))
    done = subprocess.run(
        ["curl", "-sv", "--noproxy", "*", "-H", f"Authorization: Bearer {stage.key}", "-H", "Expect: 100-continue", "-T", path, stage.url("plain/upload")],
        capture_output=True, timeout=30,
    )
    assert json.loads(done.stdout)["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert b"100 Continue" in done.stderr and not stage.upstream.last().all("expect")


# Nothing is changed on the way


@pytest.mark.parametrize("target", ["/a%20b?x=1&x=%2F&y", "/%7Euser/", "/a;v=1/b", "/?q", "", "/a?b?c=/d", "/v1/proxy/keyed/x"])
def test_path_and_query_arrive_as_they_were_sent(stage: Stage, target: str) -> None:
    assert stage.proxy(f"plain{target}").status == 200
    assert stage.upstream.last().target == (target or "/")


@pytest.mark.parametrize("path", ["//a", "/a//b", "/a%2Fb", "/a/../b", "/%2e%2e/b", "/a/.", "/a\\b", "/a#b"])
def test_paths_of_two_readings_are_judged_by_credentials(stage: Stage, path: str) -> None:
    reply = stage.proxy(f"plain{path}")
    assert reply.status == 400 and not stage.upstream.seen, f"the edge is not to tidy {path!r} up: {reply}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_method(stage: Stage, method: str) -> None:
    reply = stage.proxy("plain/x", method, b"payload" if method in ("POST", "PUT", "PATCH", "DELETE") else None)
    assert reply.status == 200 and stage.upstream.last().method == method
    assert (reply.body == b"") == (method == "HEAD") and int(reply.headers["content-length"]) > 0


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_methods_that_speak_to_proxies(stage: Stage, method: str) -> None:
    assert 400 <= stage.proxy("plain/x", method).status < 500 and not stage.upstream.seen


def test_a_change_of_protocol_is_refused(stage: Stage) -> None:
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x", "sec-websocket-version": "13"}
    reply = stage.proxy("plain/x", headers=headers)
    assert reply.status == 400 and reply.json["code"] == "unsupported" and not stage.upstream.seen


def test_request_headers(stage: Stage) -> None:
    sent = {
        "X-Custom": "kept", "Idempotency-Key": "x" * 300, "x-bulkhead-user": "ada", "X-Bulkhead-Other": "1", "Connection": "keep-alive, X-Hop",
        "X-Hop": "1", "TE": "trailers", "Proxy-Connection": "keep-alive", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x-request-id": "mine-1", "Accept": "a/b", "User-Agent": "me/1",
    }
    reply = stage.proxy("plain/x", headers=sent)
    record = stage.upstream.last()
    for name in ("x-custom", "idempotency-key", "traceparent", "x-request-id", "accept", "user-agent"):
        assert record.all(name) == [value for key, value in sent.items() if key.lower() == name]
    for name in ("x-bulkhead-user", "x-bulkhead-other", "x-hop", "te", "proxy-connection", "authorization", "x-api-key"):
        assert record.all(name) == [], name
    assert record.all("host") == [f"127.0.0.1:{stage.upstream.port}"]
    assert reply.headers["x-request-id"] == "mine-1"
    assert stage.key not in str(record) and "bh_" not in str(record.headers)


def test_the_key_goes_no_further_wherever_it_stands(stage: Stage) -> None:
    for headers in ({"x-api-key": stage.key}, {"x-api-key": stage.key, "authorization": f"Bearer {stage.key}"}, {"authorization": f"bearer  {stage.key}"}):
        assert stage.proxy("plain/x", key=None, headers=headers).status == 200
        assert "bh_" not in str(stage.upstream.last().headers)


def test_answer_headers(stage: Stage) -> None:
    headers = stage.proxy("plain/fields", headers={"x-request-id": "mine-2"}).headers
    assert headers.get_all("set-cookie") == ["a=1", "b=2"] and headers["x-custom"] == "kept"
    assert headers.get_all("x-request-id") == headers.get_all("request-id") == ["mine-2"]
    assert headers["x-bulkhead-upstream-request-id"] == "upstream-1"
    # The origin's own words on age and caching; the edge's on security.
    assert headers.get_all("cache-control") == ["max-age=60"] and headers.get_all("date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]
    assert headers.get_all("x-frame-options") == ["DENY"] and headers["x-content-type-options"] == "nosniff"
    for name in ("keep-alive", "strict-transport-security", "x-bulkhead-cache"):
        assert headers[name] is None, name
    assert stage.proxy("plain/x").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 401, 404, 429, 500, 503])
def test_statuses_and_their_bodies(stage: Stage, status: int) -> None:
    for reply in (stage.proxy(f"plain/status/{status}"), stage.call("plain", path=f"/status/{status}")):
        assert reply.status == status
        assert reply.body == (b"" if status in (204, 304) else f"status {status}".encode())
    assert len(stage.upstream.seen) == 2, "nothing is tried again"


def test_several_requests_on_one_connection(stage: Stage) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", stage.suite.port, timeout=10)) as connection:
        for path in ("x", "status/204", "stream", "status/404", "big?n=300000", "trailers", "status/304", "x"):
            connection.request("GET", f"/v1/proxy/plain/{path}", headers={"authorization": f"Bearer {stage.key}"})
            answer = connection.getresponse()
            answer.read()
            assert not answer.will_close
    assert len(stage.upstream.seen) == 8


# Streams


def raw(stage: Stage, request: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", stage.suite.port), 10)
    connection.sendall(request.replace(b"KEY", stage.key.encode()))
    return connection


def test_a_large_body_arrives_whole(stage: Stage) -> None:
    data = os.urandom(20 << 20)
    reply = stage.proxy("plain/upload", "PUT", data, seconds=30)
    assert reply.json == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_a_body_over_the_limit(stage: Stage) -> None:
    with raw(stage, b"PUT /v1/proxy/plain/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ncontent-length: 99000000\r\n\r\n") as connection:
        head = connection.recv(65536)
    assert b" 413 " in head.splitlines()[0] and b"payload_too_large" in head and b"max_upload" in head
    assert not stage.upstream.seen or stage.upstream.last().body == b""


def test_an_answer_before_the_body_was_read(stage: Stage) -> None:
    with raw(stage, b"PUT /v1/proxy/plain/early HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n") as connection:
        received = b""
        while b"enough" not in received:
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    assert received.startswith(b"HTTP/1.1 413 ")


def test_a_slow_reader_holds_the_upstream_back(stage: Stage) -> None:
    """What nobody reads is not fetched: no process on the way takes in 64 MiB."""
    size = 64 << 20
    before = sum(memory(stage.suite))
    with raw(stage, f"GET /v1/proxy/plain/big?n={size} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\n\r\n".encode()) as connection:
        head = connection.recv(1000)
        assert b" 200 " in head.splitlines()[0]
        until(lambda: stage.upstream.seen, 5, "the request at the upstream")
        time.sleep(1)
        grown = sum(memory(stage.suite)) - before
        assert grown < 24 << 20, f"the processes grew by {grown >> 20} MiB"
        left = size - len(head.split(b"\r\n\r\n", 1)[1])
        while left:
            left -= len(connection.recv(1 << 20))


def memory(suite: Suite) -> list[int]:
    import psutil

    return [psutil.Process(suite.pids()[name]).memory_info().rss for name in ("edge", "credentials")]


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_an_answer_that_breaks_off_is_not_shown_as_whole(stage: Stage, framing: str) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        stage.proxy(f"plain/cut/{framing}")


def test_trailers(stage: Stage) -> None:
    with raw(stage, b"GET /v1/proxy/plain/trailers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\nconnection: close\r\n\r\n") as connection:
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.endswith((b"0\r\n\r\n", b"0\r\nx-sum: 42\r\n\r\n"))


@pytest.mark.parametrize("path", ["silent", "silent/head"])
@pytest.mark.parametrize("way", ["proxy", "call"])
def test_leaving_closes_the_upstream(stage: Stage, way: str, path: str) -> None:
    with pytest.raises(TimeoutError):
        if way == "proxy":
            stage.proxy(f"plain/{path}", seconds=0.4)
        else:
            stage.suite.request("POST", "/v1/call/plain", {"path": f"/{path}"}, stage.key, seconds=0.4)
    left = time.monotonic()
    record = stage.upstream.last()
    until(lambda: record.closed_at, 3, "the upstream's connection to be closed")
    assert record.closed_at - left < 1


def test_leaving_in_the_middle_of_an_upload(stage: Stage) -> None:
    connection = raw(stage, b"PUT /v1/proxy/plain/silent HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
    until(lambda: stage.upstream.seen, 5, "the request at the upstream")
    record, left = stage.upstream.last(), time.monotonic()
    connection.close()
    until(lambda: record.closed_at, 3, "the upstream's connection to be closed")
    assert record.closed_at - left < 1


def test_many_at_once(stage: Stage) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda number: stage.proxy(f"keyed/x?n={number}", "POST", b"b" * number), range(200)))
    assert [(reply.status, len(reply.json["body"]), reply.json["target"]) for reply in replies] == [(200, number, f"/x?n={number}") for number in range(200)]


# Described calls


def test_a_described_call(stage: Stage) -> None:
    query = {"a": "two words", "n": 7, "f": 1.5, "b": True, "l": ["x", "ü", 2], "&=": "?"}
    reply = stage.call("keyed", method="POST", path="/x", query=query, headers={"X-Custom": "kept", "Transfer-Encoding": "chunked", "Content-Length": "3"}, body={"amount": 7})
    record = stage.upstream.last()
    assert record.target == "/x?a=two%20words&n=7&f=1.5&b=true&l=x&l=%C3%BC&l=2&%26%3D=%3F"
    assert json.loads(reply.json["body"]) == {"amount": 7} and record.all("content-type") == ["application/json"]
    assert record.all("x-custom") == ["kept"] and record.all("authorization") == [f"Bearer {stage.secret}"]
    stage.call("plain", method="PUT", path="/x", headers={"content-type": "text/csv"}, body="a,b\n")
    assert stage.upstream.last().all("content-type") == ["text/csv"]
    assert stage.call("plain", path="/x", method="POST", body=["a"]).json["body"] == '["a"]'
    assert stage.call("plain").json["target"] == "/"


@pytest.mark.parametrize(
    ("member", "body"),
    [
        ("methd", {"methd": "GET"}), ("method", {"method": 7}), ("path", {"path": ["/"]}), ("query", {"query": "a=1"}), ("query.a", {"query": {"a": {}}}),
        ("query.a", {"query": {"a": [None]}}), ("headers", {"headers": []}), ("headers.x", {"headers": {"x": 1}}), ("body", {"body": 7}), ("body", {"body": True}),
    ],
)
def test_a_wrong_member_is_named(stage: Stage, member: str, body: dict[str, Any]) -> None:
    reply = stage.suite.request("POST", "/v1/call/plain", body, stage.key)
    assert reply.status == 400 and member in reply.json["detail"], reply
    assert reply.headers["content-type"] == "application/problem+json" and not stage.upstream.seen


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"path": "/", "path": "/x"}'])
def test_a_body_that_is_no_call(stage: Stage, body: bytes) -> None:
    reply = stage.suite.request("POST", "/v1/call/plain", body, stage.key)
    assert reply.status == 400 and reply.json["code"] in ("invalid_json", "invalid_request"), reply


# Idempotency


def test_a_call_is_deduplicated(stage: Stage) -> None:
    mark = driver.prompt("order").replace(" ", "-")
    ask = {"method": "POST", "path": "/fields", "body": {"n": 1}}
    first, second = stage.call("plain", mark=mark, **ask), stage.call("plain", mark=mark, **ask)
    assert first.status == second.status == 200 and first.body == second.body == b"fields" and len(stage.upstream.seen) == 1
    assert second.headers["idempotent-replayed"] == "true" and first.headers["idempotent-replayed"] is None
    for name in ("content-type", "set-cookie", "x-custom", "cache-control"):
        assert first.headers.get_all(name) == second.headers.get_all(name), name
    assert stage.call("plain", mark=mark, **ask | {"body": {"n": 2}}).status == 422
    assert stage.call("keyed", mark=mark, **ask).status == 422, "another destination is another request"


@pytest.mark.parametrize(("status", "runs"), [(201, 1), (204, 1), (404, 1), (429, 2), (500, 2), (503, 2)])
def test_what_another_try_may_change_is_not_kept(stage: Stage, status: int, runs: int) -> None:
    mark = driver.prompt("order").replace(" ", "-")
    replies = [stage.call("plain", mark=mark, method="POST", path=f"/status/{status}") for _ in range(2)]
    assert [reply.status for reply in replies] == [status, status] and len(stage.upstream.seen) == runs
    assert replies[0].body == replies[1].body and replies[0].headers["content-type"] == replies[1].headers["content-type"]


def test_parallel_calls_with_one_key_run_once(stage: Stage) -> None:
    mark = driver.prompt("order").replace(" ", "-")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(stage.call, "plain", mark=mark, method="POST", path="/gate") for _ in range(8)]
        until(lambda: stage.upstream.seen, 5, "the call at the upstream")
        until(lambda: sum(call.done() for call in calls) == 7, 5, "the others to be refused")
        stage.upstream.go.set()
        statuses = sorted(call.result().status for call in calls)
    assert statuses == [200] + [409] * 7 and len(stage.upstream.seen) == 1


def test_an_answer_too_large_to_keep_is_not_fetched_twice(stage: Stage) -> None:
    mark = driver.prompt("order").replace(" ", "-")
    first, second = (stage.call("plain", mark=mark, path="/big", query={"n": 5 << 20}) for _ in range(2))
    assert first.status == 200 and len(first.body) == 5 << 20
    assert second.status == 409 and second.json["code"] == "response_not_retained" and len(stage.upstream.seen) == 1


# Who may call what


def test_who_may_call(stage: Stage) -> None:
    none, other = stage.suite.new_key()["key"], stage.suite.new_key("--destinations", "plain")["key"]
    for ask in (lambda name, key: stage.proxy(f"{name}/x", key=key), lambda name, key: stage.call(name, key, path="/x")):
        for name, key, status, code in (
            ("plain", None, 401, "missing_api_key"), ("plain", "bh_no", 401, "invalid_api_key"), ("plain", none, 403, "destination_not_allowed"),
            ("keyed", other, 403, "destination_not_allowed"), ("nowhere", stage.key, 404, "destination_unknown"),
            ("forrouter", stage.key, 403, "destination_denied"), ("plain", other, 200, None),
        ):
            reply = ask(name, key)
            assert reply.status == status, f"{name}: {reply}"
            if code:
                assert reply.headers["content-type"] == "application/problem+json" and reply.json["code"] == code and reply.json["detail"]
    assert len(stage.upstream.seen) == 2


def test_a_key_names_its_destinations(stage: Stage) -> None:
    for wrong in ("*", "a b", "a/b"):
        assert stage.suite.cli("session", "keys", "create", "--tenant", "t", "--destinations", wrong).returncode != 0, wrong


def test_the_list_of_destinations(stage: Stage) -> None:
    reply = stage.suite.request("GET", "/v1/call", key=stage.key)
    named = {entry["name"]: entry for entry in reply.json["data"]}
    assert set(named) == set(NAMES) - {"forrouter"}, "those of the key that applications may call"
    assert named["keyed"] == {"name": "keyed", "base_url": stage.upstream.url, "secret": "UP_KEY", "preset": "bearer", "methods": None, "paths": None}
    assert named["plain"]["secret"] is None
    assert stage.suite.request("GET", "/v1/call").json["data"] == []
    assert stage.suite.request("GET", "/v1/call", key=None).status == 401
    for secret in stage.suite.secrets.values():
        assert secret.encode() not in reply.body


def test_a_destination_added_later(stage: Stage) -> None:
    assert stage.proxy("later/x").status == 404
    destinations = stage.suite.document["credentials"]["destinations"]
    destinations["later"] = destinations["plain"]
    stage.suite.write()
    for service in ("credentials", "edge"):
        stage.suite.admin(service, "reload")
    assert stage.proxy("later/x").status == 403
    key = stage.suite.new_key("--destinations", "later")["key"]
    assert stage.proxy("later/x", key=key).status == 200


def test_limits_hold_for_proxied_calls_too(stage: Stage) -> None:
    slow = stage.suite.new_key("--destinations", "plain", "--rpm", "2")["key"]
    assert [stage.proxy("plain/x", key=slow).status for _ in range(3)] == [200, 200, 429]
    single = stage.suite.new_key("--destinations", "plain", "--concurrency", "1")["key"]
    assert [stage.proxy(path, key=single).status for path in ("plain/x", "plain/stream", "plain/status/204", "plain/x")] == [200, 200, 204, 200]
    waiting = threading.Thread(target=stage.proxy, args=("plain/gate",), kwargs={"key": single})
    waiting.start()
    until(lambda: any(record.target == "/gate" for record in stage.upstream.seen), 5, "the first call at the upstream")
    assert stage.proxy("plain/x", key=single).status == 429
    stage.upstream.go.set()
    waiting.join(10)
    assert stage.proxy("plain/x", key=single).status == 200


# When parts are missing


def test_nobody_listens(stage: Stage) -> None:
    destinations = stage.suite.document["credentials"]["destinations"]
    destinations["gone"] = destinations["plain"] | {"base_url": f"http://127.0.0.1:{driver.free_port()}"}
    stage.suite.write()
    for service in ("credentials", "edge"):
        stage.suite.admin(service, "reload")
    key = stage.suite.new_key("--destinations", "gone")["key"]
    reply = stage.proxy("gone/x", key=key)
    assert reply.status == 502 and reply.json["code"] == "upstream_unreachable"


def test_without_session(stage: Stage) -> None:
    assert stage.proxy("keyed/x").status == 200
    fresh = stage.suite.new_key("--destinations", "keyed")["key"]
    with stage.suite.down("session"):
        reply = stage.proxy("keyed/x")
        assert reply.status == 200 and reply.degraded == {"session"}
        assert stage.call("keyed", path="/x").status == 200
        assert stage.proxy("keyed/x", headers={"idempotency-key": "mine"}).status == 200, "it is the destination's to honour"
        assert stage.call("keyed", path="/x", mark="mine").status == 503
        assert stage.proxy("unlisted/x").status == 403, "what the key may call is remembered with it"
        assert stage.proxy("keyed/x", key=fresh).status == 503


def test_without_credentials(stage: Stage) -> None:
    with stage.suite.down("credentials"):
        replies = [stage.proxy("keyed/x") for _ in range(12)] + [stage.call("keyed", path="/x")]
        assert {reply.status for reply in replies} == {503}
        assert replies[-1].json["code"] in ("credentials_unavailable", "breaker_open") and replies[-1].headers["retry-after"]
        assert replies[-2].seconds < 0.2, "an open breaker answers at once"
        assert stage.suite.request("GET", "/v1/call", key=stage.key).status == 200
    until(lambda: stage.proxy("keyed/x").status == 200, 15, "the proxy to work again")


def test_with_credentials_frozen(stage: Stage) -> None:
    with stage.suite.frozen("credentials"), concurrent.futures.ThreadPoolExecutor(32) as pool:
        began, calls = time.monotonic(), []

        def refused() -> bool:
            calls.append(pool.submit(stage.proxy, "keyed/x", seconds=15))
            with contextlib.suppress(concurrent.futures.TimeoutError):
                reply = calls[-1].result(0.2)
                return reply.status == 503 and bool(reply.headers["retry-after"])
            return False

        until(refused, 6, "new calls to fail at once", every=0.1)
        assert time.monotonic() - began < 4, "a frozen peer is suspected within 3 s"
        assert {call.result(14).status for call in calls} <= {200, 503, 504}, "those under way end too"
    until(lambda: stage.proxy("keyed/x").status == 200, 10, "the proxy to work again")


# What is told of it


def test_metrics_name_the_route_and_no_path(stage: Stage) -> None:
    mark = "path" + os.urandom(6).hex()
    assert stage.proxy(f"keyed/{mark}?{mark}=1", "POST", b"payload", headers={"x-mark": mark}).status == 200
    page = stage.suite.request("GET", "/metrics", key=None).body.decode()
    assert mark not in page and 'route="/v1/proxy/{destination}/{path}"' in page and "bulkhead_edge_proxied_bytes_total" in page
    assert mark not in stage.suite.log()
