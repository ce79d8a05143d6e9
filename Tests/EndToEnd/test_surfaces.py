"""What the surfaces make of a provider's every word, and what providers get of the clients': by the clients themselves."""

import base64
import json
import re
import struct
from typing import Any, Iterator

import anthropic
import openai
import pytest
from pydantic import BaseModel

import stub as scripted
import suite as driver
from suite import ANTHROPIC, CHAT, EMBEDDINGS, MESSAGES, Provider, Suite, prompt

CHATS, BLOCKS, JUDGE, VECTORS = "/v1/chat/completions", "/v1/messages", "/v1/moderations", "/v1/embeddings"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": WEATHER}} for name in ("weather", "tides")]
ANTHROPIC_TOOLS = [{"name": name, "input_schema": WEATHER} for name in ("weather", "tides")]
TWO_CALLS = [{"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": '{"city": "Oslo"}'}} for n, name in enumerate(("weather", "tides"))]
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])


class Stage:
    """A suite in front of a scripted provider, which is there in both dialects: `talk` and `say`."""

    def __init__(self, suite: Suite, stub: scripted.Stub) -> None:
        self.suite, self.stub = suite, stub
        self.openai, self.anthropic = suite.openai(max_retries=0), suite.anthropic(max_retries=0)


@pytest.fixture(scope="module")
def running(provider: Provider) -> Iterator[Stage]:
    stub = scripted.Stub()

    def change(document: dict[str, Any]) -> None:
        document["credentials"]["destinations"]["stub"] = {"base_url": stub.url, "private_network": True}
        document["router"]["providers"] += [
            {"name": "talker", "destination": "stub", "dialect": "openai", "serve": "all"},
            {"name": "sayer", "destination": "stub", "dialect": "anthropic", "serve": "listed"},
        ]
        retry = {"retry": {"tries_per_target": 1, "max_tries": 1}}
        document["router"]["models"] += [
            {"name": "talk", "targets": [{"provider": "talker", "model": "stub-talk"}]} | retry,
            {"name": "say", "targets": [{"provider": "sayer", "model": "stub-say"}]} | retry,
            {"name": "org/talk", "targets": [{"provider": "talker", "model": "stub-talk"}]} | retry,
        ]
        document["router"]["cache"] = {"exact": {"when": "off"}}

    suite = driver.Suite(provider, change).begin()
    yield Stage(suite, stub)
    suite.close()
    stub.close()


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.stub.asked.clear()
    running.stub.scripts.clear()
    return running


def ask(text: str | None = None) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text or prompt()}]


def completion(stage: Stage, streamed: bool, **options: Any) -> Any:
    if not streamed:
        return stage.openai.chat.completions.create(**options)
    with stage.openai.chat.completions.stream(**options) as events:
        return events.get_final_completion()


def said(stage: Stage, streamed: bool, **options: Any) -> Any:
    if not streamed:
        return stage.anthropic.messages.create(max_tokens=99, **options)
    with stage.anthropic.messages.stream(max_tokens=99, **options) as events:
        return events.get_final_message()


def responded(stage: Stage, streamed: bool, **options: Any) -> Any:
    if not streamed:
        return stage.openai.responses.create(**options)
    with stage.openai.responses.stream(**options) as events:
        return events.get_final_response()


# Tools


