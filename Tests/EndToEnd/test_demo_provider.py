"""The demo provider against the real clients, streamed and not, and each of its faults.

The binary is taken from $BULKHEAD_BIN_DIR, else from .build/release.
"""

import base64
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time
import urllib.parse

import anthropic
import httpx
import openai
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("BULKHEAD_BIN_DIR", ROOT / ".build" / "release")) / "bulkhead-demo-provider"
ASK = [{"role": "user", "content": "What is a bulkhead?"}]
TOOL = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
    "required": ["city"],
}


def start(*options):
    process = subprocess.Popen(
        [BINARY, "--listen", "127.0.0.1:0", "--announce", *options], stdout=subprocess.PIPE, text=True
    )
    line = process.stdout.readline().strip()
    assert line.startswith("bulkhead-demo-provider: listening on http://127.0.0.1:")
    return process, line.split()[-1]


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    assert process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def url():
    process, url = start("--loops", "2")
    yield url
    stop(process)


@pytest.fixture
def chat(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=5) as client:
        yield client


@pytest.fixture
def claude(url):
    with anthropic.Anthropic(base_url=url, api_key="unused", max_retries=0, timeout=5) as client:
        yield client


@pytest.fixture
def http(url):
    with httpx.Client(base_url=url, timeout=5) as client:
        yield client


# OpenAI chat


def test_chat_answers_with_the_prompt_and_says_the_same_twice(chat):
    answers = [chat.chat.completions.create(model="demo-small", messages=ASK) for _ in range(2)]
    texts = [answer.choices[0].message.content for answer in answers]
    assert texts[0] == texts[1] and "What is a bulkhead?" in texts[0]
    assert answers[0].id != answers[1].id
    assert answers[0].model == "demo-small" and answers[0].choices[0].finish_reason == "stop"
    usage = answers[0].usage
    assert usage.prompt_tokens > 0 and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert answers[0]._request_id


