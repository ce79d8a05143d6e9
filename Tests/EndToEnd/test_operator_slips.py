"""What an operator or a client slips on: rotated keys, wrong words on the command line, settings that will be refused."""

import contextlib
import http.client
import json
from typing import Any

import pytest

from suite import CHAT, Suite, prompt


def priced(document: dict[str, Any]) -> None:
    document["router"]["model_info"] = [{"model": "demo-chat", "price": {"input": 1000, "output": 1000}}]


def test_a_rotated_key_has_no_new_budget(own_suite: Any) -> None:
    suite: Suite = own_suite(priced).begin()
    old = suite.new_key("--budget-usd", "0.05", "--rpm", "100")
    statuses = [suite.chat(key=old["key"], max_tokens=10, text=prompt(f"{chr(97 + number) * 5} budget")).status for number in range(20)]
    assert statuses[0] == 200 and statuses[-1] == 429, statuses
    new = suite.admin("session", "keys", "rotate", old["id"], "--overlap", "1h")
    reply = suite.chat(key=new["key"], max_tokens=10, text=prompt("another budget"))
    assert reply.status == 429 and reply.error["code"] == "budget_exceeded", reply
    shown = suite.admin("session", "keys", "show", new["id"])
    assert shown["account"] == old["id"] and shown["spend"]["requests"] == statuses.count(200), shown
    limits = suite.admin("session", "limits", "show", new["id"])["limits"]
    requests = next(one for one in limits if one["subject"] == f"key:{old['id']}" and one["kind"] == "requests")
    assert requests["remaining"] < 100, limits


def test_a_user_named_twice_is_refused(steady: Suite) -> None:
    key = steady.new_key("--assert-user")["key"]
    assert steady.chat(key=key, headers={"x-bulkhead-user": "ada"}).status == 200
    body = json.dumps(steady.body("assistant", prompt())).encode()
    with contextlib.closing(http.client.HTTPConnection(steady.url.split("//")[1], timeout=15)) as connection:
        connection.putrequest("POST", CHAT)
        for name, value in (("authorization", f"Bearer {key}"), ("content-type", "application/json"), ("content-length", str(len(body)))):
            connection.putheader(name, value)
        for name in ("ada", "eve"):
            connection.putheader("x-bulkhead-user", name)
        connection.endheaders(body)
        answer = connection.getresponse()
        assert answer.status == 400 and "x-bulkhead-user stands 2 times" in json.loads(answer.read())["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "create", "--tenant", ""), ("keys", "create", "--tenant", "a", "--scopes", "foo"), ("keys", "create", "--tenant", "a", "--models", "a*b"),
        ("keys", "list", "--state", "bogus"), ("limits", "show"), ("limits", "show", "--tenant", ""), ("idempotency", "list", "--state", "bogus"),
        ("idempotency", "show", "k", "--tenant", "a", "--user", "u", "--end-user", "e"),
    ],
    ids=" ".join,
)
def test_wrong_words_exit_64(steady: Suite, words: tuple[str, ...]) -> None:
    done = steady.cli("session", *words)
    assert done.returncode == 64 and done.stderr and not done.stdout, done


def test_a_tenant_nobody_knows_is_told(steady: Suite) -> None:
    steady.new_key(tenant="known")
    for words in (("limits", "show"), ("limits", "reset"), ("spend", "unfreeze")):
        assert "is the name right?" in steady.cli("session", *words, "--tenant", "unknwon").stdout, words
        assert "is the name right?" not in steady.cli("session", *words, "--tenant", "known").stdout, words


def test_a_small_budget_is_shown_as_a_number(steady: Suite) -> None:
    made = steady.new_key("--budget-usd", "0.0000001")
    assert "0.0000001 USD in 1d" in steady.cli("session", "keys", "show", made["id"]).stdout


def test_check_refuses_what_the_start_refuses(own_suite: Any) -> None:
    suite: Suite = own_suite(lambda document: document["session"].update(encryption={"key_file": "/run/secrets/none"}))
    suite.write()
    done = suite.cli("session", "check")
    assert done.returncode == 78 and "session.encryption.key_file" in done.stdout, done
