"""Limits as clients see them: RateLimit fields (draft-ietf-httpapi-ratelimit-headers), the older forms, errors (RL01 to RL13)."""

import base64
import re
import time
from datetime import datetime, timezone
from typing import Any

import anthropic
import openai
import pytest

from suite import Reply, Stream, Suite, prompt

UNITS = {"requests", "content-bytes", "concurrent-requests"}
ITEM = re.compile(r'\s*"([a-z-]+)"((?:;[a-z]+=(?:\d{1,15}|"[a-z-]+"|:[A-Za-z0-9+/=]*:))*)\s*')


def fields(text: str | None) -> dict[str, dict[str, Any]]:
    """A structured list of strings with parameters, read strictly."""
    assert text, "the field is missing"
    items: dict[str, dict[str, Any]] = {}
    for part in text.split(","):
        match = ITEM.fullmatch(part)
        assert match, f"not a string with parameters: {part!r} in {text!r}"
        parameters: dict[str, Any] = {}
        for name, value in re.findall(r";([a-z]+)=([^;]+)", match[2]):
            parameters[name] = base64.b64decode(value[1:-1], validate=True) if value[0] == ":" else value[1:-1] if value[0] == '"' else int(value)
        assert match[1] not in items, text
        items[match[1]] = parameters
    return items


def limits(reply: Reply | Stream) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    return fields(reply.headers["RateLimit-Policy"]), fields(reply.headers["RateLimit"])


def own_limits(suite: Suite, requests: int = 50) -> str:
    return suite.new_key("--rpm", str(requests), "--tpm", "100000", "--concurrency", "5")["key"]


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_rl01_rl02_policies_are_a_list_of_strings_with_quota_window_and_unit(steady: Suite, dialect: str) -> None:
    policy, _ = limits(steady.chat(key=own_limits(steady), dialect=dialect))
    by_unit = {item["qu"]: item for item in policy.values()}
    assert {name for name in by_unit if name not in UNITS} == {"bulkhead-tokens"}, policy
    assert (by_unit["requests"]["q"], by_unit["requests"]["w"]) == (50, 60)
    assert (by_unit["bulkhead-tokens"]["q"], by_unit["bulkhead-tokens"]["w"]) == (100_000, 60)
    assert by_unit["concurrent-requests"]["q"] == 5 and "w" not in by_unit["concurrent-requests"]


def test_rl03_rl05_what_is_left_counts_down_under_the_same_names_and_the_policy_stays(steady: Suite) -> None:
    key = own_limits(steady)
    replies = [steady.chat(key=key) for _ in range(3)]
    policies = {reply.headers["RateLimit-Policy"] for reply in replies}
    assert len(policies) == 1, policies
    (name,) = [name for name, item in limits(replies[0])[0].items() if item["qu"] == "requests"]
    assert [limits(reply)[1][name]["r"] for reply in replies] == [49, 48, 47]
    for reply in replies:
        policy, state = limits(reply)
        assert set(policy) == set(state)
        assert 0 < state[name]["t"] <= 72, "seconds from now, not a moment"


def test_rl04_a_stream_has_them_in_its_head(steady: Suite) -> None:
    stream = steady.stream(key=own_limits(steady))
    assert limits(stream)[1] and stream.is_terminated and "trailer" not in stream.headers


def test_rl06_a_refusal_asks_to_wait_as_long_as_its_limit_does(steady: Suite) -> None:
    key = steady.new_key("--rpm", "2")["key"]
    refused = [steady.chat(key=key) for _ in range(4)][-1]
    assert refused.status == 429
    _, state = limits(refused)
    for name in refused.headers["x-bulkhead-violated-policies"].split(","):
        assert state[name]["r"] == 0 and int(refused.headers["retry-after"]) >= state[name]["t"] > 0