def test_chat_stream_says_what_the_whole_answer_says(chat):
    whole = chat.chat.completions.create(model="demo-small", messages=ASK)
    stream = chat.chat.completions.create(
        model="demo-small", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert len({(c.id, c.created, c.model) for c in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    assert all(c.usage is None for c in chunks[:-1])


def test_chat_stream_without_include_usage_has_no_usage(chat):
    chunks = list(chat.chat.completions.create(model="demo-small", messages=ASK, stream=True))
    assert all(c.usage is None and c.choices for c in chunks)


def test_chat_respects_n_and_the_token_limit(chat):
    answer = chat.chat.completions.create(model="demo-small", messages=ASK, n=3, max_completion_tokens=5)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert all(c.finish_reason == "length" for c in answer.choices) and answer.usage.completion_tokens == 15
    chunks = list(chat.chat.completions.create(model="demo-small", messages=ASK, n=2, stream=True))
    texts = ["".join(c.choices[0].delta.content or "" for c in chunks if c.choices[0].index == i) for i in (0, 1)]
    assert texts[0] != texts[1] and all("bulkhead" in text for text in texts)


@pytest.mark.parametrize("stream", [False, True])
def test_chat_calls_an_offered_tool_and_then_uses_its_result(chat, stream):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
    if stream:
        calls, finish = {}, None
        for chunk in chat.chat.completions.create(model="demo-small", messages=ASK, tools=tools, stream=True):
            finish = chunk.choices[0].finish_reason or finish
            for part in chunk.choices[0].delta.tool_calls or []:
                call = calls.setdefault(part.index, {"id": part.id, "name": part.function.name, "arguments": ""})
                call["arguments"] += part.function.arguments
        call = calls[0]
    else:
        choice = chat.chat.completions.create(model="demo-small", messages=ASK, tools=tools).choices[0]
        made = choice.message.tool_calls[0]
        call, finish = {"id": made.id, "name": made.function.name, "arguments": made.function.arguments}, choice.finish_reason
        assert choice.message.content is None
    assert finish == "tool_calls" and call["name"] == "weather" and call["id"]
    assert json.loads(call["arguments"]) == {"city": "What is a bulkhead?", "days": 1, "unit": "C"}
    made = {"id": call["id"], "type": "function", "function": {"name": "weather", "arguments": call["arguments"]}}
    history = ASK + [
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
    ]
    answer = chat.chat.completions.create(model="demo-small", messages=history, tools=tools)
    assert "sunny" in answer.choices[0].message.content
    none = chat.chat.completions.create(model="demo-small", messages=ASK, tools=tools, tool_choice="none")
    assert none.choices[0].message.tool_calls is None


def test_chat_structured_output_satisfies_its_schema(chat):
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": TOOL}}
    answer = chat.chat.completions.create(model="demo-small", messages=ASK, response_format=form)
    assert json.loads(answer.choices[0].message.content)["unit"] == "C"


def test_chat_a_schema_that_would_explode_does_not(chat):
    schema = {"type": "integer"}
    for _ in range(14):
        schema = {"type": "array", "minItems": 1000, "items": schema}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = chat.chat.completions.create(model="demo-small", messages=ASK, response_format=form)
    assert len(answer.choices[0].message.content) < 100_000


def test_chat_refuses_what_is_not_a_request(chat, http):
    with pytest.raises(openai.BadRequestError) as refused:
        chat.chat.completions.create(model="demo-small", messages=[])
    assert refused.value.body["type"] == "invalid_request_error" and refused.value.param == "messages"
    assert http.post("/v1/chat/completions", content=b'{"model":').status_code == 400
    assert http.post("/v1/nothing").json()["error"]["code"] == "model_not_found"


# OpenAI responses, embeddings, models


def test_responses_whole_and_streamed(chat):
    whole = chat.responses.create(model="demo-small", input="What is a bulkhead?")
    assert "What is a bulkhead?" in whole.output_text and whole.status == "completed"
    events = list(chat.responses.create(model="demo-small", input="What is a bulkhead?", stream=True))
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert [e.type for e in events[:4]] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole.output_text
    assert events[-1].type == "response.completed" and events[-1].response.output_text == whole.output_text
    assert events[-1].response.usage == whole.usage
    with chat.responses.stream(model="demo-small", input="What is a bulkhead?") as stream:
        assert stream.get_final_response().output_text == whole.output_text


def test_responses_tool_call_and_result(chat):
    tools = [{"type": "function", "name": "weather", "parameters": TOOL, "strict": False}]
    call = chat.responses.create(model="demo-small", input="Hi", tools=tools).output[0]
    assert call.type == "function_call" and json.loads(call.arguments)["city"] == "Hi"
    events = list(chat.responses.create(model="demo-small", input="Hi", tools=tools, stream=True))
    deltas = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
    assert deltas == call.arguments == events[-1].response.output[0].arguments
    items = [
        {"role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
    ]
    assert "sunny" in chat.responses.create(model="demo-small", input=items, tools=tools).output_text


def test_responses_that_reach_their_limit_are_incomplete(chat):
    short = chat.responses.create(model="demo-small", input="Hi", max_output_tokens=16)
    assert short.status == "incomplete" and short.incomplete_details.reason == "max_output_tokens"
    events = list(chat.responses.create(model="demo-small", input="Hi", max_output_tokens=16, stream=True))
    assert events[-1].type == "response.incomplete"


def test_embeddings_are_deterministic_and_near_for_near_texts(chat, http):
    texts = ["the cat sat on the mat", "the cat sat on a mat", "quarterly revenue grew"]
    data = chat.embeddings.create(model="demo-embed", input=texts, dimensions=256).data
    vectors = [item.embedding for item in data]
    assert [item.index for item in data] == [0, 1, 2] and all(len(v) == 256 for v in vectors)
    dot = lambda a, b: sum(x * y for x, y in zip(a, b))
    assert dot(vectors[0], vectors[0]) == pytest.approx(1, abs=1e-3)
    assert dot(vectors[0], vectors[1]) > 0.7 > 0.4 > dot(vectors[0], vectors[2])
    body = {"model": "demo-embed", "input": texts[0], "dimensions": 256}
    floats = http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    coded = http.post("/v1/embeddings", json={**body, "encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert list(struct.unpack("<256f", base64.b64decode(coded, validate=True))) == pytest.approx(floats)
    assert floats == pytest.approx(vectors[0])
    for count in (1, 2, 3, 4, 5):
        coded = http.post("/v1/embeddings", json={**body, "dimensions": count, "encoding_format": "base64"}).json()
        assert len(base64.b64decode(coded["data"][0]["embedding"], validate=True)) == 4 * count
    with pytest.raises(openai.BadRequestError):
        chat.embeddings.create(model="demo-embed", input="x", dimensions=5000)


def test_models_in_both_shapes(chat, claude):
    assert "demo-small" in [model.id for model in chat.models.list()]
    assert chat.models.retrieve("any-name").id == "any-name"
    assert "demo-small" in [model.id for model in claude.models.list()]


# Anthropic


def test_messages_whole_and_streamed(claude):
    whole = claude.messages.create(model="demo-small", max_tokens=500, system="Be brief.", messages=ASK)
    assert "What is a bulkhead?" in whole.content[0].text and whole.stop_reason == "end_turn"
    with claude.messages.stream(model="demo-small", max_tokens=500, system="Be brief.", messages=ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens == claude.messages.count_tokens(
        model="demo-small", system="Be brief.", messages=ASK
    ).input_tokens
    short = claude.messages.create(model="demo-small", max_tokens=2, messages=ASK)
    assert short.stop_reason == "max_tokens" and short.usage.output_tokens == 2


def test_messages_tool_call_and_result(claude):
    tools = [{"name": "weather", "input_schema": TOOL}]
    whole = claude.messages.create(model="demo-small", max_tokens=500, messages=ASK, tools=tools)
    call = whole.content[0]
    assert whole.stop_reason == "tool_use" and call.input == {"city": "What is a bulkhead?", "days": 1, "unit": "C"}
    with claude.messages.stream(model="demo-small", max_tokens=500, messages=ASK, tools=tools) as stream:
        assert stream.get_final_message().content[0].input == call.input
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    history = ASK + [
        {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
        {"role": "user", "content": [result]},
    ]
    answer = claude.messages.create(model="demo-small", max_tokens=500, messages=history, tools=tools)
    assert "sunny" in answer.content[0].text


def test_messages_refuses_a_request_without_a_limit(http):
    answer = http.post("/v1/messages", json={"model": "demo-small", "messages": ASK})
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["request-id"]


# Gemini


def gemini_events(text):
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def test_gemini_whole_and_streamed(http):
    body = {"contents": [{"role": "user", "parts": [{"text": "What is a bulkhead?"}]}]}
    whole = http.post("/v1beta/models/demo-small:generateContent", json=body).json()
    candidate = whole["candidates"][0]
    assert "What is a bulkhead?" in candidate["content"]["parts"][0]["text"] and candidate["finishReason"] == "STOP"
    streamed = http.post("/v1beta/models/demo-small:streamGenerateContent?alt=sse", json=body)
    events = gemini_events(streamed.text)
    text = "".join(e["candidates"][0]["content"]["parts"][0]["text"] for e in events)
    assert text == candidate["content"]["parts"][0]["text"]
    assert [("finishReason" in e["candidates"][0]) for e in events] == [False] * (len(events) - 1) + [True]
    assert events[-1]["usageMetadata"] == whole["usageMetadata"]


def test_gemini_tool_call_and_errors(http):
    body = {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "weather", "parameters": TOOL}]}],
    }
    answer = http.post("/v1beta/models/demo-small:generateContent", json=body).json()
    call = answer["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert call["name"] == "weather" and call["args"]["city"] == "Hi"
    failed = http.post("/v1beta/models/demo-fail-429:generateContent", json=body)
    assert failed.status_code == 429 and failed.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert http.post("/v1beta/models/demo-small:other", json=body).status_code == 404


# Faults


@pytest.mark.parametrize("status,error", [
    (400, openai.BadRequestError), (401, openai.AuthenticationError), (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError), (429, openai.RateLimitError), (500, openai.InternalServerError),
    (503, openai.InternalServerError),
])
@pytest.mark.parametrize("stream", [False, True])
def test_fail_answers_with_the_status(chat, claude, status, error, stream):
    with pytest.raises(error) as failed:
        chat.chat.completions.create(model=f"demo-fail-{status}", messages=ASK, stream=stream)
    assert failed.value.status_code == status
    with pytest.raises(anthropic.APIStatusError) as failed:
        claude.messages.create(model=f"demo-fail-{status}", max_tokens=9, messages=ASK, stream=stream)
    assert failed.value.status_code == status and failed.value.body["type"] == "error"


def test_fail_may_say_when_to_retry(http):
    answer = http.post("/v1/chat/completions", json={"model": "demo-fail-429-retry-1500ms", "messages": ASK})
    assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == ("2", "1500")


def test_slow_answers_late(chat):
    begin = time.monotonic()
    chat.chat.completions.create(model="demo-slow-300ms", messages=ASK)
    assert 0.3 <= time.monotonic() - begin < 3


def test_tokens_and_tps_set_length_and_pace(chat):
    begin = time.monotonic()
    chunks = list(chat.chat.completions.create(model="demo-tokens-20-tps-100", messages=ASK, stream=True))
    assert sum(1 for c in chunks if c.choices[0].delta.content) == 20
    assert 0.19 <= time.monotonic() - begin < 3


@pytest.mark.parametrize("stream", [False, True])
def test_stall_answers_nothing(chat, stream):
    with pytest.raises(openai.APITimeoutError):
        chat.with_options(timeout=0.3).chat.completions.create(model="demo-stall", messages=ASK, stream=stream)


@pytest.mark.parametrize("word,error", [
    ("cut", (httpx.RemoteProtocolError, openai.APIError)), ("stall", (httpx.ReadTimeout, openai.APIError)),
    ("reset", (httpx.TransportError, openai.APIError)), ("error", openai.APIError), ("garbage", json.JSONDecodeError),
])
def test_streams_break_after_the_given_token(chat, word, error):
    texts = []
    with pytest.raises(Exception) as broken:
        client = chat.with_options(timeout=0.5)
        for chunk in client.chat.completions.create(model=f"demo-{word}-5", messages=ASK, stream=True):
            texts.append(chunk.choices[0].delta.content)
    causes = [broken.value, broken.value.__cause__]
    assert any(isinstance(cause, error) or type(cause).__module__.startswith("httpx") for cause in causes)
    assert texts[0] == "" and all(texts[1:])
    if word != "reset":  # a reset may overtake what was sent before it
        assert len(texts) == 6


def test_end_stops_without_the_end_of_the_answer(http):
    answer = http.post("/v1/chat/completions", json={"model": "demo-end-3", "messages": ASK, "stream": True})
    assert answer.status_code == 200 and '"stop"' not in answer.text and "[DONE]" not in answer.text
    assert answer.text.count("data: ") == 4


def test_faults_of_whole_answers(http):
    post = lambda model: http.post("/v1/chat/completions", json={"model": model, "messages": ASK})
    for model in ("demo-cut-5", "demo-reset", "demo-reset-1"):
        with pytest.raises(httpx.TransportError):
            post(model)
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json={"model": "demo-stall-1", "messages": ASK}, timeout=0.3)
    for model in ("demo-garbage", "demo-end"):
        with pytest.raises(json.JSONDecodeError):
            post(model).json()
    assert post("demo-error-5").status_code == 500


def test_error_event_in_anthropic_and_responses_streams(claude, chat):
    with pytest.raises(anthropic.APIStatusError) as failed:
        for _ in claude.messages.create(model="demo-error-2", max_tokens=99, messages=ASK, stream=True):
            pass
    assert failed.value.body["error"]["type"] == "overloaded_error"
    events = list(chat.responses.create(model="demo-error-2", input="Hi", stream=True))
    assert [e.type for e in events[-2:]] == ["response.output_text.delta", "error"]
    assert events[-1].sequence_number == len(events) - 1


def test_a_header_tells_the_fault_of_any_model(http):
    body = {"model": "gpt-5-mini", "messages": ASK}
    assert http.post("/v1/chat/completions", json=body, headers={"x-demo": "fail-503"}).status_code == 503
    assert http.post("/v1/chat/completions", json=body, headers={"x-demo": "nonsense"}).status_code == 400
    assert http.post("/v1/chat/completions", json=body).status_code == 200


# Scripts and the log


def test_a_script_goes_step_by_step(http):
    model = "scripted-model"
    added = http.post("/_script", json={"model": model, "steps": ["fail-429-retry-1s", "ok", "fail-500"]})
    assert added.json()[model] == 3
    statuses = [http.post("/v1/chat/completions", json={"model": model, "messages": ASK}).status_code for _ in range(4)]
    assert statuses == [429, 200, 500, 200]
    assert http.post("/_script", json={"model": model, "steps": ["unknown"]}).status_code == 400
    http.post("/_script", json={"steps": ["fail-418"]})
    assert http.post("/v1/chat/completions", json={"model": "whichever", "messages": ASK}).status_code == 418
    http.post("/_script", json={"steps": ["fail-418"] * 3})
    assert http.delete("/_script").json() == {}
    assert http.post("/v1/chat/completions", json={"model": "whichever", "messages": ASK}).status_code == 200


def test_the_log_shows_requests_and_no_secrets():
    process, url = start()
    with httpx.Client(base_url=url, timeout=5) as http:
        headers = {"authorization": "Bearer hidden-value", "x-api-key": "hidden-value", "x-note": "shown"}
        http.post("/v1/chat/completions?a=b", json={"model": "m1", "messages": ASK}, headers=headers)
        http.post("/v1beta/models/m2:generateContent?key=hidden-value", json={"contents": [{"parts": [{"text": "x"}]}]})
        shown = http.get("/_requests")
        first, second = shown.json()
        assert "hidden-value" not in shown.text
        assert first["path"] == "/v1/chat/completions?a=b" and first["headers"]["x-note"] == "shown"
        assert first["body"]["messages"] == ASK and first["outcome"] == "answered"
        assert second["model"] == "m2" and second["number"] == 2
        counters = http.get("/_counters").json()
        assert counters["requests"] == 2 and counters["answered"] == 2 and counters["models"] == {"m1": 1, "m2": 1}
        assert http.delete("/_requests").json() == []
        http.post("/v1/chat/completions", json={"model": "m3", "messages": ASK})
        assert [r["number"] for r in http.get("/_requests").json()] == [3]
        for _ in range(1005):
            http.post("/v1/chat/completions", json={"model": "m4", "messages": ASK})
        numbers = [r["number"] for r in http.get("/_requests").json()]
        assert numbers == list(range(9, 1009))
    stop(process, signal.SIGINT)


def test_a_client_that_leaves_is_counted(http):
    before = http.get("/_counters").json()["aborted"]
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json={"model": "demo-stall", "messages": ASK}, timeout=0.2)
    deadline = time.monotonic() + 5
    while http.get("/_counters").json()["aborted"] == before:
        assert time.monotonic() < deadline


# The server


def test_pipelined_requests_are_answered_in_order(url):
    parts = urllib.parse.urlsplit(url)
    body = lambda model: json.dumps({"model": model, "messages": ASK}).encode()
    raw = b"".join(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(b), b)
        for b in (body("demo-slow-200ms"), body("second"))
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(raw + b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    places = [answer.find(b'"model":"demo-slow-200ms"'), answer.find(b'"model":"second"'), answer.find(b'"status":"ok"')]
    assert -1 < places[0] < places[1] < places[2]


def test_a_body_over_the_limit_is_refused(http):
    answer = http.post("/v1/chat/completions", content=b" " * (33 << 20))
    assert answer.status_code == 413


def test_latency_and_pace_of_the_command_line():
    process, url = start("--latency", "150ms", "--tokens-per-second", "100")
    body = {"model": "demo-tokens-10", "messages": ASK, "stream": True}
    begin = time.monotonic()
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        first = None
        for _ in answer.iter_lines():
            first = first or time.monotonic()
    end = time.monotonic()
    assert first - begin >= 0.15 and end - first >= 0.09
    stop(process)


@pytest.mark.parametrize("options", [
    ["--listen", "nowhere"], ["--latency", "soon"], ["--loops", "0"], ["--tokens-per-second", "0"],
])
def test_a_wrong_option_is_a_usage_error(options):
    assert subprocess.run([BINARY, *options], capture_output=True, timeout=10).returncode == 64
