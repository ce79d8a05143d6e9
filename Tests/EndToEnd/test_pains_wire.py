"""The small print of the wire, which clients rely on: order, indexes, names, reasons and signatures."""

import json
import re
from typing import Any

import pytest

from actor import Act, Line, answer
from stage import Stage, route
from suite import prompt
from surfaces import EVERY_WAY, Heard, ask, assert_complete, body_of

ROUTES = [route("openai", "one/wire-a"), route("anthropic", "four/wire-c")]
MODELS = {"openai": "wire-a", "anthropic": "wire-c"}
BEHIND = pytest.mark.parametrize("behind", MODELS)
CALLS = (("call_one", "weather", '{"city": "Oslo"}'), ("call_two", "tides", '{"city": "Bergen"}'))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: dict[str, list[dict[str, Any]]] = {
    "chat": [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("weather", "tides")],
    "messages": [{"name": name, "input_schema": SCHEMA} for name in ("weather", "tides")],
    "responses": [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in ("weather", "tides")],
}
SCENES: dict[str, Act] = {
    "text": Act(), "thinking": Act(thinking=("Let me see.", "c2lnbmVk")), "calls": Act(calls=CALLS),
    "text-and-calls": Act(text="I shall look.", calls=CALLS), "thinking-and-calls": Act(thinking=("Let me see.", "c2lnbmVk"), text="I shall look.", calls=CALLS),
}


def scene(stage: Stage, behind: str, surface: str, streamed: bool, act: Act, **more: Any) -> tuple[Heard, str]:
    text = prompt()
    stage.actor.script(text, MODELS[behind], act)
    if act.calls:
        more["tools"] = TOOLS[surface]
    return ask(stage.suite, surface, streamed, behind, text, **more), text


@BEHIND
@pytest.mark.parametrize("name", SCENES)
def test_chunks_of_a_chat(stage: Stage, name: str, behind: str) -> None:
    heard, _ = scene(stage, behind, "chat", True, SCENES[name])
    assert_complete(heard)
    assert heard.events[-1][1] == "[DONE]" and [data for _, data in heard.events].count("[DONE]") == 1
    assert {event for event, _ in heard.events} == {None}, "chunks have no event name"
    chunks = heard.documents
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    for member in ("id", "created", "model"):
        assert len({chunk[member] for chunk in chunks}) == 1, f"{member} changes on the way"
    with_usage = [place for place, chunk in enumerate(chunks) if chunk.get("usage")]
    assert with_usage == [len(chunks) - 1] and chunks[-1]["choices"] == [], "one chunk tells the usage: the last, without choices"
    assert all(chunk["choices"] for chunk in chunks[:-1])
    deltas = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert deltas[0]["delta"].get("role") == "assistant" and sum("role" in choice["delta"] for choice in deltas) == 1
    assert [choice["finish_reason"] for choice in deltas[:-1]] == [None] * (len(deltas) - 1) and deltas[-1]["finish_reason"]
    called: dict[int, list[dict[str, Any]]] = {}
    for choice in deltas:
        for call in choice["delta"].get("tool_calls") or []:
            called.setdefault(call["index"], []).append(call)
    assert list(called) == list(range(len(SCENES[name].calls))), f"indexes are contiguous, in order: {list(called)}"
    for (ident, tool, arguments), pieces in zip(SCENES[name].calls, called.values()):
        assert pieces[0]["id"] == ident and pieces[0]["function"]["name"] == tool and pieces[0]["type"] == "function"
        assert not any(piece.get("id") or piece["function"].get("name") for piece in pieces[1:]), "the name is told once"
        assert json.loads("".join(piece["function"].get("arguments", "") for piece in pieces)) == json.loads(arguments)


@BEHIND
@pytest.mark.parametrize("options", [None, {"include_usage": False}], ids=["no-options", "not-wanted"])
def test_usage_nobody_asked_for_is_not_sent(stage: Stage, options: Any, behind: str) -> None:
    heard = scene(stage, behind, "chat", True, Act(), stream_options=options)[0]
    assert_complete(heard)
    assert not any(chunk.get("usage") for chunk in heard.documents)
    assert all(chunk["choices"] for chunk in heard.documents), "a chunk without choices is for usage alone"


