"""What a scripted provider says, event by event, in the dialects of OpenAI chat and Anthropic Messages.

A frame is (place, data). Places: `head` before the content, `token`, `finish` from the end of the text on, `done` the terminator.
"""

from __future__ import annotations

import json
import re
from typing import Any

JSON = dict[str, Any]
Frames = list[tuple[str, str]]

WORDS = "the ferry leaves the quay at dawn and comes home with the tide when the lamps are lit along the wall and the boats lie still"


def tokens(text: str) -> list[str]:
    """A token is a word with the blank before it; joined they give the text back."""
    return re.findall(r"\s*\S+|\s+$", text)


def answer(prompt: str) -> str:
    """What every scripted provider says to `prompt`."""
    return f"About {prompt}: {WORDS}."


def text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(text_of(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def prompt_of(body: JSON) -> str:
    """The last thing the user said."""
    said = [text_of(message.get("content")) for message in body.get("messages") or [] if message.get("role") == "user"]
    return said[-1] if said else ""


def begun(body: JSON) -> str:
    """What the answer is to go on from."""
    messages = body.get("messages") or []
    return text_of(messages[-1].get("content")) if messages and messages[-1].get("role") == "assistant" else ""


def sse(data: JSON | str, name: str | None = None) -> str:
    return (f"event: {name}\n" if name else "") + f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


class OpenAI:
    """OpenAI chat completions."""

    def __init__(self, model: str, text: str, act: Any) -> None:
        self.text, self.act = text, act
        self.head: JSON = {"id": "chatcmpl-acted", "created": 1_700_000_000, "model": model, "system_fingerprint": "fp_acted"}
        self.usage = act.usage if act.usage is not None else {"prompt_tokens": 11, "completion_tokens": len(tokens(text)), "total_tokens": 11 + len(tokens(text))}
        self.finish = act.finish or ("tool_calls" if act.calls else "stop")

    def _chunk(self, delta: JSON, **more: Any) -> str:
        return sse(self.head | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None} | more]})

    def frames(self) -> Frames:
        frames = [("head", self._chunk({"role": "assistant", "content": ""}))]
        if self.act.thinking:
            frames.append(("head", self._chunk({"reasoning_content": self.act.thinking[0]})))
        frames += [("token", self._chunk({"content": token})) for token in tokens(self.text)]
        for place, (ident, name, arguments) in enumerate(self.act.calls):
            call = {"index": place, "id": ident, "type": "function", "function": {"name": name, "arguments": ""}}
            frames.append(("token", self._chunk({"tool_calls": [call]})))
            for half in (arguments[:3], arguments[3:]):
                frames.append(("token", self._chunk({"tool_calls": [{"index": place, "function": {"arguments": half}}]})))
        frames.append(("finish", self._chunk({}, finish_reason=self.finish)))
        if self.usage:
            frames.append(("finish", sse(self.head | {"object": "chat.completion.chunk", "choices": [], "usage": self.usage})))
        return [*frames, ("done", sse("[DONE]"))]

    def whole(self) -> JSON:
        message: JSON = {"role": "assistant", "content": self.text or None}
        if self.act.calls:
            message["tool_calls"] = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in self.act.calls]
        return self.head | {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": self.finish}], "usage": self.usage}

    @staticmethod
    def error(status: int, fields: JSON) -> JSON:
        kind = {429: "rate_limit_error", 401: "authentication_error"}.get(status, "invalid_request_error" if status < 500 else "server_error")
        return {"error": {"message": f"acted {status}", "type": kind, "param": None, "code": None} | fields}

    def event_of_error(self) -> str:
        return sse(self.error(500, {"message": "acted mid-stream failure"}))

    garbage = 'data: {"id":"chatcmpl-acted","choices":[{"index":0,"del\n\n'


class Anthropic:
    """Anthropic Messages."""

    def __init__(self, model: str, text: str, act: Any) -> None:
        self.text, self.act = text, act
        self.usage = act.usage if act.usage is not None else {"input_tokens": 11, "output_tokens": len(tokens(text))}
        self.finish = act.finish or ("tool_use" if act.calls else "end_turn")
        self.head = {"id": "msg_acted", "type": "message", "role": "assistant", "model": model, "stop_sequence": None}

    def _block(self, index: int, start: JSON, deltas: list[JSON], place: str) -> Frames:
        def event(kind: str, **more: Any) -> str:
            return sse({"type": kind, "index": index} | more, kind)

        frames = [("head", event("content_block_start", content_block=start))]
        frames += [(place, event("content_block_delta", delta=delta)) for delta in deltas]
        return [*frames, ("finish" if place == "token" else "head", event("content_block_stop"))]

    def frames(self) -> Frames:
        first = {name: count for name, count in self.usage.items() if name != "output_tokens"} | {"output_tokens": 1}
        frames = [("head", sse({"type": "message_start", "message": self.head | {"content": [], "stop_reason": None, "usage": first}}, "message_start"))]
        index = 0
        if self.act.thinking:
            thought, signature = self.act.thinking
            deltas = [{"type": "thinking_delta", "thinking": thought}, {"type": "signature_delta", "signature": signature}]
            frames += self._block(index, {"type": "thinking", "thinking": "", "signature": ""}, deltas, "head")
            index += 1
        if self.text:
            deltas = [{"type": "text_delta", "text": token} for token in tokens(self.text)]
            frames += self._block(index, {"type": "text", "text": ""}, deltas, "token")
            index += 1
        for ident, name, arguments in self.act.calls:
            deltas = [{"type": "input_json_delta", "partial_json": half} for half in (arguments[:3], arguments[3:])]
            frames += self._block(index, {"type": "tool_use", "id": ident, "name": name, "input": {}}, deltas, "token")
            index += 1
        last = {"type": "message_delta", "delta": {"stop_reason": self.finish, "stop_sequence": None}, "usage": {"output_tokens": self.usage.get("output_tokens", 0)}}
        return [*frames, ("finish", sse(last, "message_delta")), ("done", sse({"type": "message_stop"}, "message_stop"))]

    def whole(self) -> JSON:
        content: list[JSON] = [{"type": "text", "text": self.text}] if self.text else []
        content += [{"type": "tool_use", "id": i, "name": n, "input": json.loads(a)} for i, n, a in self.act.calls]
        return self.head | {"content": content, "stop_reason": self.finish, "usage": self.usage}

    @staticmethod
    def error(status: int, fields: JSON) -> JSON:
        kind = {429: "rate_limit_error", 401: "authentication_error", 529: "overloaded_error"}.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": f"acted {status}"} | fields}

    def event_of_error(self) -> str:
        return sse(self.error(529, {"message": "acted mid-stream failure"}), "error")

    garbage = 'event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n'
