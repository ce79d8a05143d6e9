"""A provider may send anything: memory stays bounded, the caller gets the right error in a few words, the operator all of it."""

import contextlib
import functools
import gzip
import json
import threading
from typing import Any, Awaitable, Callable, Iterator

import psutil
import pytest

from actor import Act, Line, answer, fail
from stage import Stage, route
from suite import Provider, prompt, until
from surfaces import EVERY_SURFACE, EVERY_WAY, SURFACES, WAYS, ask, assert_complete, assert_failed, together

GROWTH = 150 << 20  # bytes of memory router and credentials may grow by
MEGABYTE = 1 << 20
LIMITS: dict[str, Any] = {
    "timeouts": {"connect": "1s", "first_token": "5s", "between_tokens": "5s", "total": "20s"},
    "retry": {"tries_per_target": 1, "max_tries": 1},
}
ROUTES = [
    route("openai", "one/hostile-a", **LIMITS), route("anthropic", "four/hostile-c", **LIMITS),
    *(route(f"told-{surface}", f"one/told-{surface}", **LIMITS) for surface in SURFACES),
    route("pair", "one/hostile-p", "three/hostile-q", **LIMITS | {"retry": {"tries_per_target": 1, "max_tries": 2}}),
]
BEHIND = {"openai": "hostile-a", "anthropic": "hostile-c"}
CHUNK = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}'
WHOLE = '{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'


@pytest.fixture(scope="module")
def stage(provider: Provider) -> Iterator[Stage]:
    with contextlib.closing(Stage(provider, ROUTES)) as stage:
        yield stage


class Memory:
    """The most memory router and credentials took meanwhile."""

    def __init__(self, stage: Stage) -> None:
        pids = stage.suite.pids()
        self.processes = {name: psutil.Process(pids[name]) for name in ("router", "credentials")}
        self.before = self.look()
        self.most = dict(self.before)
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def look(self) -> dict[str, int]:
        return {name: process.memory_info().rss for name, process in self.processes.items()}

    def _watch(self) -> None:
        while not self.ends.wait(0.02):
            for name, size in self.look().items():
                self.most[name] = max(self.most[name], size)

    def __enter__(self) -> "Memory":
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.ends.set()
        self.thread.join()

    def assert_bounded(self) -> None:
        grown = {name: self.most[name] - self.before[name] for name in self.most}
        assert all(size <= GROWTH for size in grown.values()), f"grew by {({name: size // MEGABYTE for name, size in grown.items()})} MiB"


async def huge_whole(line: Line) -> None:
    """One JSON document of 100 MB, truly announced."""
    start, end = (WHOLE % '"~"').split("~")
    await line.head(200, content_type="application/json", content_length=str(len(start) + 100 * MEGABYTE + len(end)))
    await line.send(start)
    for _ in range(100):
        await line.send(b"x" * MEGABYTE)
    await line.send(end)


async def endless_line(line: Line) -> None:
    """An event without an end."""
    await line.open()
    await line.chunk('data: {"id":"c","choices":[{"index":0,"delta":{"content":"')
    for _ in range(200):
        await line.chunk(b"x" * MEGABYTE)


async def endless_answer(line: Line) -> None:
    """Good events, more and more of them."""
    await line.open()
    event = f"data: {CHUNK % ('word ' * 2000)}\n\n".encode()
    for _ in range(8_000):
        await line.chunk(event)


