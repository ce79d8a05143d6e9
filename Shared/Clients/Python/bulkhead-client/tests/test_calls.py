"""What goes over the wire, against a stand-in for Bulkhead."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import bulkhead_client
from bulkhead_client import AsyncClient, Client, NoDestination, Refused, Unavailable, Unreachable

LIST = {
    "object": "list",
    "data": [{"name": "stripe", "base_url": "https://api.stripe.com", "secret": "STRIPE_KEY", "preset": "bearer", "methods": None, "paths": None}],
}


class Edge:
    """Answers like Bulkhead: by what a test set, else with what it was asked."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.connections = 0
        edge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                edge.connections += 1

            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                if self.headers.get("transfer-encoding"):
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.path == "/v1/call":
                    return self.send(200, {"content-type": "application/json"}, json.dumps(LIST).encode())
                edge.seen.append({"method": self.command, "target": self.path, "headers": dict(self.headers), "body": body})
                status, headers, body = edge.answers.pop(0) if edge.answers else (200, {"x-bulkhead-destination": "stripe"}, b"fine")
                self.send(status, headers, body)

            def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in ({"content-length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                self.close_connection = self.close_connection or "content-length" in headers

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def problem(self, status: int, code: str, **headers: str) -> None:
        body = {"title": "t", "status": status, "detail": "what to do", "code": code}
        self.answers.append((status, {"content-type": "application/problem+json", "x-request-id": "req_1"} | headers, json.dumps(body).encode()))


@pytest.fixture
def edge() -> Iterator[Edge]:
    edge = Edge()
    yield edge
    edge.server.shutdown()
    edge.server.server_close()


@pytest.fixture
def client(edge: Edge) -> Iterator[Client]:
    with Client(edge.url, "bh_key") as client:
        yield client


def test_an_address_becomes_a_proxied_request(edge: Edge, client: Client) -> None:
    answer = client.call("https://api.stripe.com/v1/charges?expand[]=a", bearer="STRIPE_KEY", query={"limit": 3, "deep": True, "l": ["x", "ü"]})
    assert (answer.status, answer.body, answer.ok) == (200, b"fine", True)
    (asked,) = edge.seen
    assert asked["target"] == "/v1/proxy/stripe/v1/charges?expand%5B%5D=a&limit=3&deep=true&l=x&l=%C3%BC"
    assert asked["method"] == "GET" and asked["headers"]["authorization"] == "Bearer bh_key"
    assert "STRIPE_KEY" not in str(asked), "not even the name of the key is needed on the wire"


def test_bodies(edge: Edge, client: Client) -> None:
    client.call("stripe", path="/a", json={"n": 1})
    client.call("stripe", path="/a", body=b"\x00\xff", headers={"Content-Type": "image/png"})
    client.call("stripe", path="/a", body=iter([b"one", b"two"]), method="put")
    assert [asked["body"] for asked in edge.seen] == [b'{"n":1}', b"\x00\xff", b"onetwo"]
    assert [asked["method"] for asked in edge.seen] == ["POST", "POST", "PUT"]
    assert [asked["headers"].get("content-type") for asked in edge.seen] == ["application/json", "image/png", None]


def test_an_idempotency_key_makes_it_a_described_call(edge: Edge, client: Client) -> None:
    edge.answers.append((200, {"x-bulkhead-destination": "stripe", "idempotent-replayed": "true"}, b"{}"))
    answer = client.call("stripe", path="/a", query={"q": "1 2"}, json={"n": 1}, headers={"X-A": "1"}, idempotency_key="k")
    (asked,) = edge.seen
    assert asked["target"] == "/v1/call/stripe" and asked["headers"]["idempotency-key"] == "k" and answer.is_replayed
    told = json.loads(asked["body"])
    assert told == {
        "method": "POST", "path": "/a", "query": {"q": ["1 2"]}, "headers": {"x-a": "1", "content-type": "application/json"}, "body": '{"n":1}',
    }
    with pytest.raises(ValueError):
        client.call("stripe", body=iter([b"x"]), idempotency_key="k")


def test_what_a_destination_answers_is_no_error(edge: Edge, client: Client) -> None:
    for status in (302, 404, 500):
        edge.answers.append((status, {"x-bulkhead-destination": "stripe", "location": "https://elsewhere.example/"}, b""))
        assert client.call("stripe").status == status
    assert len(edge.seen) == 3, "redirects are not followed, nothing is tried again"


def test_what_bulkhead_says_is_an_error(edge: Edge, client: Client) -> None:
    edge.problem(403, "destination_not_allowed")
    edge.problem(503, "secret_missing", **{"retry-after": "7"})
    with pytest.raises(Refused) as refused:
        client.call("stripe")
    assert (refused.value.code, refused.value.status, refused.value.detail, refused.value.request_id) == ("destination_not_allowed", 403, "what to do", "req_1")
    with pytest.raises(Unavailable) as away:
        client.call("stripe")
    assert away.value.code == "secret_missing" and away.value.retry_after == 7
    edge.answers.append((502, {}, b"<html>"))
    with pytest.raises(Unavailable, match="http_502"):
        client.call("stripe")


def test_the_key_and_the_destination_must_fit(edge: Edge, client: Client) -> None:
    assert client.call("stripe", bearer="STRIPE_KEY").ok
    for words in ({"bearer": "OTHER"}, {"basic": "STRIPE_KEY"}):
        with pytest.raises(NoDestination, match="stripe uses bearer='STRIPE_KEY'"):
            client.call("stripe", **words)
    with pytest.raises(NoDestination):
        client.call("https://api.stripe.com.evil.example/", bearer="STRIPE_KEY")
    with pytest.raises(NoDestination):
        client.call("../admin")
    with pytest.raises(ValueError):
        client.call("stripe", bearer="STRIPE_KEY", basic="STRIPE_KEY")
    assert len(edge.seen) == 1, "nothing is sent of what is refused"


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "PROXY-AUTHORIZATION"])
def test_a_credential_of_ones_own_is_refused(edge: Edge, client: Client, name: str) -> None:
    with pytest.raises(ValueError) as told:
        client.call("stripe", headers={name: "Bearer my-own"})
    assert "my-own" not in str(told.value) and not edge.seen


