"""What edge does for keys while session is away: it holds them to what they may, and tells session afterwards what they spent."""

import re
import signal
import threading
import time
from typing import Any

from suite import Reply, Suite, until

DEAREST = 0.05  # dollars: more than a request costs that asks for 10 tokens
UNHURRIED = "demo-tokens-60-tps-20"


def priced(document: dict[str, Any]) -> None:
    """A word costs a thousandth of a dollar."""
    models = ("demo-chat", UNHURRIED)
    document["router"]["model_info"] = [{"model": model, "price": {"input": 1000, "output": 1000}} for model in models]
    document["router"]["models"].append({"name": "unhurried", "targets": [{"provider": "oai", "model": UNHURRIED}]})


def cost(reply: Reply) -> float:
    assert reply.status == 200, reply
    return float(reply.headers["x-bulkhead-cost-usd"])


def code(reply: Reply) -> str:
    """Of an error in any shape."""
    return reply.json.get("error", reply.json)["code"]


def spent(suite: Suite, key: dict[str, Any]) -> float:
    return suite.admin("session", "keys", "show", key["id"])["spend"]["costNanousd"] / 1e9


def told(suite: Suite, key: dict[str, Any], dollars: float) -> None:
    until(lambda: abs(spent(suite, key) - dollars) < 1e-9, 10, lambda: f"{dollars} in the ledger, which has {spent(suite, key)}")


def metric(suite: Suite, name: str) -> int:
    page = suite.request("GET", "/metrics", key=None).body.decode()
    return int(re.search(rf"^bulkhead_edge_{name}{{[^}}]*}} (\d+)$", page, re.M).group(1))


def test_what_is_spent_while_session_is_down_is_in_the_ledger_once_it_is_back(own_suite: Any) -> None:
    suite: Suite = own_suite(priced).begin()
    key = suite.new_key("--user", "ada", "--budget-usd", "100")
    other = suite.new_key("--assert-user")
    dollars = cost(suite.chat(key=key["key"], max_tokens=10))
    others = cost(suite.chat(key=other["key"], max_tokens=10))
    # What session has not written yet when it is killed is another matter.
    told(suite, key, dollars)
    told(suite, other, others)
    with suite.down("session"):
        for _ in range(5):
            reply = suite.chat(key=key["key"], max_tokens=10)
            assert "session" in reply.degraded
            dollars += cost(reply)
        others += cost(suite.chat(key=other["key"], max_tokens=10, headers={"x-bulkhead-user": "eve"}))
        stream = suite.stream(key=key["key"], max_tokens=10, stream_options={"include_usage": True})
        assert stream.is_finished
        assert metric(suite, "unreported_requests") == 7 and metric(suite, "unreported_spend_microusd") > 0
    until(lambda: metric(suite, "unreported_requests") == 0, 15, "session to be told")
    until(lambda: suite.admin("session", "keys", "show", key["id"])["spend"]["requests"] == 7, 10, "all requests of the key")
    told(suite, other, others)
    of_key = spent(suite, key)
    assert of_key > dollars, "what the stream cost is in it, too"
    shown = suite.admin("session", "limits", "show", key["id"])["budgets"]
    assert [budget["spentNanousd"] for budget in shown if budget["limitNanousd"] == 100_000_000_000] == [round(of_key * 1e9)]
    # Neither a second start of session nor more requests make it count again.
    until(lambda: suite.chat(key=key["key"], max_tokens=10).degraded == set(), 10, "session to answer")
    until(lambda: suite.admin("session", "keys", "show", key["id"])["spend"]["requests"] >= 8, 10, "that request to be settled")
    time.sleep(1.2)  # it is written within a second
    before = spent(suite, key)
    old = suite.signal("session", signal.SIGKILL)
    suite.wait_restarted("session", old)
    suite.wait_well(15)
    assert abs(spent(suite, key) - before) < 1e-9


def test_a_budget_that_is_used_up_while_session_is_down_refuses_afterwards(own_suite: Any) -> None:
    suite: Suite = own_suite(priced).begin()
    key = suite.new_key("--budget-usd", "0.20", "--budget-window", "1d")
    dollars = cost(suite.chat(key=key["key"], max_tokens=10))
    told(suite, key, dollars)
    with suite.down("session"):
        for _ in range(60):
            reply = suite.chat(key=key["key"], max_tokens=10)
            if reply.status != 200:
                break
            dollars += cost(reply)
        assert reply.status == 429 and reply.error["code"] == "budget_exceeded", reply
    # Who finds something left is let in, be it less than it costs, as session does. Edge knows of what was left when session
    # admitted its last request, with what that one might have cost taken off.
    assert 0.20 - DEAREST < dollars < 0.20 + DEAREST
    # From the first moment on: what is still on its way counts already.
    allowed = max(0.0, 0.20 - dollars)
    until(lambda: suite.links("edge")["session"]["state"] == "ready", 15, "the link")
    extra = 0.0
    for _ in range(5):
        reply = suite.chat(key=key["key"], max_tokens=10)
        if reply.status == 200:
            extra += cost(reply)
        else:
            assert reply.status == 429 and reply.error["code"] == "budget_exceeded", reply
    assert extra <= allowed + DEAREST, "a budget is exceeded by one request at most"
    told(suite, key, dollars + extra)
    refused = suite.chat(key=key["key"], max_tokens=10)
    assert refused.status == 429 and refused.error["code"] == "budget_exceeded", refused


