"""Every way to ask for an answer: three surfaces, whole and streamed, asked alike and judged alike."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import socket
import time
from typing import Any, Callable, Iterable

import pytest

from suite import Suite, _events

PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
SURFACES = tuple(PATHS)
WAYS = [(surface, streamed) for surface in SURFACES for streamed in (False, True)]
EVERY_SURFACE = pytest.mark.parametrize("surface", SURFACES)
EVERY_WAY = pytest.mark.parametrize(("surface", "streamed"), WAYS, ids=[f"{surface}-{'stream' if streamed else 'whole'}" for surface, streamed in WAYS])


@dataclasses.dataclass
class Heard:
    """What a caller got."""

    surface: str
    streamed: bool
    status: int = 0
    headers: Any = None
    body: bytes = b""
    events: list[tuple[str | None, Any]] = dataclasses.field(default_factory=list)
    times: list[float] = dataclasses.field(default_factory=list)  # seconds after the request, one an event
    ended: str = "open"
    seconds: float = 0.0

    @property
    def is_stream(self) -> bool:
        return "event-stream" in (self.headers.get("content-type") or "")

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise AssertionError(f"not JSON: {self}") from None

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Every JSON document of the answer."""
        if self.is_stream:
            return [data for _, data in self.events if isinstance(data, dict)]
        return [self.json]

    def kinds(self) -> list[str]:
        return [data.get("type", "") for data in self.documents]

    @property
    def text(self) -> str:
        return "".join(self._texts())

    def _texts(self) -> Iterable[str]:
        for told in self.documents:
            if self.surface == "chat":
                for choice in told.get("choices") or []:
                    yield (choice.get("delta") or choice.get("message") or {}).get("content") or ""
            elif self.is_stream:
                if told.get("type") == "content_block_delta":
                    yield told["delta"].get("text", "")
                elif told.get("type") == "response.output_text.delta":
                    yield told["delta"]
            elif self.surface == "messages":
                yield from (block.get("text", "") for block in told.get("content") or [])
            else:
                yield from (part.get("text", "") for item in told.get("output") or [] for part in item.get("content") or [])

    @property
    def final(self) -> dict[str, Any]:
        """The response object of the Responses surface as it stands at the end."""
        if not self.is_stream:
            return self.json
        found = [told["response"] for told in self.documents if told.get("type") in ("response.completed", "response.incomplete", "response.failed")]
        return found[-1] if found else {}

    @property
    def finish(self) -> str | None:
        """The reason of the end, in the words of the surface."""
        if self.surface == "responses":
            told = self.final
            if told.get("status") == "incomplete":
                return f"incomplete: {told['incomplete_details']['reason']}"
            return "completed" if told.get("status") == "completed" else None
        reasons = []
        for told in self.documents:
            if self.surface == "chat":
                reasons += [choice.get("finish_reason") for choice in told.get("choices") or []]
            else:
                reasons.append((told.get("delta") or {}).get("stop_reason") if self.is_stream else told.get("stop_reason"))
        reasons = [reason for reason in reasons if reason]
        return reasons[-1] if reasons else None

    @property
    def is_terminated(self) -> bool:
        """The word that tells success came."""
        if self.surface == "chat":
            return any(data == "[DONE]" for _, data in self.events)
        return bool({"message_stop", "response.completed", "response.incomplete"} & set(self.kinds()))

    @property
    def error(self) -> dict[str, Any] | None:
        for told in self.documents:
            if self.surface == "responses" and told.get("type") == "error":
                return told
            found = told.get("error") or (told.get("response") or {}).get("error")
            if found:
                return found
        return None

    @property
    def models(self) -> set[str]:
        found = (told.get("model") or (told.get("message") or told.get("response") or {}).get("model") for told in self.documents)
        return {model for model in found if model}

    @property
    def usage(self) -> dict[str, Any]:
        """What was used: the last thing said of it."""
        found: dict[str, Any] = {}
        for told in self.documents:
            for place in (told, told.get("message") or {}, told.get("response") or {}):
                found |= {name: value for name, value in (place.get("usage") or {}).items() if value is not None}
        return found

    @property
    def tokens(self) -> tuple[int, int]:
        used = self.usage
        if self.surface == "chat":
            return used["prompt_tokens"], used["completion_tokens"]
        return used["input_tokens"], used["output_tokens"]

    @property
    def extra(self) -> dict[str, Any]:
        """The member `bulkhead`."""
        found: dict[str, Any] = {}
        for told in self.documents:
            for place in (told, told.get("message") or {}, told.get("response") or {}):
                found |= place.get("bulkhead") or {}
        return found

    @property
    def cost(self) -> str | None:
        """Dollars as text; None: not known."""
        if self.is_stream:
            assert "cost_usd" in self.extra, f"the stream tells no cost: {self}"
            told = self.extra["cost_usd"]
            return None if told is None else str(told)
        told = self.headers["x-bulkhead-cost-usd"]
        return None if told == "unknown" else told

    @property
    def cache(self) -> str | None:
        return self.headers["x-bulkhead-cache"]

    def __str__(self) -> str:
        if self.is_stream:
            return f"{self.status} after {self.seconds:.2f} s, {self.ended}, {len(self.events)} events, text {self.text[:60]!r}…{self.text[-20:]!r}, finish {self.finish}, error {self.error}, terminated {self.is_terminated}"
        return f"{self.status} after {self.seconds:.2f} s: {self.body[:400]!r}"


