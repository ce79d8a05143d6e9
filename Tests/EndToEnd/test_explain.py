"""What `bulkhead-router explain`, `models` and `providers` tell an operator."""

import json
from pathlib import Path

import pytest

from suite import Suite, prompt

CHAT_BODY = {"model": "pair", "messages": [{"role": "user", "content": "How long is a rope?"}], "max_tokens": 100}


def test_a_route_is_explained_without_sending_anything(steady: Suite) -> None:
    text = prompt("explained")
    file = steady.root / "body.json"
    file.write_text(json.dumps(CHAT_BODY | {"messages": [{"role": "user", "content": text}]}))
    done = steady.cli("router", "explain", "--model", "pair", "--request", str(file))
    assert done.returncode == 0 and not done.stderr, done
    for word in ("oai/demo-fail-500", "ant/demo-second", "asked first", "429", "exact cache", "COST"):
        assert word in done.stdout, (word, done.stdout)
    assert steady.provider.seen(text) == []


def test_a_request_may_come_from_standard_input(steady: Suite) -> None:
    done = steady.cli("router", "explain", "--model", "pair", "--request", "-", "--json", input=json.dumps(CHAT_BODY))
    told = json.loads(done.stdout)
    assert told["request"]["dialect"] == "openai-chat" and told["request"]["outputTokens"] == 100
    assert told["first"] == "oai/demo-fail-500" and [row["provider"] for row in told["targets"]] == ["oai", "ant"]
    assert {rule["code"] for rule in told["rules"]} >= {"rate_limited", "context_length_exceeded", "stream_broken", "all_open"}


def test_what_cannot_be_explained_exits_1(steady: Suite) -> None:
    unknown = steady.cli("router", "explain", "--model", "asistant")
    assert unknown.returncode == 1 and "assistant" in unknown.stderr and not unknown.stdout
    for words, body in ((("--request", "-"), "{"), (("--request", str(Path("/nowhere/body.json"))), "")):
        done = steady.cli("router", "explain", "--model", "pair", *words, input=body)
        assert done.returncode == 1 and done.stderr and not done.stdout, done


NONSENSE = {
    "{": "not JSON", "[1]": "a list, where the object", '"x"': "a string, where the object", "": "not JSON", "null": "null, where the object",
    '{"messages": [{"role": "user", "content": "x"}]}': "no model in it", '{"model": 5, "messages": []}': "model is a number",
    '{"model": "pair"}': "messages", '{"model": "pair", "messages": "hello"}': "messages is a string",
    '{"model": "pair", "messages": []}': "messages is an empty list", '{"model": "pair", "messages": [7]}': "messages[0] is a number",
    '{"model": "pair", "messages": [{"content": "x"}]}': "messages[0].role is null",
    '{"model": "pair", "messages": [{"role": "user", "content": 3}]}': "messages[0].content is a number",
    '{"model": "pair", "messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}': "max_tokens is a string",
    '{"model": "pair", "messages": [{"role": "user", "content": "x"}], "tools": {}}': "tools is an object",
    '{"model": "pair", "messages": [{"role": "user", "content": "x"}], "temperature": "hot"}': "temperature is a string",
}


@pytest.mark.parametrize("verb", (("explain", "--model", "pair"), ("cache", "explain")), ids=("explain", "cache"))
def test_a_body_that_is_no_request_is_refused_with_its_place(steady: Suite, verb: tuple[str, ...]) -> None:
    for body, word in NONSENSE.items():
        done = steady.cli("router", *verb, "--request", "-", "--json", input=body)
        assert done.returncode == 1 and word in done.stderr and not done.stdout, (body, done)
        assert done.stderr.startswith("bulkhead-router: standard input: ") and done.stderr.count("\n") == 1, done.stderr
    done = steady.cli("router", *verb, "--request", "/nowhere/body.json")
    assert done.returncode == 1 and "/nowhere/body.json" in done.stderr and not done.stdout, done


def test_the_cache_explains_chats_only(steady: Suite) -> None:
    done = steady.cli("router", "cache", "explain", "--request", "-", input=json.dumps({"model": "pair", "input": "hello"}))
    assert done.returncode == 1 and "OpenAI's form" in done.stderr, done
    done = steady.cli("router", "cache", "explain", "--request", "-", "--json", input=json.dumps(CHAT_BODY))
    assert done.returncode == 0 and json.loads(done.stdout)["alias"] == "pair", done


def test_an_unknown_breaker_is_refused_with_the_nearest(steady: Suite) -> None:
    done = steady.cli("router", "breakers", "open", "target:oai/demo-fial-500")
    assert done.returncode == 1 and "target:oai/demo-fail-500" in done.stderr and "breakers list" in done.stderr, done
    assert done.stderr.count("target:") == 4, f"the name that was given and three others: {done.stderr}"


def test_models_and_providers_tell_how_targets_fare(steady: Suite) -> None:
    def target() -> dict:
        models = {row["name"]: row for row in steady.admin("router", "models")}
        return models["pair"]["details"][0]

    before = target()
    assert steady.chat(model="pair").status == 200
    after = target()
    assert after["target"] == "oai/demo-fail-500" and after["state"] == "closed" and not after["hasPrice"]
    assert after["tries"] == before["tries"] + 2 and after["failures"] == before["failures"] + 2
    providers = {row["name"]: row for row in steady.admin("router", "providers")}
    assert "pair" in providers["oai"]["models"] and providers["oai"]["failures"] >= 2 and providers["ant"]["tries"] >= 1
    for verb in ("models", "providers"):
        plain = steady.cli("router", verb)
        assert plain.returncode == 0 and "TRIES" in plain.stdout