def test_a_request_that_runs_while_session_is_killed_is_settled_when_it_is_back(own_suite: Any) -> None:
    suite: Suite = own_suite(priced).begin()
    key = suite.new_key()
    replies: list[Any] = []
    asked = threading.Thread(target=lambda: replies.append(suite.chat("unhurried", key=key["key"], seconds=40)))
    before = suite.provider.counters()
    asked.start()
    until(lambda: suite.admin("session", "status")["server"]["calls"].get("Session.Admit", 0) > 0 and suite.provider.counters() != before, 10, "the request to run")
    with suite.down("session"):
        asked.join(40)
        assert replies[0].status == 200 and "session" not in replies[0].degraded
        time.sleep(1)  # its end is reported, and fails
    told(suite, key, cost(replies[0]))
    assert suite.admin("session", "keys", "show", key["id"])["spend"]["requests"] == 1


def test_a_frozen_session_is_told_what_was_spent_and_counts_it_once(own_suite: Any) -> None:
    suite: Suite = own_suite(priced).begin()
    key = suite.new_key()
    dollars = cost(suite.chat(key=key["key"], max_tokens=10))
    with suite.frozen("session"):
        for _ in range(3):
            dollars += cost(suite.chat(key=key["key"], max_tokens=10))
    told(suite, key, dollars)
    suite.wait_well(15)
    time.sleep(2)  # a report told twice would be in it by now
    assert abs(spent(suite, key) - dollars) < 1e-9


def test_a_key_may_no_more_while_session_is_down_than_before(own_suite: Any) -> None:
    suite: Suite = own_suite().begin()
    held = suite.new_key("--scopes", "models", "--models", "assist*")
    lists = suite.new_key("--scopes", "read")
    ending = suite.new_key("--expires", "3s")
    assert suite.chat(key=held["key"]).status == 200
    assert suite.chat(key=ending["key"]).status == 200
    made = time.monotonic()
    assert suite.request("GET", "/v1/models", key=lists["key"]).status == 200
    before = {
        "scope": suite.chat(key=lists["key"]),
        "model": suite.chat("scribe", key=held["key"]),
        "call": suite.request("GET", "/v1/call", key=held["key"]),
    }
    with suite.down("session"):
        assert suite.chat(key=held["key"]).status == 200
        during = {
            "scope": suite.chat(key=lists["key"]),
            "model": suite.chat("scribe", key=held["key"]),
            "call": suite.request("GET", "/v1/call", key=held["key"]),
        }
        until(lambda: time.monotonic() - made > 3.1, 10, "the key to expire")
        expired = suite.chat(key=ending["key"])
    for name, expected in (("scope", "scope_not_allowed"), ("model", "model_not_allowed"), ("call", "scope_not_allowed")):
        assert before[name].status == during[name].status == 403, (before[name], during[name])
        assert code(before[name]) == code(during[name]) == expected
    until(lambda: suite.ready()["status"] == "ready", 15, "session to be back")
    told_by_session = suite.chat(key=ending["key"])
    assert expired.status == told_by_session.status == 401
    assert {name: expired.error[name] for name in ("code", "type", "message")} == {
        name: told_by_session.error[name] for name in ("code", "type", "message")
    }


def test_spending_that_was_frozen_stays_so_while_session_is_down(own_suite: Any) -> None:
    suite: Suite = own_suite().begin()
    key = suite.new_key()
    assert suite.chat(key=key["key"]).status == 200
    assert suite.cli("session", "spend", "freeze", "--tenant", "acme").returncode == 0
    until(lambda: suite.chat(key=key["key"]).status == 429, 5, "the freeze")
    assert suite.request("GET", "/v1/models", key=key["key"]).status == 200
    with suite.down("session"):
        refused = suite.chat(key=key["key"])
        assert refused.status == 429 and refused.error["code"] == "spend_frozen", refused
        assert suite.request("GET", "/v1/models", key=key["key"]).status == 200