def body_of(surface: str, model: str, text: str, streamed: bool = False, **more: Any) -> dict[str, Any]:
    said = {"input": text} if surface == "responses" else {"messages": [{"role": "user", "content": text}]}
    limit = {"max_tokens": 500} if surface == "messages" else {}
    return {"model": model} | said | limit | ({"stream": True} if streamed else {}) | more


def ask(
    suite: Suite, surface: str, streamed: bool, model: str, text: str, *, key: str = "", headers: dict[str, str] | None = None,
    seconds: float = 20, on_event: Callable[[Heard], bool | None] | None = None, body: dict[str, Any] | None = None, **more: Any,
) -> Heard:
    """One request, read to its end, or until `on_event` says true: then the caller leaves."""
    if surface == "chat" and streamed:
        more.setdefault("stream_options", {"include_usage": True})
    data = json.dumps(body or body_of(surface, model, text, streamed, **more)).encode()
    sent = {"content-type": "application/json", "authorization": f"Bearer {key or suite.key}"} | (headers or {})
    heard, began = Heard(surface, streamed), time.monotonic()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", suite.port, timeout=seconds)) as connection:
        connection.request("POST", PATHS[surface], data, sent)
        answer = connection.getresponse()
        heard.status, heard.headers = answer.status, answer.msg
        try:
            if not heard.is_stream:
                heard.body = answer.read()
            else:
                for event in _events(answer):
                    heard.events.append(event)
                    heard.times.append(time.monotonic() - began)
                    if on_event and on_event(heard):
                        heard.ended = "left"
                        return heard
            heard.ended = "complete"
        except (http.client.HTTPException, OSError) as error:
            heard.ended = f"broken: {error!r}"
    heard.seconds = time.monotonic() - began
    return heard


def begin(suite: Suite, surface: str, streamed: bool, model: str, text: str, request_id: str = "left-early") -> socket.socket:
    """Sends a request and waits for nothing: closing the socket is leaving."""
    data = json.dumps(body_of(surface, model, text, streamed)).encode()
    head = (
        f"POST {PATHS[surface]} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {suite.key}\r\nx-request-id: {request_id}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    caller = socket.create_connection(("127.0.0.1", suite.port), 10)
    caller.sendall(head.encode() + data)
    return caller


def assert_complete(heard: Heard, text: str | None = None) -> None:
    """A whole answer that says it is one."""
    assert heard.status == 200 and heard.ended == "complete", heard
    assert heard.error is None, heard
    assert heard.finish, f"no reason of its end: {heard}"
    if heard.streamed:
        assert heard.is_stream and heard.is_terminated, heard
        assert all(isinstance(data, dict) or data == "[DONE]" for _, data in heard.events), f"an event is not JSON: {heard}"
    if text is not None:
        assert heard.text == text, f"wanted {text!r}, got {heard.text!r}: {heard}"


def assert_failed(heard: Heard) -> None:
    """A failure that says so in the shape of its surface, and nothing that looks like success."""
    error = heard.error
    assert error and error.get("message"), f"no error told: {heard}"
    assert heard.ended == "complete", f"the HTTP message itself ends well: {heard}"
    if not heard.is_stream:
        assert heard.status >= 400, heard
        assert heard.surface != "messages" or heard.json["type"] == "error", heard
        return
    assert not heard.is_terminated and heard.finish is None, f"success was told: {heard}"
    name, last = heard.events[-1]
    if heard.surface == "chat":
        assert "error" in last, heard
    else:
        assert name == last["type"] and name in ("error", "response.failed"), heard


def together(work: Callable[..., None], *cases: tuple[Any, ...], at_once: int = 8) -> None:
    """Runs the cases side by side; fails with what each of them said."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        runs = [(case, pool.submit(work, *case)) for case in cases]
    wrong = [f"{case}: {run.exception()}" for case, run in runs if run.exception()]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)
