"""The clients of OpenAI and Anthropic, as they come, on providers of either dialect."""

import json

import openai
import pytest

from suite import Suite, prompt

BOTH = pytest.mark.parametrize("model, upstream", [("assistant", "demo-chat"), ("scribe", "demo-claude")])
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
        },
    }
]
ANTHROPIC_TOOLS = [{"name": "weather", "description": "The weather in a city.", "input_schema": TOOLS[0]["function"]["parameters"]}]


@BOTH
def test_openai_answers_whole(suite: Suite, model: str, upstream: str) -> None:
    text = prompt()
    answer = suite.openai().chat.completions.create(
        model=model, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    )
    assert answer.object == "chat.completion" and answer.id and answer.created
    assert answer.model == upstream
    assert text in answer.choices[0].message.content
    assert answer.choices[0].message.role == "assistant" and answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@BOTH
@pytest.mark.parametrize("counted", [True, False])
def test_openai_answers_in_a_stream(suite: Suite, model: str, upstream: str, counted: bool) -> None:
    text = prompt()
    options = {"stream_options": {"include_usage": True}} if counted else {}
    chunks = list(suite.openai().chat.completions.create(model=model, messages=[{"role": "user", "content": text}], stream=True, **options))
    assert text in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason] == ["stop"]
    usages = [chunk for chunk in chunks if chunk.usage]
    if counted:
        assert usages == chunks[-1:] and not usages[0].choices
        assert usages[0].usage.prompt_tokens > 0 and usages[0].usage.completion_tokens > 0
    else:
        assert usages == [] and all(chunk.choices for chunk in chunks)


@BOTH
def test_anthropic_answers_whole(suite: Suite, model: str, upstream: str) -> None:
    text = prompt()
    answer = suite.anthropic().messages.create(model=model, max_tokens=400, system="Be brief.", messages=[{"role": "user", "content": text}])
    assert answer.type == "message" and answer.role == "assistant" and answer.id
    assert answer.model == upstream
    assert text in answer.content[0].text and answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


@BOTH
def test_anthropic_answers_in_a_stream(suite: Suite, model: str, upstream: str) -> None:
    text = prompt()
    with suite.anthropic().messages.stream(model=model, max_tokens=400, messages=[{"role": "user", "content": text}]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and kinds.count("message_start") == 1
    assert text in final.content[0].text and final.stop_reason == "end_turn" and final.model == upstream
    assert final.usage.output_tokens > 0


def test_both_dialects_count_the_same_tokens(suite: Suite) -> None:
    text = prompt()
    whole = suite.openai().chat.completions.create(model="assistant", messages=[{"role": "user", "content": text}], extra_body={"bulkhead": {"cache": "off"}})
    other = suite.anthropic().messages.create(model="assistant", max_tokens=400, messages=[{"role": "user", "content": text}], extra_body={"bulkhead": {"cache": "off"}})
    assert (other.usage.input_tokens, other.usage.output_tokens) == (whole.usage.prompt_tokens, whole.usage.completion_tokens)


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
def test_openai_calls_a_tool_and_hears_its_result(suite: Suite, model: str, upstream: str, streamed: bool) -> None:
    client, text = suite.openai(), prompt("weather")
    messages = [{"role": "user", "content": text}]
    if streamed:
        with client.chat.completions.stream(model=model, messages=messages, tools=TOOLS) as stream:
            choice = stream.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(model=model, messages=messages, tools=TOOLS).choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "weather" and call.id
    assert set(json.loads(call.function.arguments)) == {"city", "days"}
    messages += [
        {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": {"name": "weather", "arguments": call.function.arguments}}]},
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny in {text}"},
    ]
    answer = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    assert f"sunny in {text}" in answer.choices[0].message.content


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic_calls_a_tool_and_hears_its_result(suite: Suite, model: str, upstream: str, streamed: bool) -> None:
    client, text = suite.anthropic(), prompt("weather")
    messages = [{"role": "user", "content": text}]
    if streamed:
        with client.messages.stream(model=model, max_tokens=400, messages=messages, tools=ANTHROPIC_TOOLS) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(model=model, max_tokens=400, messages=messages, tools=ANTHROPIC_TOOLS)
    assert answer.stop_reason == "tool_use"
    (call,) = [block for block in answer.content if block.type == "tool_use"]
    assert call.name == "weather" and set(call.input) == {"city", "days"}
    messages += [
        {"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": f"sunny in {text}"}]},
    ]
    answer = client.messages.create(model=model, max_tokens=400, messages=messages, tools=ANTHROPIC_TOOLS)
    assert f"sunny in {text}" in answer.content[0].text