def test_rl07_errors_name_exactly_the_limits_that_refused(steady: Suite) -> None:
    key = steady.new_key("--rpm", "1", "--destinations", "oai")["key"]
    assert steady.chat(key=key).status == 200
    told = steady.chat(key=key)
    names = told.headers["x-bulkhead-violated-policies"].split(",")
    assert len(names) == 1 and names[0].endswith("-requests") and names[0] in limits(told)[0]
    problem = steady.request("GET", "/v1/proxy/oai/x", key=key)
    assert problem.status == 429 and problem.headers["content-type"] == "application/problem+json"
    assert problem.json["type"].endswith("#quota-exceeded") and problem.json["violated-policies"] == names


def test_rl11_they_stand_on_answers_errors_and_replays_alike_counted_anew(steady: Suite) -> None:
    key = own_limits(steady)
    (name,) = [name for name in limits(steady.chat(key=key))[0] if name.endswith("requests")]
    failed = steady.chat("fail-400", key=key)
    assert failed.status == 400 and limits(failed)[1][name]["r"] == 48
    unknown = steady.chat("no-such-model", key=key)
    assert unknown.status == 404 and limits(unknown)[1][name]["r"] == 47
    text, once = prompt(), {"idempotency-key": prompt("once").replace(" ", "-")}
    first = steady.chat(text=text, key=key, headers=once)
    replayed = steady.chat(text=text, key=key, headers=once)
    assert first.status == replayed.status == 200 and replayed.headers["idempotent-replayed"] == "true"
    assert limits(first)[1][name]["r"] == 46 and limits(replayed)[1][name]["r"] < 47
    assert len(replayed.headers.get_all("RateLimit")) == 1


def test_rl12_the_partition_is_a_hash_of_its_own_for_each_key(steady: Suite) -> None:
    def partitions(*options: str) -> set[bytes]:
        key = steady.new_key("--rpm", "50", "--user", "anna-lena", *options)
        policy, state = limits(reply := steady.chat(key=key["key"]))
        assert all(policy[name]["pk"] == state[name]["pk"] for name in policy)
        shown = "".join(reply.headers.values())
        assert "anna-lena" not in shown and key["id"] not in shown and "acme" not in shown
        return {policy[name]["pk"] for name in policy if name.endswith("-requests")}

    assert partitions().isdisjoint(partitions())


def test_rl13_the_older_forms_say_the_same(steady: Suite) -> None:
    key = own_limits(steady)
    for dialect in ("openai", "anthropic"):
        reply = steady.chat(key=key, dialect=dialect)
        _, state = limits(reply)
        for kind in ("requests", "tokens"):
            (item,) = [item for name, item in state.items() if name.endswith("-" + kind)]
            if dialect == "openai":
                assert int(reply.headers[f"x-ratelimit-remaining-{kind}"]) == item["r"]
                parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?|(\d+)ms", reply.headers[f"x-ratelimit-reset-{kind}"])
                assert parts, reply.headers[f"x-ratelimit-reset-{kind}"]
                hours, minutes, seconds, thousandths = (float(part or 0) for part in parts.groups())
                assert abs(hours * 3600 + minutes * 60 + seconds + thousandths / 1000 - item["t"]) <= 1
            else:
                assert int(reply.headers[f"anthropic-ratelimit-{kind}-remaining"]) == item["r"]
                moment = datetime.strptime(reply.headers[f"anthropic-ratelimit-{kind}-reset"], "%Y-%m-%dT%H:%M:%SZ")
                assert abs(moment.replace(tzinfo=timezone.utc).timestamp() - time.time() - item["t"]) <= 3


def test_unmodified_clients_see_their_own_errors(steady: Suite) -> None:
    key = steady.new_key("--rpm", "1")["key"]
    assert steady.chat(key=key).status == 200
    message = [{"role": "user", "content": prompt()}]
    with pytest.raises(openai.RateLimitError) as told:
        steady.openai(api_key=key, max_retries=0).chat.completions.create(model="assistant", messages=message)
    assert told.value.code == "rate_limit_exceeded" and "retry-after" in told.value.response.headers
    with pytest.raises(anthropic.RateLimitError) as refused:
        steady.anthropic(api_key=key, max_retries=0).messages.create(model="scribe", max_tokens=10, messages=message)
    assert refused.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"