def test_smuggling_is_refused(edge: Edge, client: Client) -> None:
    for words in ({"path": "/a\r\nX: 1"}, {"path": "/a b"}, {"path": "x"}, {"path": "/a?b"}, {"headers": {"X-A": "1\r\nX-B: 2"}}, {"method": "GET /x HTTP/1.1\r\n\r\nGET"}):
        with pytest.raises(ValueError):
            client.call("stripe", **words)
    assert not edge.seen


def test_streams_and_broken_answers(edge: Edge, client: Client) -> None:
    edge.answers.append((200, {"x-bulkhead-destination": "stripe"}, b"data: 1\n\ndata: 2\r\nrest"))
    with client.call("stripe", stream=True) as answer:
        assert list(answer.lines()) == ["data: 1", "", "data: 2", "rest"]
    edge.answers.append((200, {"x-bulkhead-destination": "stripe", "content-length": "100"}, b"half"))
    with pytest.raises(Unreachable, match="broke off"):
        client.call("stripe", timeout=2)


def test_connections_are_kept_and_ended_ones_replaced(edge: Edge, client: Client) -> None:
    for _ in range(5):
        client.call("stripe")
    assert edge.connections == 1
    with client.call("stripe", stream=True):
        pass  # given up before its end: the connection is of no more use
    client.call("stripe")
    assert edge.connections == 2


def test_nobody_listens() -> None:
    with pytest.raises(Unreachable, match="ConnectionRefusedError"):
        Client("http://127.0.0.1:1", "bh_key").call("stripe")


def test_there_is_no_way_to_a_value(client: Client) -> None:
    for kind in (Client, AsyncClient, bulkhead_client.Destination):
        named = [name for name in dir(kind) if not name.startswith("__")]
        assert not [name for name in named if name.lstrip("_").startswith(("get", "read", "reveal", "secret_", "value", "fetch"))]
    assert "bh_key" not in repr(client)


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BULKHEAD_API_KEY", raising=False)
    with pytest.raises(ValueError, match="BULKHEAD_API_KEY"):
        Client("http://h:1")
    monkeypatch.setenv("BULKHEAD_API_KEY", "bh_env")
    assert Client("http://h:1")
    for wrong in ("h:1", "ftp://h", "http://h/v1", "http://h?x"):
        with pytest.raises(ValueError):
            Client(wrong)


def test_the_asynchronous_client(edge: Edge) -> None:
    async def run() -> list[Any]:
        async with AsyncClient(edge.url, "bh_key") as client:
            answer = await client.call("https://api.stripe.com/x", bearer="STRIPE_KEY")
            async with await client.call("stripe", stream=True) as streamed:
                return [answer.status, await answer.text(), b"".join([piece async for piece in streamed]), len(await client.destinations())]

    assert asyncio.run(run()) == [200, "fine", b"fine", 1]
