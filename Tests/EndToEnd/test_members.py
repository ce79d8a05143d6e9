"""Members of a request that are not known here: a provider gets them, or the request is refused by their name; none is dropped in silence.

Every object of rich requests gets a member nobody knows, one at a time, on every surface, for providers of every dialect.
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
from typing import Any, Iterator

import pytest

import suite as driver
from actor import fail
from stage import Stage, route
from suite import prompt
from surfaces import together

MODELS = {"openai": "one/scan", "anthropic": "three/claude-scan", "openai-responses": "five/scan", "gemini": "six/scan", "bedrock": "seven/anthropic.claude-scan"}
ROUTES = [route(name, target, retry={"tries_per_target": 1, "max_tries": 1}) for name, target in MODELS.items()]
PATHS = {
    "chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages", "count": "/v1/messages/count_tokens",
    "embeddings": "/v1/embeddings", "moderations": "/v1/moderations",
}
NATIVE = {"chat": "openai", "responses": "openai-responses", "messages": "anthropic", "count": "anthropic", "embeddings": "openai", "moderations": "openai"}

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQK"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}

# Where a member may be left out though the provider speaks another dialect: labels of the provider's own, as its page says.
LABELS = {("metadata",)}


def chat(text: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    document = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
    return {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [{"type": "text", "text": "Look."}, image, document]},
            {"role": "assistant", "content": "I ask.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "rain"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "It rains."}, {"type": "refusal", "refusal": "No more."}]},
            {"role": "user", "content": text},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "form", "schema": SCHEMA}},
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "metadata": {"a": "b"}, "stream_options": {"include_usage": True}, "stream": True,
        "bulkhead": {"cache": "off"},
    }


def messages(text: str) -> dict[str, Any]:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    document = {"type": "document", "title": "a", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "rain"}, copy.deepcopy(image)]}
    return {
        "max_tokens": 3000,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look."}, image, document]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "so", "signature": "s"}, {"type": "text", "text": "I ask."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
            ]},
            {"role": "user", "content": [result, {"type": "text", "text": text}]},
        ],
        "tools": [{"name": "weather", "description": "d", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "weather"},
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "metadata": {"user_id": "u"},
    }


def responses(text: str) -> dict[str, Any]:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
    document = {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    return {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Look."}, image, document]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "so"}], "encrypted_content": "s"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I ask.", "annotations": []}]},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Oslo"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "rain"}]},
            {"role": "user", "content": text},
        ],
        "tools": [{"type": "function", "name": "weather", "description": "d", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "weather"},
        "text": {"format": {"type": "json_schema", "name": "form", "schema": SCHEMA}}, "reasoning": {"effort": "low"}, "metadata": {"a": "b"},
        "stream": True, "stream_options": {"include_obfuscation": False},
    }


def count(text: str) -> dict[str, Any]:
    return {name: value for name, value in messages(text).items() if name not in ("max_tokens", "metadata")}


BODIES = {
    "chat": chat, "responses": responses, "messages": messages, "count": count, "embeddings": lambda text: {"input": text},
    "moderations": lambda text: {"input": [{"type": "text", "text": text}]},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every object of a body, by its path."""
    if isinstance(value, dict):
        yield path
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, name))


