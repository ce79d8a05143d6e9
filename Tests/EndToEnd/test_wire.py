"""What stands on the wire: the compatibility rules that clients rely on without saying so, by raw sockets where clients hide it."""

import contextlib
import json
import socket
import threading
import time
from typing import Any, Iterator

import pytest

from suite import ANTHROPIC, CHAT, MESSAGES, Suite, prompt

RESPONSES = "/v1/responses"
SURFACES = pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES], ids=["chat", "messages", "responses"])


def body(path: str, model: str, **more: Any) -> dict[str, Any]:
    if path == RESPONSES:
        return {"model": model, "input": prompt()} | more
    limit = {"max_tokens": 500} if path == MESSAGES else {}
    return {"model": model, "messages": [{"role": "user", "content": prompt()}]} | limit | more


class Wire:
    """One connection, read byte by byte."""

    def __init__(self, suite: Suite, seconds: float = 20) -> None:
        self.suite = suite
        self.socket = socket.create_connection(("127.0.0.1", suite.port), seconds)
        self.file = self.socket.makefile("rb")

    def send(self, method: str, path: str, document: Any = None, **headers: str) -> None:
        data = json.dumps(document).encode() if document is not None else b""
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {self.suite.key}", f"Content-Length: {len(data)}", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    def head(self) -> tuple[int, dict[str, str]]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while line := self.file.readline().strip():
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        return status, headers

    def chunks(self) -> Iterator[bytes]:
        """The pieces of a chunked body as they were sent, up to its proper end."""
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()

    def whole(self, headers: dict[str, str]) -> bytes:
        return self.file.read(int(headers["content-length"])) if "content-length" in headers else b"".join(self.chunks())

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def wire(suite: Suite) -> Iterator[Wire]:
    wire = Wire(suite)
    yield wire
    wire.close()


def data_of(events: bytes) -> list[Any]:
    found = []
    for event in events.decode().split("\n\n"):
        (line,) = [line for line in event.split("\n") if line.startswith("data: ")] or [""]
        if line:
            found.append(line[6:] if line == "data: [DONE]" else json.loads(line[6:]))
    return found


# Streams


@SURFACES
def test_events_are_framed_plainly_and_sent_at_once(wire: Wire, path: str) -> None:
    wire.send("POST", path, body(path, "slowly", stream=True), accept_encoding="gzip, br")
    status, headers = wire.head()
    assert status == 200 and headers["content-type"].startswith("text/event-stream") and "content-encoding" not in headers
    times, told = [], b""
    for chunk in wire.chunks():
        times.append(time.monotonic())
        told += chunk
        if len(times) == 8:
            break
    # Twenty tokens a second: eight pieces that came at once were held back.
    assert times[-1] - times[2] > 0.1
    assert b"\r" not in told
    for event in told.decode().split("\n\n")[:-1]:
        lines = event.split("\n")
        assert [line.split(":")[0] for line in lines] == (["data"] if path == CHAT else ["event", "data"]), event
        assert path == CHAT or json.loads(lines[1][6:])["type"] == lines[0][7:]


def test_usage_is_told_once_at_the_end_to_those_who_ask(suite: Suite) -> None:
    asked = [data for _, data in suite.stream(stream_options={"include_usage": True}).events]
    assert asked[-1] == "[DONE]" and asked[-2]["choices"] == [] and asked[-2]["usage"]["total_tokens"] > 0
    assert all(chunk["usage"] is None and len(chunk["choices"]) == 1 for chunk in asked[:-2])
    assert asked[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert asked[-3]["choices"][0]["delta"] == {} and asked[-3]["choices"][0]["finish_reason"] == "stop"
    silent = [data for _, data in suite.stream().events]
    assert all("usage" not in chunk and chunk["choices"] for chunk in silent[:-1])


@pytest.mark.parametrize("model", ["assistant", "pair"], ids=["first", "after-a-failover"])
def test_all_chunks_of_an_answer_name_the_same_one_and_who_served(suite: Suite, model: str) -> None:
    stream = suite.stream(model)
    chunks = [data for _, data in stream.events if isinstance(data, dict)]
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks} == {(chunks[0]["id"], chunks[0]["created"], stream.headers["x-bulkhead-model"])}
    assert stream.headers["x-bulkhead-model"] == ("demo-second" if model == "pair" else "demo-chat")


