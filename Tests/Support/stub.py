"""A provider that says exactly what a test wants: whole or as a stream, whichever it is asked for. It reads JSON and forms."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
import urllib.parse
from typing import Any, Callable

JSON = dict[str, Any]


@dataclasses.dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: JSON


@dataclasses.dataclass
class Answer:
    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


Script = Callable[[JSON], Answer]


def whole(document: JSON, status: int = 200, **headers: str) -> Script:
    """The same document to every question."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Answer(json.dumps(document).encode(), status, headers=named)


def stream(*events: JSON | str, named: bool = False) -> Answer:
    """Events as they stand; with `named` each has its `type` as the event's name."""
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {event if isinstance(event, str) else json.dumps(event)}\n\n")
    return Answer("".join(lines).encode(), content_type="text/event-stream")


def chat(*messages: JSON, finish: str = "stop", usage: JSON | None = None, logprobs: JSON | None = None, first: list[JSON] | None = None, **members: Any) -> Script:
    """OpenAI chat: a choice a message. A stream has the text in two pieces, a call's name and arguments apart; `first` are chunks
    before the others."""
    usage = usage or {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    head = {"id": "chatcmpl-stub", "created": 1700000000, "model": "stub"} | members

    def chunk(index: int, delta: JSON, **more: Any) -> JSON:
        return head | {"object": "chat.completion.chunk", "choices": [{"index": index, "delta": delta, "finish_reason": None} | more]}

    def chunks(index: int, message: JSON) -> list[JSON]:
        found = [chunk(index, {"role": "assistant", "content": ""})]
        if reasoning := message.get("reasoning_content"):
            found.append(chunk(index, {"reasoning_content": reasoning}))
        if text := message.get("content"):
            found += [chunk(index, {"content": text[:2]}, logprobs=logprobs), chunk(index, {"content": text[2:]})]
        if refusal := message.get("refusal"):
            found.append(chunk(index, {"refusal": refusal}))
        for place, call in enumerate(message.get("tool_calls") or []):
            found.append(chunk(index, {"tool_calls": [call | {"index": place, "function": call["function"] | {"arguments": ""}}]}))
            found.append(chunk(index, {"tool_calls": [{"index": place, "function": {"arguments": call["function"]["arguments"]}}]}))
        rest = {name: value for name, value in message.items() if name not in ("role", "content", "reasoning_content", "refusal", "tool_calls")}
        return found + ([chunk(index, rest)] if rest else []) + [chunk(index, {}, finish_reason=finish)]

    def answer(asked: JSON) -> Answer:
        if asked.get("stream"):
            events = [event for index, message in enumerate(messages) for event in chunks(index, message)]
            return stream(*(first or []), *events, head | {"object": "chat.completion.chunk", "choices": [], "usage": usage}, "[DONE]")
        choices = [
            {"index": index, "message": {"role": "assistant", "content": None} | message, "finish_reason": finish, "logprobs": logprobs}
            for index, message in enumerate(messages)
        ]
        return Answer(json.dumps(head | {"object": "chat.completion", "choices": choices, "usage": usage}).encode())

    return answer


def message(*content: JSON, stop_reason: str = "end_turn", usage: JSON | None = None) -> Script:
    """Anthropic Messages: these blocks."""
    usage = usage or {"input_tokens": 11, "output_tokens": 7, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}
    head = {"id": "msg_stub", "type": "message", "role": "assistant", "model": "stub", "stop_sequence": None}

    def blocks(index: int, block: JSON) -> list[JSON]:
        kind = block["type"]
        deltas, start = [], dict(block)
        if kind == "text":
            start["text"] = ""
            deltas.append({"type": "text_delta", "text": block["text"]})
            deltas += [{"type": "citations_delta", "citation": citation} for citation in start.pop("citations", [])]
        elif kind == "thinking":
            start |= {"thinking": "", "signature": ""}
            deltas += [{"type": "thinking_delta", "thinking": block["thinking"]}, {"type": "signature_delta", "signature": block["signature"]}]
        elif kind in ("tool_use", "server_tool_use"):
            start["input"] = {}
            deltas.append({"type": "input_json_delta", "partial_json": json.dumps(block["input"])})
        events = [{"type": "content_block_start", "index": index, "content_block": start}]
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        return events + [{"type": "content_block_stop", "index": index}]

    def answer(asked: JSON) -> Answer:
        if not asked.get("stream"):
            return Answer(json.dumps(head | {"content": list(content), "stop_reason": stop_reason, "usage": usage}).encode())
        events: list[JSON] = [{"type": "message_start", "message": head | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}}]
        for index, block in enumerate(content):
            events += blocks(index, block)
        events += [{"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": {"output_tokens": usage["output_tokens"]}}]
        return stream(*events, {"type": "message_stop"}, named=True)

    return answer


class Stub:
    """A running provider. What a path is not told to answer is 404."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.scripts: dict[str, Script] = {}
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or 0))
                is_form = self.headers.get("content-type", "") == "application/x-www-form-urlencoded"
                body = dict(urllib.parse.parse_qsl(data.decode())) if is_form else json.loads(data or b"{}")
                path = self.path.split("?")[0]
                stub.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                script = stub.scripts.get(path, whole({"error": {"message": f"the stub has nothing for {path}", "type": "invalid_request_error"}}, 404))
                answer = script(body)
                self.send_response(answer.status)
                for name, value in (answer.headers | {"content-type": answer.content_type, "content-length": str(len(answer.body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, path: str, script: Script) -> None:
        """From now on `path` is answered so, and nothing has been asked."""
        self.asked.clear()
        self.scripts[path] = script

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