def put(body: dict[str, Any], path: tuple[Any, ...], name: str, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(body)
    target: Any = body
    for step in path:
        target = target[step]
    target[name] = value
    return body


@pytest.fixture(scope="module")
def scan(provider: driver.Provider) -> Iterator[Stage]:
    def more(document: dict[str, Any]) -> None:
        for name, dialect in (("five", "openai-responses"), ("six", "gemini"), ("seven", "bedrock")):
            document["credentials"]["destinations"][name] = dict(document["credentials"]["destinations"]["one"])
            document["router"]["providers"].append({"name": name, "destination": name, "dialect": dialect, "serve": "listed"})

    stage = Stage(provider, ROUTES, more)
    for model in ("scan", "claude-scan", ""):
        # What the provider thinks of the request is not the subject.
        stage.actor.script("*", model, fail(400, "acted"))
    with contextlib.closing(stage):
        yield stage


def send(suite: driver.Suite, surface: str, body: dict[str, Any] | bytes, key: str | None = "") -> driver.Reply:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key or suite.key}"} if key is not None else {})
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", suite.port, timeout=20)) as connection:
        connection.request("POST", PATHS[surface], body if isinstance(body, bytes) else json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        return driver.Reply(answer.status, answer.msg, answer.read(), 0.0)


def received(stage: Stage, text: str) -> list[Any]:
    return [seen.json for seen in stage.actor.seen(text)]


def holds(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return name in value or any(holds(inner, name) for inner in value.values())
    return isinstance(value, list) and any(holds(inner, name) for inner in value)


CASES = [(surface, dialect) for surface in ("chat", "responses", "messages", "count") for dialect in MODELS if surface != "count" or dialect in ("anthropic", "gemini")]
CASES += [("embeddings", "openai"), ("moderations", "openai")]


@pytest.mark.parametrize(("surface", "dialect"), CASES, ids=[f"{surface}-to-{dialect}" for surface, dialect in CASES])
def test_a_member_nobody_knows_arrives_or_is_refused_by_its_name(scan: Stage, surface: str, dialect: str) -> None:
    plain = prompt()
    refused = send(scan.suite, surface, BODIES[surface](plain) | {"model": dialect})
    assert received(scan, plain), f"the request without the member does not arrive: {refused}"

    def judge(*path: Any) -> None:
        text = prompt()
        reply = send(scan.suite, surface, put(BODIES[surface](text), path, "zork", 1) | {"model": dialect})
        found = received(scan, text)
        if found:
            is_label = path in LABELS and dialect != NATIVE[surface]
            assert is_label or all("zork" in json.dumps(body) for body in found), f"the provider got {json.dumps(found[0])[:1500]}"
        else:
            # An item of reasoning is forwarded whole or not at all.
            is_named = any(name in reply.error["message"] for name in ("zork", "type 'reasoning'"))
            assert reply.status == 400 and is_named, f"refused with {reply}"
            assert dialect != NATIVE[surface] or path == ("bulkhead",), f"a provider of the client's dialect takes it: {reply}"

    together(judge, *places(BODIES[surface]("")))


def test_another_target_is_asked_where_one_does_not_know_a_member(scan: Stage) -> None:
    scan.play([*ROUTES, route("both", "three/claude-scan", "one/scan")])
    text = prompt()
    send(scan.suite, "chat", {"model": "both", "messages": [{"role": "user", "content": text, "zork": 1}]})
    [body] = received(scan, text)
    assert body["model"] == "scan" and body["messages"][0]["zork"] == 1, body


@pytest.mark.parametrize("dialect", [name for name in MODELS if name != "openai"])
def test_the_name_of_a_speaker_is_told_before_its_words(scan: Stage, dialect: str) -> None:
    text = prompt()
    said = [{"role": "user", "name": "anna", "content": "Hello."}, {"role": "assistant", "name": "bot", "content": "Yes?"}, {"role": "user", "name": "ben", "content": text}]
    send(scan.suite, "chat", {"model": dialect, "messages": said})
    [body] = received(scan, text)
    told = json.dumps(body)
    assert "anna: Hello." in told and f"ben: {text}" in told, told
    assert "bot" not in told, f"the model's only name tells nobody apart: {told}"


def test_the_name_of_a_speaker_is_kept_where_it_has_a_place(scan: Stage) -> None:
    text = prompt()
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = [
        {"role": "user", "name": "anna", "content": text}, {"role": "assistant", "name": "bot", "content": None, "tool_calls": [call]},
        {"role": "tool", "name": "f", "tool_call_id": "c", "content": "x"},
    ]
    send(scan.suite, "chat", {"model": "openai", "messages": said})
    [body] = received(scan, text)
    assert [message.get("name") for message in body["messages"]] == ["anna", "bot", "f"], body


REAL = [
    ("chat", "openai", (), "user", "u", {"safety_identifier": "s"}),
    ("chat", "openai", (), "max_tokens", 7, {"max_completion_tokens": 9}),
    ("chat", "openai", ("messages", 4), "annotations", [{"type": "url_citation"}], {}),
    ("chat", "openai", ("messages", 1, "content", 1, "image_url"), "detail", "low", {}),
    ("chat", "openai", ("tools", 0), "cache_control", {"type": "ephemeral"}, {}),
    ("chat", "openai", ("tools", 0, "function"), "strict", True, {}),
    ("messages", "anthropic", ("messages", 2, "content", 1), "cache_control", {"type": "ephemeral"}, {}),
    ("messages", "anthropic", ("tools", 0), "strict", True, {}),
    ("messages", "anthropic", ("messages", 0, "content", 2), "citations", {"enabled": True}, {}),
    ("messages", "anthropic", ("messages", 0, "content", 2), "context", "a report", {}),
    ("count", "anthropic", (), "cache_control", {"type": "ephemeral"}, {}),
    ("responses", "openai-responses", ("input", 0, "content", 1), "file_id", "file_1", {}),
    ("responses", "openai-responses", ("input", 2), "phase", "commentary", {}),
    ("responses", "openai-responses", (), "user", "u", {"safety_identifier": "s"}),
]


@pytest.mark.parametrize(("surface", "dialect", "path", "name", "value", "beside"), REAL, ids=[f"{case[0]}-{'.'.join(map(str, case[2]))}-{case[3]}" for case in REAL])
def test_a_member_that_is_rarely_used_reaches_a_provider_of_the_dialect(scan: Stage, surface: str, dialect: str, path: tuple[Any, ...], name: str, value: Any, beside: dict[str, Any]) -> None:
    text = prompt()
    send(scan.suite, surface, put(BODIES[surface](text), path, name, value) | beside | {"model": dialect})
    [body] = received(scan, text)
    assert holds(body, name) and json.dumps(value) in json.dumps(body), body


@pytest.mark.parametrize("surface", PATHS)
def test_a_member_that_stands_twice_is_refused_by_its_name(scan: Stage, surface: str) -> None:
    for path, param in (((), "zork"), (next(path for path in places(BODIES[surface]("")) if path or surface == "embeddings"), "")):
        text = prompt()
        body = json.dumps(put(BODIES[surface](text) | {"model": NATIVE[surface]}, path, "zork", 1)).replace('"zork": 1', '"zork": 1, "zork": 2')
        reply = send(scan.suite, surface, body.encode())
        assert reply.status == 400 and "zork" in reply.error["message"] and not received(scan, text), reply
        assert not param or reply.error.get("param", param) == param, reply


@pytest.mark.parametrize("surface", PATHS)
def test_a_key_that_is_not_valid_is_told_before_what_is_wrong_with_the_body(scan: Stage, surface: str) -> None:
    for body in (b"{", b"[]", b"{}", json.dumps({"model": NATIVE[surface], "messages": 5, "input": 5}).encode()):
        assert send(scan.suite, surface, body, "bh_" + "0" * 40).status == 401, body
        assert send(scan.suite, surface, body, None).status == 401, body
        assert send(scan.suite, surface, body).status == 400, body


@pytest.mark.parametrize("surface", ("chat", "responses", "messages"))
@pytest.mark.parametrize("dialect", [name for name in MODELS if name not in ("bedrock",)])
def test_a_plain_text_in_a_data_url_is_text_where_the_dialect_wants_text(scan: Stage, surface: str, dialect: str) -> None:
    text, data = prompt(), "d29sdmVzIGhvd2w="  # "wolves howl"
    url = f"data:text/plain;base64,{data}"
    part = {
        "chat": {"type": "file", "file": {"filename": "a.txt", "file_data": url}}, "responses": {"type": "input_file", "filename": "a.txt", "file_data": url},
        "messages": {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": data}},
    }[surface]
    words = {"type": "input_text" if surface == "responses" else "text", "text": text}
    said = [{"role": "user", "content": [part, words]}]
    send(scan.suite, surface, {"model": dialect, "max_tokens": 9, "messages": said} if surface != "responses" else {"model": dialect, "input": said})
    told = json.dumps(received(scan, text))
    assert (data if dialect == NATIVE[surface] else "wolves howl") in told, told


def test_the_builtin_embedder_refuses_what_it_does_not_know(scan: Stage) -> None:
    reply = send(scan.suite, "embeddings", {"model": "builtin", "input": prompt(), "zork": 1})
    assert reply.status == 400 and "zork" in reply.error["message"], reply