@SURFACES
@pytest.mark.parametrize("fault", ["cut-5", "end-5"])
def test_a_failure_after_the_head_is_told_and_nothing_claims_success(wire: Wire, path: str, fault: str) -> None:
    wire.send("POST", path, body(path, fault, stream=True))
    status, headers = wire.head()
    events = b"".join(wire.chunks())
    assert status == 200 and headers["x-request-id"] == headers["request-id"]
    last = data_of(events)[-1]
    if path == CHAT:
        assert last["error"]["code"] == "stream_broken" and set(last["error"]) == {"message", "type", "param", "code"}
    elif path == MESSAGES:
        assert last["type"] == "error" and last["error"]["message"] and last["request_id"] == headers["request-id"]
    else:
        assert last["type"] == "response.failed" and last["response"]["error"]["code"] == "stream_broken"
    for claim in (b"[DONE]", b"message_stop", b"response.completed", b'"finish_reason":"stop"', b'"stop_reason":"end_turn"'):
        assert claim not in events, claim


@SURFACES
def test_a_connection_is_good_for_more_after_a_broken_stream(wire: Wire, path: str) -> None:
    wire.send("POST", path, body(path, "cut-5", stream=True))
    wire.head()
    list(wire.chunks())
    wire.send("POST", path, body(path, "assistant"))
    status, headers = wire.head()
    assert status == 200 and wire.whole(headers)
    wire.send("GET", "/v1/models")
    assert wire.head()[0] == 200


