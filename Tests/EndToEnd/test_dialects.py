"""Clients of OpenAI and Anthropic on providers of all five dialects: whole and streamed, with and without tools, and failing."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest

from suite import Provider, Stream, Suite, prompt

# Dialect, and where its provider is asked.
PATHS = {
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/demo-gemini:streamGenerateContent?alt=sse",
    "bedrock": "/model/demo.bedrock-v1%3A0/converse-stream",
}
MODELS = {"gemini": "demo-gemini", "bedrock": "demo.bedrock-v1:0"}
FAULTS = ("fail-400", "fail-404", "fail-429", "fail-503", "cut-5", "end-5", "error-5", "garbage-5", "garbage")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"], "additionalProperties": False}
TOOLS = {
    "openai": [{"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": SCHEMA}}],
    "anthropic": [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}],
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

DIALECTS = pytest.mark.parametrize("dialect", PATHS)
CLIENTS = pytest.mark.parametrize("client", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])


def models() -> list[dict[str, Any]]:
    route = {
        "timeouts": {"connect": "1s", "first_token": "5s", "between_tokens": "5s", "total": "20s"},
        "retry": {"tries_per_target": 1, "max_tries": 1, "base": "20ms", "max": "100ms"},
        "on_stream_break": "error",
    }
    targets = {dialect: (dialect, MODELS.get(dialect, "demo-chat")) for dialect in PATHS}
    targets |= {f"{dialect}-{fault}": (dialect, f"demo-{fault}") for dialect in PATHS for fault in FAULTS}
    return [{"name": name, "targets": [{"provider": provider, "model": model}]} | route for name, (provider, model) in targets.items()]


@pytest.fixture(scope="module")
def gateway(provider: Provider) -> Iterator[Suite]:
    """One provider of each dialect, all of them the demo provider."""

    def change(document: dict[str, Any]) -> None:
        document["router"]["providers"] += [
            {"name": dialect, "destination": "open", "dialect": dialect, "serve": "listed"} for dialect in PATHS
        ]
        # A refused secret keeps everybody away from its destination for a while: these have one of their own.
        for dialect in PATHS:
            locked = f"locked-{dialect}"
            document["credentials"]["destinations"][locked] = {"base_url": provider.url, "private_network": True}
            document["router"]["providers"].append({"name": locked, "destination": locked, "dialect": dialect, "serve": "listed"})
            document["router"]["models"].append({"name": locked, "targets": [{"provider": locked, "model": "demo-fail-401"}]})
        document["router"]["models"] += models()

    suite = Suite(provider, change)
    try:
        yield suite.begin()
    finally:
        suite.close()


def asked(gateway: Suite, text: str) -> dict[str, Any]:
    """The one request that reached the provider."""
    records = gateway.provider.seen(text)
    assert len(records) == 1, records
    return records[0]


def arguments(stream: Stream) -> Any:
    """The arguments of the tool call in a stream."""
    parts = []
    for _, data in stream.events:
        if not isinstance(data, dict):
            continue
        for choice in data.get("choices") or []:
            parts += [call["function"].get("arguments") or "" for call in choice["delta"].get("tool_calls") or []]
        if data.get("type") == "content_block_delta":
            parts.append(data["delta"].get("partial_json", ""))
    return json.loads("".join(parts))


@DIALECTS
@CLIENTS
@STREAMS
def test_a_chat_is_answered(gateway: Suite, dialect: str, client: str, streams: bool) -> None:
    text = prompt(f"{dialect} {client}")
    if streams:
        stream = gateway.stream(dialect, text, client)
        assert text in stream.text and stream.is_finished and stream.is_terminated and stream.error is None, str(stream)
    else:
        answer = gateway.chat(dialect, text, client)
        assert answer.status == 200 and text in answer.text, str(answer)
        usage = answer.json["usage"]
        names = ("prompt_tokens", "completion_tokens") if client == "openai" else ("input_tokens", "output_tokens")
        assert all(usage[name] > 0 for name in names), usage
        assert answer.headers["x-bulkhead-provider"] == dialect
    record = asked(gateway, text)
    assert record["path"] == PATHS[dialect], "the provider is always asked for a stream"


@DIALECTS
@CLIENTS
@STREAMS
def test_a_tool_is_called_and_its_result_is_used(gateway: Suite, dialect: str, client: str, streams: bool) -> None:
    text, tools = prompt(f"{dialect} {client} tool"), TOOLS[client]
    expected = {"city": text, "days": 1}
    if streams:
        stream = gateway.stream(dialect, text, client, tools=tools)
        assert stream.is_finished and stream.is_terminated and arguments(stream) == expected, str(stream)
        return
    answer = gateway.chat(dialect, text, client, tools=tools)
    assert answer.status == 200, str(answer)
    result = prompt("sunny")
    if client == "openai":
        choice = answer.json["choices"][0]
        call = choice["message"]["tool_calls"][0]
        assert choice["finish_reason"] == "tool_calls" and call["function"]["name"] == "weather" and call["id"]
        assert json.loads(call["function"]["arguments"]) == expected
        turns = [choice["message"], {"role": "tool", "tool_call_id": call["id"], "content": result}]
    else:
        call = next(block for block in answer.json["content"] if block["type"] == "tool_use")
        assert answer.json["stop_reason"] == "tool_use" and call["input"] == expected and call["id"]
        turns = [
            {"role": "assistant", "content": answer.json["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": result}]},
        ]
    body = gateway.body(dialect, text, client, tools=tools)
    body["messages"] += turns
    path = "/v1/chat/completions" if client == "openai" else "/v1/messages"
    second = gateway.request("POST", path, body)
    assert second.status == 200 and result in second.text, str(second)


@DIALECTS
@STREAMS
def test_an_answer_in_a_given_form(gateway: Suite, dialect: str, streams: bool) -> None:
    text = prompt(f"{dialect} form")
    form = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": SCHEMA}}
    if streams:
        said = gateway.stream(dialect, text, response_format=form).text
    else:
        said = gateway.chat(dialect, text, response_format=form).text
    assert json.loads(said) == {"city": text, "days": 1}


@DIALECTS
@CLIENTS
def test_an_image_reaches_the_provider(gateway: Suite, dialect: str, client: str) -> None:
    text = prompt(f"{dialect} {client} image")
    if client == "openai":
        image: dict[str, Any] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    else:
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    body = gateway.body(dialect, text, client)
    body["messages"][0]["content"] = [image, {"type": "text", "text": text}]
    answer = gateway.request("POST", "/v1/chat/completions" if client == "openai" else "/v1/messages", body)
    assert answer.status == 200 and text in answer.text, str(answer)
    assert PIXEL in json.dumps(asked(gateway, text)["body"])


@DIALECTS
@CLIENTS
@pytest.mark.parametrize("fault, status", [("fail-400", 400), ("fail-404", 404), ("fail-429", 429), ("fail-503", 502)])
def test_a_refusal_has_its_class(gateway: Suite, dialect: str, client: str, fault: str, status: int) -> None:
    answer = gateway.chat(f"{dialect}-{fault}", dialect=client)
    assert answer.status == status, str(answer)
    assert answer.error["message"]


@DIALECTS
def test_a_refused_secret_is_not_the_callers_fault(gateway: Suite, dialect: str) -> None:
    answer = gateway.chat(f"locked-{dialect}")
    assert answer.status == 502, str(answer)
    assert "demo provider" not in answer.error["message"], "the provider's words, which may quote the key, are passed on"


@DIALECTS
@CLIENTS
@pytest.mark.parametrize("fault", ["cut-5", "end-5", "error-5", "garbage-5", "garbage"])
@STREAMS
def test_an_answer_that_breaks_is_never_told_as_complete(
    gateway: Suite, dialect: str, client: str, fault: str, streams: bool
) -> None:
    if streams:
        stream = gateway.stream(f"{dialect}-{fault}", dialect=client)
        assert stream.status >= 500 or stream.error is not None, str(stream)
        assert not stream.is_finished and not stream.is_terminated, str(stream)
    else:
        answer = gateway.chat(f"{dialect}-{fault}", dialect=client)
        assert answer.status >= 500 and answer.error["message"], str(answer)