@STREAMED
def test_parallel_calls_reach_every_surface(stage: Stage, streamed: bool) -> None:
    stage.stub.says(CHATS, scripted.chat({"tool_calls": TWO_CALLS}, finish="stop"))
    choice = completion(stage, streamed, model="talk", messages=ask(), tools=TOOLS).choices[0]
    assert choice.finish_reason == "tool_calls", "whatever the provider called it"
    assert [(call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls] == [
        ("call_0", "weather", {"city": "Oslo"}), ("call_1", "tides", {"city": "Oslo"})]
    other = said(stage, streamed, model="talk", messages=ask(), tools=ANTHROPIC_TOOLS)
    assert other.stop_reason == "tool_use" and [(block.type, block.name, block.input) for block in other.content] == [
        ("tool_use", "weather", {"city": "Oslo"}), ("tool_use", "tides", {"city": "Oslo"})]
    third = responded(stage, streamed, model="talk", input=prompt(), tools=[{"type": "function", **tool["function"], "strict": False} for tool in TOOLS])
    assert [(item.type, item.call_id, item.name, json.loads(item.arguments)) for item in third.output] == [
        ("function_call", "call_0", "weather", {"city": "Oslo"}), ("function_call", "call_1", "tides", {"city": "Oslo"})]


def test_results_of_tools_reach_the_provider(stage: Stage) -> None:
    stage.stub.says(CHATS, scripted.chat({"content": "fine"}))
    stage.openai.responses.create(
        model="talk", tools=[{"type": "function", **TOOLS[0]["function"], "strict": False}],
        input=[{"role": "user", "content": "weather?"}, {"type": "function_call", "call_id": "call_0", "name": "weather", "arguments": "{}"},
               {"type": "function_call_output", "call_id": "call_0", "output": "sunny"}])
    sent = stage.stub.last.body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"] and sent[2]["tool_call_id"] == "call_0" and sent[2]["content"] == "sunny"
    stage.stub.says(BLOCKS, scripted.message({"type": "text", "text": "fine"}))
    stage.anthropic.messages.create(
        model="say", max_tokens=9, tools=ANTHROPIC_TOOLS,
        messages=ask() + [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "cache_control": {"type": "ephemeral"}, "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}]}])
    (result,) = stage.stub.last.body["messages"][-1]["content"]
    assert result["is_error"] and result["cache_control"] == {"type": "ephemeral"} and result["content"][0]["source"]["data"] == "AAAA"


# Structured output


class Tide(BaseModel):
    city: str
    metres: float


def test_parse_helpers_of_all_clients(stage: Stage) -> None:
    stage.stub.says(CHATS, scripted.chat({"content": '{"city": "Oslo", "metres": 0.3}'}))
    tide = Tide(city="Oslo", metres=0.3)
    assert stage.openai.chat.completions.parse(model="talk", messages=ask(), response_format=Tide).choices[0].message.parsed == tide
    assert stage.stub.last.body["response_format"]["json_schema"]["strict"] is True
    answer = stage.openai.responses.parse(model="talk", input=prompt(), text_format=Tide)
    assert answer.output_parsed == tide
    assert stage.stub.last.body["response_format"]["json_schema"]["schema"]["properties"].keys() == {"city", "metres"}
    with stage.openai.responses.stream(model="talk", input=prompt(), text_format=Tide) as events:
        assert events.get_final_response().output_parsed == tide


def test_an_answer_cut_short_raises_in_the_parse_helper(stage: Stage) -> None:
    stage.stub.says(CHATS, scripted.chat({"content": '{"city": "Os'}, finish="length"))
    with pytest.raises(openai.LengthFinishReasonError):
        stage.openai.chat.completions.parse(model="talk", messages=ask(), response_format=Tide)
    answer = stage.openai.responses.create(model="talk", input=prompt())
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"


# Reasoning

THOUGHT = [{"type": "thinking", "thinking": "Let me see.", "signature": "c2lnbmVk"}, {"type": "redacted_thinking", "data": "aGlkZGVu"}, {"type": "text", "text": "Yes."}]


@STREAMED
def test_signatures_come_back_to_the_provider_that_made_them(stage: Stage, streamed: bool) -> None:
    stage.stub.says(BLOCKS, scripted.message(*THOUGHT))
    own = said(stage, streamed, model="say", messages=ask())
    assert [block.type for block in own.content][:1] == ["thinking"] and own.content[0].signature == "c2lnbmVk"
    stage.anthropic.messages.create(model="say", max_tokens=9, messages=ask() + [{"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in own.content]}] + ask())
    returned = stage.stub.last.body["messages"][1]["content"]
    assert returned[0]["signature"] == "c2lnbmVk" and returned[0]["thinking"] == "Let me see."


@STREAMED
def test_reasoning_is_shown_to_clients_of_the_other_surfaces(stage: Stage, streamed: bool) -> None:
    stage.stub.says(CHATS, scripted.chat({"reasoning_content": "Let me see.", "content": "Yes."}))
    message = completion(stage, streamed, model="talk", messages=ask()).choices[0].message
    assert message.content == "Yes." and message.reasoning_content == "Let me see."
    blocks = said(stage, streamed, model="talk", messages=ask()).content
    assert [(block.type, getattr(block, "thinking", None) or block.text) for block in blocks] == [("thinking", "Let me see."), ("text", "Yes.")]
    reasoning, answer = responded(stage, streamed, model="talk", input=prompt()).output
    assert reasoning.type == "reasoning" and "Let me see." in json.dumps(reasoning.model_dump()) and answer.content[0].text == "Yes."


# What only one dialect knows


@STREAMED
def test_logprobs_several_choices_and_refusals(stage: Stage, streamed: bool) -> None:
    logprobs = {"content": [{"token": "He", "logprob": -0.1, "bytes": [72, 101], "top_logprobs": []}], "refusal": None}
    stage.stub.says(CHATS, scripted.chat({"content": "Hello"}, {"content": "Howdy"}, logprobs=logprobs))
    choices = completion(stage, streamed, model="talk", messages=ask(), n=2, logprobs=True, top_logprobs=1, seed=7, stop=["X"]).choices
    assert [choice.message.content for choice in choices] == ["Hello", "Howdy"] and choices[0].logprobs.content[0].token == "He"
    sent = stage.stub.last.body
    assert (sent["n"], sent["logprobs"], sent["top_logprobs"], sent["seed"], sent["stop"]) == (2, True, 1, 7, ["X"])
    stage.stub.says(CHATS, scripted.chat({"refusal": "I cannot."}))
    refused = completion(stage, streamed, model="talk", messages=ask()).choices[0].message
    assert refused.refusal == "I cannot." and not refused.content
    assert responded(stage, streamed, model="talk", input=prompt()).output[0].content[0].refusal == "I cannot."


def test_a_first_chunk_without_choices_is_passed_over(stage: Stage) -> None:
    stage.stub.says(CHATS, scripted.chat({"content": "Hello"}, first=[{"id": "", "object": "chat.completion.chunk", "choices": [], "prompt_filter_results": []}]))
    assert completion(stage, True, model="talk", messages=ask()).choices[0].message.content == "Hello"


def test_members_nobody_knows_reach_the_provider_and_null_is_absent(stage: Stage) -> None:
    stage.stub.says(CHATS, scripted.chat({"content": "Hello"}))
    stage.openai.chat.completions.create(
        model="talk", messages=[{"role": "developer", "content": "Be brief.", "trait": 1}, *ask()], max_completion_tokens=9, temperature=None,
        extra_body={"min_p": 0.1, "top_p": None, "safety_identifier": "u-1"})
    sent = stage.stub.last.body
    assert sent["min_p"] == 0.1 and sent["max_completion_tokens"] == 9 and sent["safety_identifier"] == "u-1" and sent["messages"][0] == {"role": "developer", "content": "Be brief.", "trait": 1}
    assert sent.get("top_p") is None and sent.get("temperature") is None and "max_tokens" not in sent


def test_headers_and_members_of_anthropic_reach_its_provider(stage: Stage) -> None:
    stage.stub.says(BLOCKS, scripted.message({"type": "text", "text": "Hi"}))
    stage.anthropic.messages.create(
        model="say", max_tokens=9, system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}], messages=ask(), metadata={"user_id": "u"},
        extra_headers={"anthropic-version": "2023-06-01", "anthropic-beta": "one-2025-01-01,two-2025-01-01"}, extra_body={"container": "c-1"})
    sent = stage.stub.last
    assert sent.headers["anthropic-version"] == "2023-06-01" and sent.headers["anthropic-beta"] == "one-2025-01-01,two-2025-01-01"
    assert sent.body["system"][0]["cache_control"] == {"type": "ephemeral"} and sent.body["container"] == "c-1" and sent.body["metadata"] == {"user_id": "u"}


@STREAMED
def test_usage_is_told_in_each_surface_own_way(stage: Stage, streamed: bool) -> None:
    stage.stub.says(BLOCKS, scripted.message({"type": "text", "text": "Hi"}))
    own = said(stage, streamed, model="say", messages=ask()).usage
    assert (own.input_tokens, own.cache_read_input_tokens, own.cache_creation_input_tokens, own.output_tokens) == (11, 5, 3, 7)
    options = {"stream_options": {"include_usage": True}} if streamed else {}
    other = completion(stage, streamed, model="say", messages=ask(), **options).usage
    assert (other.prompt_tokens, other.prompt_tokens_details.cached_tokens, other.completion_tokens) == (19, 5, 7), "inclusive there"
    third = responded(stage, streamed, model="say", input=prompt()).usage
    assert (third.input_tokens, third.input_tokens_details.cached_tokens, third.output_tokens) == (19, 5, 7)


@pytest.mark.parametrize("code, status", [("invalid_value", 400), ("context_length_exceeded", 400), ("content_policy_violation", 400)])
def test_the_providers_word_for_a_mistake_reaches_the_caller(stage: Stage, code: str, status: int) -> None:
    stage.stub.says(CHATS, scripted.whole({"error": {"message": "top_p must be at most 1", "type": "invalid_request_error", "param": "top_p", "code": code}}, status))
    for ask_it in (lambda: completion(stage, False, model="talk", messages=ask()), lambda: responded(stage, False, model="talk", input=prompt())):
        with pytest.raises(openai.BadRequestError) as told:
            ask_it()
        assert told.value.code == code and "top_p must be at most 1" in str(told.value)
    with pytest.raises(anthropic.BadRequestError) as other:
        said(stage, False, model="talk", messages=ask())
    assert other.value.body["error"]["type"] == "invalid_request_error" and "top_p must be at most 1" in str(other.value)
    assert len(stage.stub.asked) == 3, "a caller's mistake is tried once"


# Moderations, embeddings, models

VERDICT = {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}]}


def test_moderations(stage: Stage) -> None:
    stage.stub.says(JUDGE, scripted.whole(VERDICT))
    verdict = stage.openai.moderations.create(input=["a", "b"])
    assert verdict.results[0].flagged and verdict.results[0].categories.violence
    assert stage.stub.last.body == {"model": "omni-moderation-latest", "input": ["a", "b"]}, "without a model the usual one is asked"
    stage.openai.moderations.create(input="a", model="talk")
    assert stage.stub.last.body["model"] == "stub-talk"
    with pytest.raises(openai.BadRequestError) as told:
        stage.openai.moderations.create(input=[])
    assert told.value.param == "input"
    stage.stub.says(JUDGE, scripted.whole({"ok": True}))
    with pytest.raises(openai.InternalServerError):
        stage.openai.moderations.create(input="a")


def test_a_moderation_costs_nothing_at_openai_and_an_unknown_price_is_told(stage: Stage) -> None:
    stage.stub.says(JUDGE, scripted.whole(VERDICT))
    free = stage.suite.request("POST", JUDGE, {"input": "a"})
    assert free.status == 200 and free.headers["x-bulkhead-cost-usd"] == "0", free
    unknown = stage.suite.request("POST", JUDGE, {"input": ["a", "b"], "model": "talk"})
    assert unknown.status == 200 and unknown.headers["x-bulkhead-cost-usd"] == "unknown", unknown
    page = stage.suite.request("GET", "/metrics", key=stage.suite.new_key("--admin")["key"]).body.decode()
    assert re.search(r'^bulkhead_router_unknown_price_total\{[^}]*model="stub-talk"[^}]*\} [1-9]', page, re.M), "an alert"
    assert not re.search(r'unknown_price_total\{[^}]*model="omni', page)


@pytest.mark.parametrize("count", [1, 401, 2048])
def test_many_embeddings_in_one_request(stage: Stage, count: int) -> None:
    def vectors(asked: dict[str, Any]) -> scripted.Answer:
        rows = [{"object": "embedding", "index": n, "embedding": [n, 0.5, -1.0]} for n in range(len(asked["input"]))]
        return scripted.Answer(json.dumps({"object": "list", "data": rows, "model": "stub", "usage": {"prompt_tokens": 3, "total_tokens": 3}}).encode())

    stage.stub.says(VECTORS, vectors)
    texts = [f"text {n}" for n in range(count)]
    rows = stage.openai.embeddings.create(model="talk", input=texts, dimensions=3, extra_body={"input_type": "query"}).data
    assert [row.embedding for row in rows] == [[n, 0.5, -1.0] for n in range(count)]
    plain = stage.suite.request("POST", EMBEDDINGS, {"model": "talk", "input": texts, "encoding_format": "float"}).json["data"]
    packed = stage.suite.request("POST", EMBEDDINGS, {"model": "talk", "input": texts, "encoding_format": "base64"}).json["data"]
    assert [list(struct.unpack("<3f", base64.b64decode(row["embedding"]))) for row in packed] == [row["embedding"] for row in plain]


def test_models_by_names_with_slashes_and_page_by_page(stage: Stage) -> None:
    assert stage.openai.models.retrieve("org/talk").id == "org/talk"
    assert stage.suite.request("GET", "/v1/models/org%2Ftalk").json["id"] == "org/talk"
    every = [model["id"] for model in stage.suite.request("GET", "/v1/models?limit=1000", headers=ANTHROPIC).json["data"]]
    assert [model.id for model in stage.anthropic.models.list(limit=3)] == every, "the client turns the pages by itself"
    first = stage.suite.request("GET", "/v1/models?limit=2", headers=ANTHROPIC).json
    assert first["has_more"] and (first["first_id"], first["last_id"]) == (every[0], every[1])
    back = stage.suite.request("GET", f"/v1/models?limit=1&before_id={every[2]}", headers=ANTHROPIC).json
    assert [model["id"] for model in back["data"]] == every[1:2] and back["has_more"]
    for query in ("limit=0", "limit=1001", "limit=x", "after_id=nobody"):
        assert stage.suite.request("GET", f"/v1/models?{query}", headers=ANTHROPIC).status == 400, query


def test_models_a_provider_serves_by_their_own_names_are_listed(stage: Stage) -> None:
    listed = {model.id: model for model in stage.openai.models.list()}
    assert {"talk", "org/talk", "gpt-5-mini", "o3", "text-embedding-3-small"} <= listed.keys() and listed["gpt-5-mini"].owned_by == "talker"
    assert not [name for name in listed if "*" in name or name.startswith(("claude-", "gemini-"))], "of dialects that serve all only"
    assert stage.openai.models.retrieve("gpt-9-not-yet-known").owned_by == "talker", "what would be answered can be looked up"
    refused = stage.suite.request("GET", "/v1/models/talkk")
    assert refused.status == 404 and refused.error["code"] == "model_not_found" and "talk" in refused.error["message"], refused


def test_a_request_to_another_route_of_the_stub_is_its_404(stage: Stage) -> None:
    reply = stage.suite.request("POST", CHAT, {"model": "talk", "messages": ask()})
    assert reply.status == 404 and reply.error["code"] == "upstream_not_found"
    assert stage.suite.request("POST", MESSAGES, {"model": "talk", "max_tokens": 9, "messages": ask()}, headers=ANTHROPIC).json["error"]["type"] == "not_found_error"