def test_several_choices(suite: Suite) -> None:
    answer = suite.openai().chat.completions.create(model="assistant", messages=[{"role": "user", "content": prompt()}], n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in answer.choices}) == 3


def test_a_token_limit_is_told_as_length(suite: Suite) -> None:
    answer = suite.openai().chat.completions.create(model="assistant", messages=[{"role": "user", "content": prompt()}], max_tokens=3)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 3
    message = suite.anthropic().messages.create(model="scribe", max_tokens=3, messages=[{"role": "user", "content": prompt()}])
    assert message.stop_reason == "max_tokens"


def test_structured_output(suite: Suite) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"], "additionalProperties": False}
    answer = suite.openai().chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": prompt()}],
        response_format={"type": "json_schema", "json_schema": {"name": "sum", "strict": True, "schema": schema}},
    )
    assert isinstance(json.loads(answer.choices[0].message.content)["sum"], int)


def test_members_the_gateway_does_not_know_reach_the_provider(suite: Suite) -> None:
    text = prompt()
    suite.openai().chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": text}], extra_body={"verbosity": "low", "bulkhead": {"tags": {"team": "a"}}}
    )
    (record,) = suite.provider.seen(text)
    assert record["body"]["verbosity"] == "low", "unknown members are passed on"
    assert "bulkhead" not in record["body"], "members for the gateway are not"


def test_embeddings_of_a_provider(suite: Suite) -> None:
    client = suite.openai()
    answer = client.embeddings.create(model="vectors", input=["low tide", prompt()], dimensions=32)
    assert [item.index for item in answer.data] == [0, 1] and [len(item.embedding) for item in answer.data] == [32, 32]
    assert answer.usage.prompt_tokens > 0
    floats = client.embeddings.create(model="vectors", input="low tide", dimensions=32, encoding_format="float").data[0].embedding
    assert floats == pytest.approx(answer.data[0].embedding, abs=1e-6), "base64, which the client asks for, says the same as floats"


def test_embeddings_of_the_builtin_model(suite: Suite) -> None:
    texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose again."]
    vectors = [item.embedding for item in suite.openai().embeddings.create(model="local-vectors", input=texts).data]
    assert [len(vector) for vector in vectors] == [384, 384, 384]
    assert all(sum(x * x for x in vector) == pytest.approx(1, abs=1e-3) for vector in vectors), "unit length"

    def alike(one: list[float], other: list[float]) -> float:
        return sum(x * y for x, y in zip(one, other))

    assert alike(vectors[0], vectors[1]) > 0.4 > alike(vectors[0], vectors[2]), "texts that mean the same are near"


def test_models(suite: Suite) -> None:
    names = {model.id for model in suite.openai().models.list()}
    assert {"assistant", "scribe", "vectors"} <= names
    assert suite.openai().models.retrieve("assistant").id == "assistant"
    listed = list(suite.anthropic().models.list())
    assert {"assistant", "scribe"} <= {model.id for model in listed} and listed[0].type == "model"
    assert suite.anthropic().models.retrieve("scribe").id == "scribe"
    with pytest.raises(openai.NotFoundError):
        suite.openai().models.retrieve("no-such-model")


def test_wrong_keys_raise_the_clients_own_errors(suite: Suite) -> None:
    import anthropic

    with pytest.raises(openai.AuthenticationError):
        suite.openai(api_key="bh_wrong", max_retries=0).chat.completions.create(model="assistant", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(anthropic.AuthenticationError):
        suite.anthropic(api_key="bh_wrong", max_retries=0).messages.create(model="assistant", max_tokens=9, messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.NotFoundError) as told:
        suite.openai(max_retries=0).chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "x"}])
    assert told.value.code == "model_not_found"


def test_the_same_question_is_answered_from_the_cache(suite: Suite) -> None:
    text = prompt()
    first, second = suite.chat(text=text), suite.chat(text=text)
    assert (first.headers["x-bulkhead-cache"], second.headers["x-bulkhead-cache"]) == ("miss", "exact")
    assert second.text == first.text and len(suite.provider.seen(text)) == 1
    replayed = suite.stream(text=text)
    assert replayed.headers["x-bulkhead-cache"] == "exact" and replayed.text == first.text and replayed.is_terminated
    assert suite.chat(text=text, key=suite.new_key(tenant="other")["key"]).headers["x-bulkhead-cache"] == "miss", "another tenant shares nothing"
    refreshed = suite.chat(text=text, headers={"cache-control": "no-cache"})
    assert refreshed.headers["x-bulkhead-cache"] != "exact"
