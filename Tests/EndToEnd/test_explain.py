"""What `bulkhead-router explain`, `models` and `providers` tell an operator."""

import json
from pathlib import Path

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