async def endless_comments(line: Line) -> None:
    await line.open()
    for _ in range(60):
        await line.chunk(b": nothing\n" * (MEGABYTE // 10))


async def endless_headers(line: Line) -> None:
    await line.send("HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        await line.send(f"x-more-{number}: {'y' * 1000}\r\n")


async def endless_header(line: Line) -> None:
    await line.send("HTTP/1.1 200 OK\r\nx-more: ")
    for _ in range(100):
        await line.send(b"y" * MEGABYTE)


async def endless_error(line: Line) -> None:
    await line.head(500, content_type="text/plain", transfer_encoding="chunked")
    for _ in range(100):
        await line.chunk(b"no " * (MEGABYTE // 3))


@functools.cache
def packed(before: str, after: str) -> bytes:
    """A hundred megabytes in a hundred kilobytes."""
    return gzip.compress(before.encode() + b"x" * (100 * MEGABYTE) + after.encode(), 6)


# These answers are whole, and their connection is good until it is closed: unannounced, that could meet the next request on it.
PACKED = {"content-encoding": "gzip", "connection": "close"}


async def bomb(line: Line) -> None:
    """Nothing packed was asked for."""
    await line.whole(200, packed(*(WHOLE % '"~"').split("~")), {"content-type": "application/json"} | PACKED)


async def bomb_of_events(line: Line) -> None:
    await line.whole(200, packed("data: ", "\n\n"), {"content-type": "text/event-stream"} | PACKED)


async def no_http(line: Line) -> None:
    await line.send(b"\x00\xff\x16\x03\x01 hello\r\n\r\n")


async def lying_length(line: Line) -> None:
    await line.head(200, content_type="application/json", content_length="18446744073709551616")
    await line.send(b"{")


async def bad_chunks(line: Line) -> None:
    await line.open()
    await line.send(b"ffffffffffffffffff\r\nx\r\n")


async def many_calls(line: Line) -> None:
    await line.open()
    for number in range(20_000):
        call = {"index": number, "id": f"call_{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        await line.chunk("data: " + json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}) + "\n\n")


FLOODS: dict[str, Callable[[Line], Awaitable[None]]] = {
    play.__name__.replace("_", "-"): play
    for play in (
        huge_whole, endless_line, endless_answer, endless_comments, endless_headers, endless_header, endless_error, bomb, bomb_of_events, no_http, lying_length, bad_chunks, many_calls,
    )
}


@EVERY_WAY
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_an_error_and_takes_no_memory(stage: Stage, flood: str, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "hostile-a", Act(play=FLOODS[flood]))
    with Memory(stage) as memory:
        heard = ask(stage.suite, surface, streamed, "openai", text, seconds=40)
    memory.assert_bounded()
    if flood == "endless-answer" and streamed:
        # It flows through; it may go on until a limit on its size or its time, but it never ends well.
        assert not heard.is_terminated
        return
    assert_failed(heard)
    if not heard.is_stream:
        assert heard.status in (500, 502, 503, 504), heard
    assert len(heard.error["message"]) <= 700, f"{len(heard.error['message'])} characters of error"


def test_many_floods_at_once_take_no_more(stage: Stage) -> None:
    def one(surface: str, streamed: bool, flood: str) -> None:
        text = prompt()
        stage.actor.script(text, "hostile-a", Act(play=FLOODS[flood]))
        assert_failed(ask(stage.suite, surface, streamed, "openai", text, seconds=40))

    with Memory(stage) as memory:
        together(one, *((surface, streamed, flood) for surface, streamed in WAYS for flood in ("huge-whole", "bomb")), at_once=4)
    grown = {name: (memory.most[name] - memory.before[name]) // MEGABYTE for name in memory.most}
    # Four at once, each with at most the 32 MiB of an answer, and what a copy of it takes.
    assert all(size <= 400 for size in grown.values()), grown


def nested(depth: int) -> str:
    return WHOLE % ("[" * depth + "]" * depth)


SHAPES: dict[str, Act] = {
    "html": Act(body="<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>", headers={"content-type": "text/html"}),
    "html-called-json": Act(body="<html>maintenance</html>"),
    "nothing": Act(body=""),
    "null": Act(body="null"), "number": Act(body="42"), "text": Act(body='"hello"'), "array": Act(body="[]"), "object": Act(body="{}"),
    "no-choices": Act(body='{"choices": []}'), "null-choices": Act(body='{"choices": null}'), "choices-of-numbers": Act(body='{"choices": [1, 2]}'),
    "null-message": Act(body='{"choices": [{"index": 0, "message": null, "finish_reason": "stop"}]}'),
    "deep-nesting": Act(body=nested(200_000)), "deep-objects": Act(body='{"a":' * 100_000 + "1" + "}" * 100_000),
    "half-a-document": Act(body=(WHOLE % '"hello"')[:90]), "two-documents": Act(body='{"choices": []}{"choices": []}'),
    "nul-bytes": Act(body=b"\x00" * 1000), "not-utf-8": Act(body=b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "\xff\xfe\xc3("}, "finish_reason": "stop"}]}'),
    "utf-16": Act(body=(WHOLE % '"hello"').encode("utf-16")),
    "image": Act(body=b"\x89PNG\r\n\x1a\n" + b"\x00" * 64, headers={"content-type": "image/png"}),
    "empty-stream": Act(body="", headers={"content-type": "text/event-stream"}), "only-done": Act(body="data: [DONE]\n\n", headers={"content-type": "text/event-stream"}),
    "events-of-html": Act(body="data: <html></html>\n\n", headers={"content-type": "text/event-stream"}),
    "events-not-utf-8": Act(body=b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"},"finish_reason":null}]}\n\n', headers={"content-type": "text/event-stream"}),
    "204": Act(status=204, body=""), "302": Act(status=302, body="", headers={"location": "http://127.0.0.1:1/elsewhere"}), "304": Act(status=304, body=""), "418": Act(status=418, body="I am a teapot", headers={"content-type": "text/plain"}),
}


@EVERY_WAY
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_no_answer_is_an_error(stage: Stage, shape: str, surface: str, streamed: bool) -> None:
    def one(behind: str) -> None:
        text = prompt()
        stage.actor.script(text, BEHIND[behind], SHAPES[shape])
        heard = ask(stage.suite, surface, streamed, behind, text)
        if "not-utf-8" in shape and behind == "openai" and heard.error is None:
            body = heard.body.decode() if not heard.is_stream else heard.text  # mended: the caller still gets good UTF-8
            assert "�" in body
            return
        assert_failed(heard)
        assert heard.is_stream or heard.status in (400, 418, 500, 502, 503), heard
        assert len(heard.error["message"]) <= 700 and "<html" not in heard.error["message"].lower()

    with Memory(stage) as memory:
        together(one, *((behind,) for behind in BEHIND))
    memory.assert_bounded()


@EVERY_SURFACE
def test_a_large_answer_arrives_whole_and_in_time(stage: Stage, surface: str) -> None:
    """Below the limit of 32 MiB, in events of 10 kB: what it takes grows with its size, not with its square."""
    text, words, events = prompt(), "word " * 2000, 2400

    async def play(line: Line) -> None:
        await line.open(connection="close")
        for _ in range(events):
            await line.chunk(f"data: {CHUNK % words}\n\n")
        await line.chunk('data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        await line.send(b"0\r\n\r\n")

    stage.actor.script(text, "hostile-a", Act(play=play))
    heard = ask(stage.suite, surface, False, "openai", text, seconds=40)
    assert_complete(heard)
    assert len(heard.text) == events * len(words)
    assert heard.seconds <= 6, f"24 MB took {heard.seconds:.1f} s"


@EVERY_WAY
@pytest.mark.parametrize("flood", ["huge-whole", "endless-line", "endless-headers", "bomb", "no-http"])
def test_another_provider_takes_over_from_a_flood(stage: Stage, flood: str, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "hostile-p", Act(play=FLOODS[flood]))
    heard = ask(stage.suite, surface, streamed, "pair", text, seconds=40)
    assert_complete(heard, answer(text))
    assert heard.headers["x-bulkhead-model"] == "hostile-q"


@EVERY_WAY
def test_a_packed_answer_nobody_asked_for_is_understood_or_refused(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    packed = gzip.compress((WHOLE % json.dumps(answer(text))).encode())
    stage.actor.script(text, "hostile-a", Act(body=packed, headers={"content-encoding": "gzip"}))
    heard = ask(stage.suite, surface, streamed, "openai", text)
    if heard.error is None:
        assert_complete(heard, answer(text))
    else:
        assert_failed(heard)
    (seen,) = stage.actor.seen(text)
    assert seen.headers.get("accept-encoding", "identity") == "identity"


@EVERY_WAY
@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "text/event-stream; charset=utf-8", "", "nonsense"])
def test_a_wrong_content_type_does_not_turn_an_answer_into_another(stage: Stage, content_type: str, surface: str, streamed: bool) -> None:
    text = prompt()
    body = WHOLE % json.dumps(answer(text))
    stage.actor.script(text, "hostile-a", Act(body=body, headers={"content-type": content_type}))
    heard = ask(stage.suite, surface, streamed, "openai", text)
    if heard.error is None:
        assert_complete(heard, answer(text))
    else:
        assert_failed(heard)


@EVERY_SURFACE
def test_the_operator_reads_the_whole_error_and_the_caller_a_short_one(stage: Stage, surface: str) -> None:
    """And nobody a key."""
    key, end = "sk-proj-" + "Ab3dEf6hIj9kLm2n" * 3, f"end-{prompt().split()[-1]}"
    message = f"Incorrect request with key {key}. " + "The reason is long. " * 120 + end
    text = prompt()
    stage.actor.script(text, f"told-{surface}", fail(400, message, "invalid_value"))
    heard = ask(stage.suite, surface, False, f"told-{surface}", text)
    assert heard.status == 400 and len(heard.error["message"]) <= 700, heard
    assert key not in heard.body.decode() and "Incorrect request with key" in heard.error["message"]
    lines = until(lambda: [line for line in stage.suite.log().splitlines() if heard.headers["x-request-id"] in line], 3, "a word in the log")
    assert end in "".join(lines), f"the log tells the provider's whole words: {lines}"
    assert key not in stage.suite.log()


def test_the_processes_are_the_same_as_before(stage: Stage) -> None:
    """Nothing above made one of them end; and they still answer."""
    status = stage.suite.run("bulkhead", "status", "--config", str(stage.suite.config))
    assert status.returncode == 0, status.stdout + status.stderr
    log = stage.suite.log()
    assert "was started again" not in log and "Fatal error" not in log, stage.suite.tail()
    for surface, streamed in WAYS:
        text = prompt()
        assert_complete(ask(stage.suite, surface, streamed, "openai", text), answer(text))
