"""What edge remembers of keys: answers without session, revocation at once, no more than the last known budget."""

from typing import Any

from suite import Suite, until


def watched(suite: Suite, key: dict[str, Any]) -> bool:
    return suite.admin("edge", "limits", key["id"])["isWatched"]


def test_a_list_is_answered_from_memory_while_session_tells_of_changes(own_suite) -> None:
    suite = own_suite().begin()
    key = suite.new_key()
    assert suite.request("GET", "/v1/models", key=key["key"]).status == 200
    until(lambda: watched(suite, key), 10, "the watch")
    assert suite.request("GET", "/v1/models", key=key["key"]).status == 200
    before = suite.admin("session", "status")["server"]["calls"].get("Session.Admit", 0)
    for _ in range(10):
        assert suite.request("GET", "/v1/models", key=key["key"]).status == 200
    assert suite.admin("session", "status")["server"]["calls"].get("Session.Admit", 0) == before


def test_a_revoked_key_is_forgotten_at_once(own_suite) -> None:
    suite = own_suite().begin()
    key = suite.new_key()
    until(lambda: suite.request("GET", "/v1/models", key=key["key"]).status == 200 and watched(suite, key), 10, "the watch")
    assert suite.request("GET", "/v1/models", key=key["key"]).status == 200
    assert suite.cli("session", "keys", "revoke", key["id"]).returncode == 0
    until(lambda: suite.request("GET", "/v1/models", key=key["key"]).status == 401, 2, "the revoked key to be refused")


def test_session_away_keeps_known_keys_and_tells_unknown_ones_the_truth(own_suite) -> None:
    suite = own_suite().begin()
    known, unknown = suite.new_key()["key"], suite.new_key()["key"]
    assert suite.chat(key=known).status == 200
    with suite.down("session"):
        reply = suite.chat(key=known)
        assert reply.status == 200 and "session" in reply.degraded
        refused = suite.chat(key=unknown)
        assert refused.status == 503 and refused.error["code"] == "session_unavailable"
        assert suite.request("GET", "/v1/models", key=known).status == 200


def test_an_outage_after_a_freeze_serves_those_who_may_spend(own_suite) -> None:
    suite = own_suite().begin()
    free, frozen = suite.new_key()["key"], suite.new_key(tenant="frozen")["key"]
    assert suite.chat(key=free).status == suite.chat(key=frozen).status == 200
    assert suite.cli("session", "spend", "freeze").returncode == 0
    assert suite.cli("session", "spend", "freeze", "--tenant", "frozen").returncode == 0
    assert suite.chat(key=free).error["code"] == "spend_frozen"
    assert suite.cli("session", "spend", "unfreeze").returncode == 0
    with suite.down("session"):
        until(lambda: suite.chat(key=free).status == 200, 5, "a key that may spend again to be served")
        refused = suite.chat(key=frozen)
        assert refused.status == 429 and refused.error["code"] == "spend_frozen" and refused.degraded == {"session"}, refused


def test_without_session_no_more_is_spent_than_was_left(own_suite) -> None:
    def priced(document: dict[str, Any]) -> None:
        document["router"]["model_info"] = [{"model": "demo-chat", "price": {"input": 1000, "output": 1000}}]

    suite = own_suite(priced).begin()
    key = suite.new_key("--budget-usd", "0.20", "--budget-window", "1d")
    first = suite.chat(key=key["key"], max_tokens=10)
    assert first.status == 200 and float(first.headers["x-bulkhead-cost-usd"]) > 0
    spent = last = float(first.headers["x-bulkhead-cost-usd"])
    with suite.down("session"):
        for _ in range(60):
            reply = suite.chat(key=key["key"], max_tokens=10)
            if reply.status != 200:
                break
            assert "session" in reply.degraded and "ratelimit" in reply.headers and "ratelimit-policy" in reply.headers
            last = float(reply.headers["x-bulkhead-cost-usd"])
            spent += last
        assert reply.status == 429 and reply.error["code"] == "budget_exceeded", reply
        assert "session" in reply.degraded and "ratelimit" in reply.headers
        assert spent - last < 0.20, "the last request is let in with what is left"
        report = suite.admin("edge", "limits", key["id"])
        assert report["budgetNanousd"] == 200_000_000 and report["budgetLeftNanousd"] < 100_000_000