@BEHIND
@pytest.mark.parametrize("name", SCENES)
def test_events_of_a_message(stage: Stage, name: str, behind: str) -> None:
    heard, _ = scene(stage, behind, "messages", True, SCENES[name])
    assert_complete(heard)
    assert all(event == data["type"] for event, data in heard.events), "every event is named as its type"
    kinds = [kind for kind in heard.kinds() if kind != "ping"]
    assert kinds[0] == "message_start" and kinds.count("message_start") == 1
    assert kinds[-2:] == ["message_delta", "message_stop"] and kinds.count("message_stop") == 1 and kinds.count("message_delta") == 1
    opened, started = None, []
    for data in heard.documents:
        match data["type"]:
            case "content_block_start":
                assert opened is None, "one block after the other"
                opened = data["content_block"]["type"]
                started.append((data["index"], opened))
            case "content_block_delta":
                assert opened and data["index"] == started[-1][0], "a delta of a block that is not open"
                assert {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use"}[data["delta"]["type"]] == opened
            case "content_block_stop":
                assert opened and data["index"] == started[-1][0]
                opened = None
    assert opened is None and [index for index, _ in started] == list(range(len(started))), started
    wanted = (["thinking"] if "thinking" in name else []) + (["text"] if name != "calls" else []) + ["tool_use"] * len(SCENES[name].calls)
    assert [kind for _, kind in started] == wanted
    start = next(data["message"] for data in heard.documents if data["type"] == "message_start")
    assert start["content"] == [] and start["role"] == "assistant" and start["usage"]["input_tokens"] >= 0 and start["stop_reason"] is None
    assert heard.tokens[1] > 0


@BEHIND
@pytest.mark.parametrize("name", SCENES)
def test_events_of_a_response(stage: Stage, name: str, behind: str) -> None:
    heard, _ = scene(stage, behind, "responses", True, SCENES[name])
    assert_complete(heard)
    assert all(event == data["type"] for event, data in heard.events)
    numbers = [data["sequence_number"] for data in heard.documents]
    assert numbers == sorted(set(numbers)), f"sequence numbers rise: {numbers}"
    kinds = heard.kinds()
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    assert len({data["response"]["id"] for data in heard.documents if "response" in data}) == 1
    items: dict[int, dict[str, Any]] = {}
    for data in heard.documents:
        if data["type"] == "response.output_item.added":
            assert data["output_index"] == len(items), "items are numbered as they come"
            items[data["output_index"]] = data["item"]
        elif data["type"] == "response.output_item.done":
            assert items[data["output_index"]]["id"] == data["item"]["id"]
        elif "item_id" in data:
            assert items[data["output_index"]]["id"] == data["item_id"], data
    assert kinds.count("response.output_item.done") == len(items)
    assert [item["id"] for item in heard.final["output"]] == [item["id"] for item in items.values()]
    calls = [item for item in heard.final["output"] if item["type"] == "function_call"]
    assert [(call["call_id"], call["name"], json.loads(call["arguments"])) for call in calls] == [(i, n, json.loads(a)) for i, n, a in SCENES[name].calls]
    assert heard.final["usage"]["total_tokens"] == sum(heard.tokens)


# What the provider calls the end → what each surface calls it.
REASONS = [
    ("openai", "stop", "stop", "end_turn", "completed"), ("openai", "length", "length", "max_tokens", "incomplete: max_output_tokens"),
    ("openai", "content_filter", "content_filter", "refusal", "incomplete: content_filter"),
    ("anthropic", "end_turn", "stop", "end_turn", "completed"), ("anthropic", "max_tokens", "length", "max_tokens", "incomplete: max_output_tokens"),
    ("anthropic", "stop_sequence", "stop", "stop_sequence", "completed"), ("anthropic", "refusal", "content_filter", "refusal", "incomplete: content_filter"),
]


@EVERY_WAY
@pytest.mark.parametrize(("behind", "finish", "chat", "messages", "responses"), REASONS, ids=[f"{reason[0]}-{reason[1]}" for reason in REASONS])
def test_the_reason_of_the_end_is_translated(stage: Stage, behind: str, finish: str, chat: str, messages: str, responses: str, surface: str, streamed: bool) -> None:
    heard, text = scene(stage, behind, surface, streamed, Act(finish=finish))
    assert_complete(heard, answer(text))
    assert heard.finish == {"chat": chat, "messages": messages, "responses": responses}[surface]


@EVERY_WAY
@pytest.mark.parametrize(("behind", "finish"), [("openai", "stop"), ("openai", "tool_calls"), ("anthropic", "tool_use")])
def test_calls_end_as_calls_whatever_the_provider_said(stage: Stage, behind: str, finish: str, surface: str, streamed: bool) -> None:
    heard, _ = scene(stage, behind, surface, streamed, Act(calls=CALLS, finish=finish))
    assert_complete(heard)
    assert heard.finish == {"chat": "tool_calls", "messages": "tool_use", "responses": "completed"}[surface]


def told_by_turns(*, text: bool) -> Act:
    """Both calls are begun before the first one has its arguments; with `text` among them."""
    (first, name, arguments), (second, other, more) = CALLS
    deltas: list[dict[str, Any]] = [
        {"tool_calls": [{"index": place, "id": ident, "type": "function", "function": {"name": called, "arguments": ""}}]}
        for place, (ident, called) in enumerate(((first, name), (second, other)))
    ]
    for piece, another in ((arguments[:4], more[:6]), (arguments[4:], more[6:])):
        deltas += [{"tool_calls": [{"index": place, "function": {"arguments": part}}]} for place, part in enumerate((piece, another))]
        deltas += [{"content": "looking "}] if text else []

    async def play(line: Line) -> None:
        await line.open(connection="close")
        for delta in [*deltas, {}]:
            choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "tool_calls"}
            await line.chunk(f"data: {json.dumps({'id': 'c', 'choices': [choice]})}\n\n")
        await line.chunk("data: [DONE]\n\n")
        await line.send(b"0\r\n\r\n")

    return Act(calls=CALLS, play=play)


