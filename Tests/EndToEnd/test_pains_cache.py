"""A cached answer goes to the very same question of the very same caller, and to nobody else."""

import concurrent.futures
import copy
from typing import Any, Callable

import pytest

from actor import Act, answer, fail
from stage import Stage, route
from suite import prompt
from surfaces import EVERY_SURFACE, EVERY_WAY, SURFACES, WAYS, Heard, ask, assert_complete, body_of

Body = dict[str, Any]
ROUTES = [
    route("chat", "one/kept-a"), route("responses", "one/kept-a"), route("messages", "four/kept-c"),
    route("chat-too", "one/kept-a"), route("responses-too", "one/kept-a"), route("messages-too", "four/kept-c"),
]
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": False}
OTHER_SCHEMA = SCHEMA | {"required": []}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def sets(**members: Any) -> Callable[[Body], None]:
    return lambda body: body.update(members)


def first(body: Body) -> Body:
    return body["messages"][0]


CHAT: dict[str, Callable[[Body], Any]] = {
    "text": lambda body: first(body).update(content=first(body)["content"] + "!"),
    "case": lambda body: first(body).update(content=first(body)["content"].upper()),
    "blank": lambda body: first(body).update(content=first(body)["content"] + " "),
    "role": lambda body: first(body).update(role="system"),
    "name": lambda body: first(body).update(name="anna"),
    "image": lambda body: first(body).update(content=[{"type": "text", "text": first(body)["content"]}, {"type": "image_url", "image_url": {"url": PIXEL}}]),
    "system": lambda body: body["messages"].insert(0, {"role": "system", "content": "Be brief."}),
    "developer": lambda body: body["messages"].insert(0, {"role": "developer", "content": "Be brief."}),
    "history": lambda body: body["messages"].insert(0, {"role": "assistant", "content": "Welcome."}),
    "order": lambda body: body["messages"].append({"role": "user", "content": "Welcome."}),
    "model": sets(model="chat-too"),
    "temperature": sets(temperature=0.1), "top_p": sets(top_p=0.5), "seed": sets(seed=7), "n": sets(n=2), "stop": sets(stop=["tide"]),
    "max_tokens": sets(max_tokens=77), "max_completion_tokens": sets(max_completion_tokens=77), "presence_penalty": sets(presence_penalty=0.5),
    "frequency_penalty": sets(frequency_penalty=0.5), "logprobs": sets(logprobs=True), "logit_bias": sets(logit_bias={"50256": -100}),
    "json": sets(response_format={"type": "json_object"}), "reasoning_effort": sets(reasoning_effort="low"), "verbosity": sets(verbosity="low"),
    "schema": sets(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}),
    "service_tier": sets(service_tier="flex"), "modalities": sets(modalities=["text"]), "prediction": sets(prediction={"type": "content", "content": "x"}),
    "user": sets(user="anna"), "safety_identifier": sets(safety_identifier="anna"), "unknown": sets(x_something_new=1),
    "tools": sets(tools=[{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]),
}
MESSAGES: dict[str, Callable[[Body], Any]] = {
    "text": CHAT["text"], "history": CHAT["order"],
    "blocks": lambda body: first(body).update(content=[{"type": "text", "text": first(body)["content"]}, {"type": "text", "text": "More."}]),
    "image": lambda body: first(body).update(content=[{"type": "text", "text": first(body)["content"]}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]),
    "begun": lambda body: body["messages"].append({"role": "assistant", "content": "Well,"}),
    "model": sets(model="messages-too"), "system": sets(system="Be brief."), "system-blocks": sets(system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]),
    "max_tokens": sets(max_tokens=77), "temperature": sets(temperature=0.1), "top_p": sets(top_p=0.5), "top_k": sets(top_k=7), "stop_sequences": sets(stop_sequences=["tide"]),
    "thinking": sets(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000), "user": sets(metadata={"user_id": "anna"}), "unknown": sets(x_something_new=1),
    "tools": sets(tools=[{"name": "weather", "input_schema": SCHEMA}]),
}
RESPONSES: dict[str, Callable[[Body], Any]] = {
    "text": lambda body: body.update(input=body["input"] + "!"), "instructions": sets(instructions="Be brief."),
    "history": lambda body: body.update(input=[{"role": "assistant", "content": "Welcome."}, {"role": "user", "content": body["input"]}]),
    "role": lambda body: body.update(input=[{"role": "developer", "content": "Welcome."}, {"role": "user", "content": body["input"]}]),
    "image": lambda body: body.update(input=[{"role": "user", "content": [{"type": "input_text", "text": body["input"]}, {"type": "input_image", "image_url": PIXEL, "detail": "auto"}]}]),
    "model": sets(model="responses-too"), "temperature": sets(temperature=0.1), "top_p": sets(top_p=0.5), "max_output_tokens": sets(max_output_tokens=77),
    "reasoning": sets(reasoning={"effort": "low"}), "format": sets(text={"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}), "verbosity": sets(text={"verbosity": "low"}),
    "top_logprobs": sets(top_logprobs=2, include=["message.output_text.logprobs"]), "service_tier": sets(service_tier="flex"),
    "user": sets(user="anna"), "safety_identifier": sets(safety_identifier="anna"), "unknown": sets(x_something_new=1),
    "tools": sets(tools=[{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]),
}
FIELDS = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
CHANGES = [(surface, field) for surface in SURFACES for field in FIELDS[surface]]
HITS = {"exact", "normalized", "semantic", "stale"}


def send(stage: Stage, surface: str, streamed: bool, body: Body, **more: Any) -> Heard:
    asked = body | ({"stream": True} if streamed else {})
    return ask(stage.suite, surface, streamed, "", "", body=asked, **more)


def question(surface: str) -> tuple[Body, str]:
    text = prompt()
    return body_of(surface, surface, text, temperature=0), text


@pytest.mark.parametrize(("surface", "field"), CHANGES, ids=["-".join(change) for change in CHANGES])
def test_another_value_of_any_field_misses(stage: Stage, surface: str, field: str) -> None:
    body, text = question(surface)
    heard = send(stage, surface, False, body)
    assert_complete(heard, answer(text))
    assert heard.cache == "miss"
    changed = copy.deepcopy(body)
    FIELDS[surface][field](changed)
    assert changed != body
    for streamed in (False, True):
        other = send(stage, surface, streamed, changed)
        if streamed and other.cache == "exact":
            continue  # its own answer of the turn before
        assert other.cache not in HITS, f"a request with another {field} got the answer of the first: {other}"
    again = send(stage, surface, False, body)
    assert again.cache == "exact" and again.text == answer(text), "the same request is a hit still"


FORMATS = {
    "chat": lambda schema: {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}},
    "messages": lambda schema: {"output_config": {"format": {"type": "json_schema", "schema": schema}}},
    "responses": lambda schema: {"text": {"format": {"type": "json_schema", "name": "a", "schema": schema}}},
}


@EVERY_SURFACE
def test_another_schema_of_the_answer_misses(stage: Stage, surface: str) -> None:
    text = prompt()
    for schema in (SCHEMA, OTHER_SCHEMA):
        body = body_of(surface, surface, text) | FORMATS[surface](schema)
        stage.actor.script(text, "kept-c" if surface == "messages" else "kept-a", Act(text='{"word": "quay"}'))
        heard = send(stage, surface, False, body)
        assert heard.status == 200 and heard.cache == "miss", heard


@EVERY_SURFACE
@pytest.mark.parametrize(("before", "after"), [(False, False), (False, True), (True, False), (True, True)], ids=["whole-whole", "whole-stream", "stream-whole", "stream-stream"])
def test_the_same_question_is_a_hit_streamed_or_not(stage: Stage, before: bool, after: bool, surface: str) -> None:
    body, text = question(surface)
    heard = send(stage, surface, before, body)
    assert_complete(heard, answer(text))
    again = send(stage, surface, after, body)
    assert_complete(again, answer(text))
    assert (heard.cache, again.cache) == ("miss", "exact") and len(stage.actor.seen(text)) == 1
    if before == after:
        assert again.usage == heard.usage and again.models == heard.models and again.finish == heard.finish


@EVERY_SURFACE
def test_what_means_the_same_is_the_same(stage: Stage, surface: str) -> None:
    """The order of members, and a temperature no provider can tell from another."""
    body, text = question(surface)
    assert send(stage, surface, False, body).cache == "miss"
    turned = dict(reversed(body.items())) | {"temperature": 0.0001}
    assert send(stage, surface, False, turned).cache == "exact"
    assert len(stage.actor.seen(text)) == 1


@EVERY_WAY
def test_tenants_users_and_keys_never_share(stage: Stage, surface: str, streamed: bool) -> None:
    new_key, body = stage.suite.new_key, question(surface)[0]
    keys = {
        "anna": new_key("--user", "anna")["key"], "bert": new_key("--user", "bert")["key"], "rival": new_key("--user", "anna", tenant="rival")["key"],
        "nobody": new_key()["key"], "nobody else": new_key()["key"],
    }
    for whose, key in keys.items():
        heard = send(stage, surface, streamed, body, key=key)
        assert heard.status == 200 and heard.cache == "miss", f"{whose} got somebody else's answer: {heard}"
    for whose, key in keys.items():
        assert send(stage, surface, streamed, body, key=key).cache == "exact", f"{whose} asks again"
    twin = new_key("--user", "anna")["key"]
    assert send(stage, surface, streamed, body, key=twin).cache == "exact", "two keys of one user are one user"


@EVERY_WAY
def test_users_that_a_trusted_caller_names_never_share(stage: Stage, surface: str, streamed: bool) -> None:
    key, body = stage.suite.new_key("--assert-user")["key"], question(surface)[0]
    for user in ("anna", "bert"):
        assert send(stage, surface, streamed, body, key=key, headers={"x-bulkhead-user": user}).cache == "miss", user
    assert send(stage, surface, streamed, body, key=key, headers={"x-bulkhead-user": "anna"}).cache == "exact"
    assert send(stage, surface, streamed, body, key=key).cache == "miss", "nobody's answer is not anna's"


@EVERY_WAY
def test_a_user_nobody_vouched_for_gets_no_one_elses_answer(stage: Stage, surface: str, streamed: bool) -> None:
    """A key that may not name users cannot look into their partition by naming one."""
    anna, plain, body = stage.suite.new_key("--user", "anna")["key"], stage.suite.new_key()["key"], question(surface)[0]
    assert send(stage, surface, streamed, body, key=anna).cache == "miss"
    assert send(stage, surface, streamed, body, key=plain, headers={"x-bulkhead-user": "anna"}).cache == "miss"
    named = {"metadata": {"user_id": "anna"}} if surface == "messages" else {"user": "anna"}
    assert send(stage, surface, streamed, body | named, key=plain).cache not in HITS


@EVERY_WAY
def test_the_caller_decides_for_its_request(stage: Stage, surface: str, streamed: bool) -> None:
    body, text = question(surface)
    send(stage, surface, streamed, body)
    for headers, more, said in (
        ({"cache-control": "no-cache"}, {}, {"miss", "off"}), ({"cache-control": "no-store"}, {}, {"miss", "off"}),
        ({}, {"bulkhead": {"cache": "off"}}, {"off"}), ({}, {"bulkhead": {"cache": "refresh"}}, {"miss"}),
    ):
        assert send(stage, surface, streamed, body | more, headers=headers).cache in said, (headers, more)
    assert len(stage.actor.seen(text)) == 5
    assert send(stage, surface, streamed, body).cache == "exact"
    secret = question(surface)[0]
    send(stage, surface, streamed, secret, headers={"cache-control": "no-store"})
    assert send(stage, surface, streamed, secret).cache == "miss", "what was not to be stored was stored"


@EVERY_WAY
def test_failures_are_not_kept(stage: Stage, surface: str, streamed: bool) -> None:
    body, text = question(surface)
    stage.actor.script(text, "kept-c" if surface == "messages" else "kept-a", fail(400, "no"), Act())
    assert send(stage, surface, streamed, body).status == 400
    assert send(stage, surface, streamed, body).cache == "miss"


def test_questions_asked_at_once_cost_one_answer(stage: Stage) -> None:
    for surface, streamed in WAYS:
        body, text = question(surface)
        stage.actor.script(text, "kept-c" if surface == "messages" else "kept-a", Act(wait=0.2))
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            heard = list(pool.map(lambda _: send(stage, surface, streamed, body), range(6)))
        for one in heard:
            assert_complete(one, answer(text))
        assert len(stage.actor.seen(text)) == 1, f"{surface}: asked {len(stage.actor.seen(text))} times"