def test_a_silent_stream_shows_a_sign_of_life_within_15_s(suite: Suite) -> None:
    signs = {CHAT: b": keep-alive\n\n", MESSAGES: b'event: ping\ndata: {"type":"ping"}\n\n', RESPONSES: b": keep-alive\n\n"}
    waits: dict[str, float] = {}

    def watch(path: str) -> None:
        with contextlib.closing(Wire(suite, 25)) as wire:
            wire.send("POST", path, body(path, "quiet", stream=True))
            wire.head()
            last = time.monotonic()
            for chunk in wire.chunks():
                if chunk.endswith(signs[path]):
                    waits[path] = time.monotonic() - last
                    return
                last = time.monotonic()

    threads = [threading.Thread(target=watch, args=(path,)) for path in signs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert waits.keys() == signs.keys() and all(wait < 17 for wait in waits.values()), waits


# Limits of time and retries


@SURFACES
@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout"])
def test_the_time_the_client_gives_is_the_time_it_takes(suite: Suite, path: str, name: str) -> None:
    reply = suite.request("POST", path, body(path, "slow-4s"), headers={name: "1"} | ANTHROPIC)
    assert reply.status in (502, 503, 504) and reply.seconds < 3
    assert suite.chat().status == 200, "others are served"


def test_time_that_is_over_is_told_at_once(suite: Suite) -> None:
    reply = suite.request("POST", CHAT, body(CHAT, "slow-4s"), headers={"x-stainless-read-timeout": "0.001"})
    assert reply.status == 504 and reply.seconds < 1
    assert suite.chat().status == 200, "others are served"


@SURFACES
def test_a_provider_that_failed_all_tries_is_not_to_be_asked_again(suite: Suite, path: str) -> None:
    for model in ("fail-500", "fail-503"):
        reply = suite.request("POST", path, body(path, model), headers=ANTHROPIC)
        assert reply.status >= 500 and reply.headers["x-should-retry"] == "false", reply


@SURFACES
def test_refusals_for_a_while_say_for_how_long(suite: Suite, path: str) -> None:
    for model in ("fail-429", "fail-429-retry-30s"):
        reply = suite.request("POST", path, body(path, model), headers=ANTHROPIC)
        assert reply.status == 429 and reply.headers["x-should-retry"] in ("true", "false"), reply
        seconds, milliseconds = int(reply.headers["retry-after"]), int(reply.headers["retry-after-ms"])
        assert 1 <= seconds <= 60 and seconds - 1 < milliseconds / 1000 <= seconds
        if model.endswith("30s"):
            assert seconds in (29, 30)


def test_retries_of_client_and_router_do_not_multiply(suite: Suite) -> None:
    counts = []
    for retries in ("0", "2"):
        text = prompt()
        suite.request("POST", CHAT, {"model": "fail-500", "messages": [{"role": "user", "content": text}]}, headers={"x-stainless-retry-count": retries})
        counts.append(len(suite.provider.seen(text)))
    assert counts[0] > counts[1] == 1
    text = prompt()
    with pytest.raises(Exception):
        suite.openai(max_retries=2).chat.completions.create(model="fail-500", messages=[{"role": "user", "content": text}])
    assert len(suite.provider.seen(text)) == counts[0], "the client was told not to try again"


# Routes


@pytest.mark.parametrize("root", ["", "/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_paths_with_and_without_v1_and_a_trailing_slash(suite: Suite, root: str, slash: str) -> None:
    for path in (CHAT, MESSAGES, RESPONSES):
        assert suite.request("POST", f"{root}{path[3:]}{slash}", body(path, "assistant")).status == 200, path
    assert suite.request("POST", f"{root}/embeddings{slash}", {"model": "vectors", "input": "x"}).status == 200
    assert suite.request("GET", f"{root}/models{slash}").json["object"] == "list"
    assert suite.request("GET", f"{root}/models/assistant{slash}").json["id"] == "assistant"
    assert suite.request("POST", f"{root}/chat/completions{slash}", {}).error["param"] == "model"
    assert suite.request("POST", f"{root}/messages{slash}", {}).json["type"] == "error"


@pytest.mark.parametrize("path", ["/v1/nowhere", "/v1/chat", "/v1/responses/resp_1", "/v1/messages/batches", "/chat", "/nowhere", "/"])
def test_what_is_not_there_is_json(suite: Suite, path: str) -> None:
    for method in ("GET", "POST"):
        reply = suite.request(method, path, {} if method == "POST" else None)
        assert reply.status == 404 and "json" in reply.headers["content-type"] and reply.json, (method, reply)
        assert reply.headers["x-request-id"] == reply.headers["request-id"]


def test_head_and_options(wire: Wire) -> None:
    for path in ("/v1/models", "/health"):
        wire.send("HEAD", path)
        status, headers = wire.head()
        assert status == 200 and int(headers["content-length"]) > 0, "and no body: the next answer follows at once"
    for path, allowed in ((CHAT, "POST, OPTIONS"), (RESPONSES, "POST, OPTIONS"), ("/v1/models", "GET, HEAD, OPTIONS")):
        wire.send("OPTIONS", path)
        status, headers = wire.head()
        assert status == 200 and headers["allow"] == allowed and headers["content-length"] == "0"
    wire.send("GET", CHAT)
    status, headers = wire.head()
    assert status == 405 and headers["allow"] == "POST"


@SURFACES
def test_a_body_announced_too_large_is_refused_before_it_is_read(suite: Suite, path: str) -> None:
    with contextlib.closing(Wire(suite)) as wire:
        wire.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {suite.key}\r\nContent-Length: {1 << 40}\r\n\r\n{{".encode())
        began = time.monotonic()
        status, headers = wire.head()
        assert status == 413 and time.monotonic() - began < 2 and headers["x-request-id"] == headers["request-id"]


@SURFACES
@pytest.mark.parametrize("streamed", [False, True])
def test_ids_stand_on_every_answer(suite: Suite, path: str, streamed: bool) -> None:
    for model in ("assistant", "nobody"):
        reply = suite.request("POST", path, body(path, model, stream=streamed), headers={"x-request-id": "mine-1"} | ANTHROPIC)
        assert reply.headers["x-request-id"] == reply.headers["request-id"] == "mine-1", reply


def test_tokens_of_a_request_are_counted(suite: Suite) -> None:
    client, text = suite.anthropic(), prompt()
    short = client.messages.count_tokens(model="scribe", messages=[{"role": "user", "content": text}])
    long = client.messages.count_tokens(model="scribe", system="Be brief. " * 50, messages=[{"role": "user", "content": text * 10}])
    assert 0 < short.input_tokens < long.input_tokens
    assert suite.request("POST", "/v1/messages/count_tokens", {"model": "scribe"}).status == 400
    assert suite.request("POST", "/v1/messages/count_tokens", {"model": "nobody", "messages": [{"role": "user", "content": "x"}]}).status == 404