def called(heard: Heard) -> list[tuple[str, Any]]:
    """The calls of an answer with their arguments, in their order."""
    calls: dict[Any, tuple[str, str]] = {}
    for told in heard.documents:
        for choice in told.get("choices") or []:
            for place, call in enumerate((choice.get("delta") or choice.get("message") or {}).get("tool_calls") or []):
                place = call.get("index", place)
                ident, arguments = calls.get(place, (call.get("id", ""), ""))
                calls[place] = (ident, arguments + call["function"].get("arguments", ""))
        match told.get("type"):
            case "content_block_start" if told["content_block"]["type"] == "tool_use":
                calls[told["index"]] = (told["content_block"]["id"], "")
            case "content_block_delta" if told["index"] in calls:
                calls[told["index"]] = (calls[told["index"]][0], calls[told["index"]][1] + told["delta"]["partial_json"])
            case "message":
                calls |= {place: (block["id"], json.dumps(block["input"])) for place, block in enumerate(told["content"]) if block["type"] == "tool_use"}
    if heard.surface == "responses":
        calls = {place: (item["call_id"], item["arguments"]) for place, item in enumerate(heard.final["output"]) if item["type"] == "function_call"}
    return [(ident, json.loads(arguments)) for ident, arguments in calls.values()]


@EVERY_WAY
@pytest.mark.parametrize("text", [False, True], ids=["calls", "calls-and-text"])
def test_calls_that_come_by_turns_are_told_in_order(stage: Stage, text: bool, surface: str, streamed: bool) -> None:
    heard, _ = scene(stage, "openai", surface, streamed, told_by_turns(text=text))
    assert_complete(heard, "looking looking " if text else "")
    assert called(heard) == [(ident, json.loads(arguments)) for ident, _, arguments in CALLS]
    if streamed and surface != "chat":
        begin, end = ("content_block_start", "content_block_stop") if surface == "messages" else ("response.output_item.added", "response.output_item.done")
        assert [kind for kind in heard.kinds() if kind in (begin, end)] == [begin, end] * (3 if text else 2), "one after the other"


