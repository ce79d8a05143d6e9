"""OpenAI Responses without stored state, by OpenAI's client, on providers of either dialect."""

import json
import threading
from typing import Any

import openai
import pytest

from suite import Suite, prompt

BOTH = pytest.mark.parametrize("model, upstream", [("assistant", "demo-chat"), ("scribe", "demo-claude")])
RESPONSES = "/v1/responses"
TOOL = {
    "type": "function", "name": "weather", "description": "The weather in a city.", "strict": False,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
}


@BOTH
def test_an_answer_whole(suite: Suite, model: str, upstream: str) -> None:
    text = prompt()
    answer = suite.openai().responses.create(model=model, instructions="Be brief.", input=text, metadata={"team": "a"}, temperature=0.5)
    assert answer.object == "response" and answer.id.startswith("resp_") and answer.status == "completed" and answer.error is None
    assert answer.model == upstream and text in answer.output_text
    (item,) = answer.output
    assert item.type == "message" and item.role == "assistant" and item.status == "completed"
    assert answer.usage.input_tokens > 0 and answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.metadata == {"team": "a"} and answer.temperature == 0.5 and answer.instructions == "Be brief."
    assert answer.to_dict()["store"] is False, "nothing is stored, and the answer says so"


@BOTH
def test_an_answer_in_a_stream(suite: Suite, model: str, upstream: str) -> None:
    text = prompt()
    events = list(suite.openai().responses.create(model=model, input=text, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[-4:] == ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1].response
    assert text in told and final.output_text == told and final.model == upstream and final.usage.output_tokens > 0
    assert len({event.response.id for event in events if hasattr(event, "response")}) == 1
    assert len({event.item_id for event in events if hasattr(event, "item_id")} | {final.output[0].id}) == 1


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_hears_its_result(suite: Suite, model: str, upstream: str, streamed: bool) -> None:
    client, text = suite.openai(), prompt("weather")
    conversation: list[Any] = [{"role": "user", "content": text}]
    if streamed:
        with client.responses.stream(model=model, input=conversation, tools=[TOOL]) as stream:
            kinds = [event.type for event in stream]
            answer = stream.get_final_response()
        assert "response.function_call_arguments.delta" in kinds and "response.function_call_arguments.done" in kinds
    else:
        answer = client.responses.create(model=model, input=conversation, tools=[TOOL])
    (call,) = answer.output
    assert call.type == "function_call" and call.name == "weather" and call.call_id and set(json.loads(call.arguments)) == {"city", "days"}
    conversation += [call, {"type": "function_call_output", "call_id": call.call_id, "output": f"sunny in {text}"}]
    answer = client.responses.create(model=model, input=conversation, tools=[TOOL])
    assert f"sunny in {text}" in answer.output_text


def test_a_token_limit_makes_the_answer_incomplete(suite: Suite) -> None:
    events = list(suite.openai().responses.create(model="assistant", input=prompt(), max_output_tokens=3, stream=True))
    assert events[-1].type == "response.incomplete" and events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert events[-1].response.usage.output_tokens == 3


def test_structured_output(suite: Suite) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"], "additionalProperties": False}
    answer = suite.openai().responses.create(model="assistant", input=prompt(), text={"format": {"type": "json_schema", "name": "sum", "strict": True, "schema": schema}})
    assert isinstance(json.loads(answer.output_text)["sum"], int) and answer.text.format.name == "sum"


def test_a_conversation_is_sent_as_a_whole(suite: Suite) -> None:
    client, text = suite.openai(), prompt()
    first = client.responses.create(model="assistant", input=text)
    second = client.responses.create(model="assistant", input=[{"role": "user", "content": text}, *first.output, {"role": "user", "content": "And then?"}])
    assert "And then?" in second.output_text
    sent = suite.provider.seen("And then?")[-1]["body"]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]


@pytest.mark.parametrize("member", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"background": True}])
def test_what_needs_stored_state_is_refused(suite: Suite, member: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as told:
        suite.openai().responses.create(model="assistant", input="x", **member)
    assert told.value.code == "unsupported" and told.value.param in member
    assert suite.openai().responses.create(model="assistant", input=prompt(), store=True).to_dict()["store"] is False


def test_errors_have_openais_shape(suite: Suite) -> None:
    client = suite.openai(max_retries=0)
    with pytest.raises(openai.NotFoundError) as told:
        client.responses.create(model="asistant", input="x")
    assert told.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        suite.openai(api_key="bh_wrong", max_retries=0).responses.create(model="assistant", input="x")
    with pytest.raises(openai.BadRequestError) as told:
        client.responses.create(model="assistant", input=[{"role": "king", "content": "x"}])
    assert told.value.param == "input[0].role"
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="fail-429", input=prompt())


@pytest.mark.parametrize("fault", ["cut-5", "end-5", "error-5", "garbage-5", "reset-5", "stall-5"])
def test_a_stream_that_breaks_ends_with_response_failed(suite: Suite, fault: str) -> None:
    events = list(suite.openai(max_retries=0).responses.create(model=fault, input=prompt(), stream=True))
    assert events[0].type == "response.created" and events[-1].type == "response.failed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    failed = events[-1].response
    assert failed.status == "failed" and failed.error.code == "stream_broken" and failed.error.message


def test_an_answer_that_breaks_is_no_answer(suite: Suite) -> None:
    with pytest.raises(openai.APIStatusError):
        suite.openai(max_retries=0).responses.create(model="cut-5", input=prompt())


def test_another_provider_answers_as_if_it_were_the_first(suite: Suite) -> None:
    answer = suite.openai().responses.create(model="pair", input=prompt())
    assert answer.model == "demo-second" and answer.status == "completed"


def test_the_same_question_is_answered_from_the_cache(suite: Suite) -> None:
    body = {"model": "assistant", "input": prompt()}
    first, second = suite.request("POST", RESPONSES, body), suite.request("POST", RESPONSES, body)
    assert (first.headers["x-bulkhead-cache"], second.headers["x-bulkhead-cache"]) == ("miss", "exact")
    assert first.json["output"] == second.json["output"]


def test_a_client_that_leaves_ends_the_providers_work(suite: Suite) -> None:
    before = suite.provider.counters()["aborted"]
    stream = suite.openai().responses.create(model="slowly", input=prompt(), stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    stream.close()
    until_aborted(suite, before)


def until_aborted(suite: Suite, before: int) -> None:
    from suite import until

    until(lambda: suite.provider.counters()["aborted"] > before, 5, "the provider to lose its client")


def test_many_at_once(suite: Suite) -> None:
    found: list[str] = []

    def one() -> None:
        text = prompt()
        if text in suite.openai().responses.create(model="assistant", input=text).output_text:
            found.append(text)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 20