def priced(document: dict[str, Any]) -> None:
    document["router"]["model_info"] = [{"model": "demo-chat", "price": {"input": 1000, "output": 1000}}]
    document["session"]["runaway"] = {"identical_calls": 3, "window": "1m"}


def test_a_spent_budget_is_told_and_no_client_tries_again(own_suite) -> None:
    suite = own_suite(priced).begin()
    key = suite.new_key("--budget-usd", "0.05", "--budget-window", "1d")["key"]
    statuses = []
    for number in range(30):
        reply = suite.chat(key=key, max_tokens=10, text=prompt(f"{chr(97 + number % 26) * 5} budget"))
        statuses.append(reply.status)
        if reply.status != 200:
            break
    assert reply.status == 429 and statuses[0] == 200, statuses
    assert reply.error["code"] == "budget_exceeded" and reply.error["type"] == "insufficient_quota"
    assert "$0.05 a day" in reply.error["message"] and "begins anew in" in reply.error["message"]
    assert reply.headers["x-should-retry"] == "false"
    told = re.search(r"begins anew in (?:(\d+) h )?(?:(\d+) min)?(?: ?(\d+) s)?", reply.error["message"])
    assert told, reply
    hours, minutes, seconds = (int(part or 0) for part in told.groups())
    left, wait = hours * 3600 + minutes * 60 + seconds, int(reply.headers["retry-after"])
    assert left - 60 <= wait <= (left + 60) * 1.2 + 1, "as long as the text says, and up to a fifth more"
    (name,) = [name for name in limits(reply)[1] if name.endswith("-budget")]
    assert limits(reply)[1][name]["t"] == wait and 0 <= wait * 1000 - int(reply.headers["retry-after-ms"]) < 1000
    assert reply.headers["x-bulkhead-violated-policies"].endswith("-budget")
    provider = suite.provider.counters()
    with pytest.raises(openai.RateLimitError):
        suite.openai(api_key=key, max_retries=3).chat.completions.create(model="assistant", max_tokens=10, messages=[{"role": "user", "content": prompt()}])
    assert suite.provider.counters() == provider, "what is refused never reaches a provider"


def test_a_client_that_runs_in_a_circle_is_stopped(own_suite) -> None:
    suite = own_suite(priced).begin()
    key = suite.new_key()["key"]
    replies = [suite.chat(key=key, text=f"Are we there yet? It is 12:00:{number:02d}") for number in range(8)]
    assert replies[0].status == 200 and replies[-1].status == 429, [reply.status for reply in replies]
    assert replies[-1].error["code"] == "runaway" and replies[-1].headers["x-should-retry"] == "false"
    assert "More than 3 near-identical calls in 1m (session.runaway.identical_calls: 3)" in replies[-1].error["message"], replies[-1]
    rows = [suite.chat(key=key, text=f"Summarise row {number}") for number in range(8)]
    assert [reply.status for reply in rows] == [200] * 8, "a batch over rows is no circle"
    assert suite.chat(key=key, text="Something else entirely, please").status == 200
    popular = [suite.chat(key=key, text="What is a bowline?") for _ in range(8)]
    assert [reply.status for reply in popular] == [200] * 8, "answers from the cache are no calls that a client makes"
    assert popular[-1].headers["x-bulkhead-cache"] == "exact"


def test_blocks_are_told_by_code(own_suite) -> None:
    suite = own_suite(priced).begin()
    key = suite.new_key(tenant="blocked")["key"]
    assert suite.chat(key=key).status == 200
    assert suite.cli("session", "tenants", "block", "blocked").returncode == 0
    reply = suite.chat(key=key)
    assert reply.status == 403 and reply.error["code"] == "tenant_blocked"
    assert suite.cli("session", "tenants", "unblock", "blocked").returncode == 0
    assert suite.chat(key=key).status == 200
    assert suite.cli("session", "spend", "freeze").returncode == 0
    reply = suite.chat(key=key)
    assert reply.status == 429 and reply.error["code"] == "spend_frozen" and reply.headers["x-should-retry"] == "false"
    assert suite.cli("session", "spend", "unfreeze").returncode == 0
    assert suite.chat(key=key).status == 200