@EVERY_WAY
@BEHIND
def test_names_of_an_answer(stage: Stage, behind: str, surface: str, streamed: bool) -> None:
    heard, _ = scene(stage, behind, surface, streamed, Act())
    assert heard.models == {MODELS[behind]}, "the model that served, not its alias"
    assert heard.headers["x-request-id"] and heard.headers["request-id"] == heard.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", heard.headers["x-bulkhead-trace-id"])
    idents = {told.get("id") or (told.get("message") or told.get("response") or {}).get("id") for told in heard.documents} - {None}
    assert len(idents) == 1, idents
    if streamed:
        assert heard.headers["content-type"].startswith("text/event-stream") and heard.headers["content-encoding"] is None


THOUGHT, SIGNATURE = "The tide turns at six.", "RXJzdGVyIEJsb2NrK1NpZ25hdHVyPT0="


def thoughts(heard: Heard) -> list[dict[str, Any]]:
    """The thinking blocks of a message, put together if they were streamed."""
    if not heard.is_stream:
        return [block for block in heard.json["content"] if block["type"] == "thinking"]
    blocks: dict[int, dict[str, Any]] = {}
    for data in heard.documents:
        if data["type"] == "content_block_start" and data["content_block"]["type"] == "thinking":
            blocks[data["index"]] = dict(data["content_block"])
        elif data["type"] == "content_block_delta" and data["index"] in blocks:
            for member in ("thinking", "signature"):
                blocks[data["index"]][member] = blocks[data["index"]].get(member, "") + data["delta"].get(member, "")
    return list(blocks.values())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_signed_thinking_goes_to_a_client_of_messages_and_back(stage: Stage, streamed: bool) -> None:
    more = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    heard, text = scene(stage, "anthropic", "messages", streamed, Act(thinking=(THOUGHT, SIGNATURE), calls=CALLS[:1]), **more)
    (block,) = thoughts(heard)
    assert block == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    call = {"type": "tool_use", "id": "call_one", "name": "weather", "input": {"city": "Oslo"}}
    turns = [
        {"role": "user", "content": text}, {"role": "assistant", "content": [block, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_one", "content": "rain"}]},
    ]
    told = ask(stage.suite, "messages", streamed, "", "", body={"model": "anthropic", "messages": turns, "tools": TOOLS["messages"]} | more | ({"stream": True} if streamed else {}))
    assert told.status == 200, told
    sent = stage.actor.seen(text)[-1].json["messages"]
    assert sent[1]["content"][0] == block and sent[1]["content"][1] == call, "untouched, and in their place"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_signed_thinking_survives_a_client_of_responses(stage: Stage, streamed: bool) -> None:
    """Its encrypted content is opaque to the client, which sends the item back; the provider gets its own signature again."""
    more: dict[str, Any] = {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}}
    heard, text = scene(stage, "anthropic", "responses", streamed, Act(thinking=(THOUGHT, SIGNATURE), calls=CALLS[:1]), **more)
    assert_complete(heard)
    items = heard.final["output"]
    assert [item["type"] for item in items] == ["reasoning", "function_call"] and items[0]["encrypted_content"], items
    turns = [{"role": "user", "content": text}, *items, {"type": "function_call_output", "call_id": items[1]["call_id"], "output": "rain"}]
    told = ask(stage.suite, "responses", streamed, "", "", body={"model": "anthropic", "input": turns, "tools": TOOLS["responses"]} | more | ({"stream": True} if streamed else {}))
    assert told.status == 200, told
    blocks = stage.actor.seen(text)[-1].json["messages"][1]["content"]
    assert blocks[0] == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}, blocks


def test_a_foreign_signature_is_never_sent_to_a_provider(stage: Stage) -> None:
    """Thinking signed by one company is another one's error."""
    heard, text = scene(stage, "anthropic", "messages", False, Act(thinking=(THOUGHT, SIGNATURE)))
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": heard.json["content"]}, {"role": "user", "content": "And then?"}]
    told = ask(stage.suite, "messages", False, "", "", body=body_of("messages", "openai", "") | {"messages": turns})
    assert told.status == 200, told
    assert SIGNATURE.encode() not in stage.actor.seen("And then?", "wire-a")[-1].body
