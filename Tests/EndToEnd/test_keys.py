"""Keys and tenants over a suite's life: scopes, rotation, blocked tenants, frozen spend."""

import pytest
from suite import EMBEDDINGS, Suite, prompt, until


def embed(suite: Suite, key: str):
    return suite.request("POST", EMBEDDINGS, {"model": "vectors", "input": prompt()}, key)


def code(reply) -> str:
    assert reply.status >= 400, reply
    return reply.error["code"]


def test_a_key_is_held_to_its_scopes(steady: Suite) -> None:
    made = steady.new_key("--scopes", "embeddings")
    assert embed(steady, made["key"]).status == 200
    assert steady.request("GET", "/v1/models", key=made["key"]).status == 200
    text = prompt("out of scope")
    refused = steady.chat(text=text, key=made["key"])
    assert (refused.status, code(refused)) == (403, "scope_not_allowed"), refused
    assert steady.request("GET", "/v1/call", key=made["key"]).status == 403
    assert steady.provider.seen(text) == [], "what is refused never reaches a provider"


def test_a_scope_nobody_knows_is_refused_with_those_there_are(steady: Suite) -> None:
    done = steady.cli("session", "keys", "create", "--tenant", "acme", "--scopes", "models,modles")
    assert done.returncode != 0 and "modles" in done.stderr
    for known in ("models", "embeddings", "credentials", "read", "operations"):
        assert known in done.stderr


def test_keys_are_listed_by_what_they_begin_with(steady: Suite) -> None:
    made = steady.new_key("--scopes", "read,models", tenant="listed")
    other = steady.new_key(tenant="listed")
    assert set(made) >= {"id", "key"}
    steady.admin("session", "keys", "revoke", other["id"])
    good = steady.admin("session", "keys", "list", "--tenant", "listed", "--state", "good")
    assert [(key["id"], key["prefix"], key["scopes"]) for key in good] == [(made["id"], made["key"][:7], ["models", "read"])]
    assert [key["id"] for key in steady.admin("session", "keys", "list", "--tenant", "listed", "--state", "revoked")] == [other["id"]]
    shown = steady.cli("session", "keys", "show", made["id"]).stdout
    assert made["key"][:7] in shown and made["key"][:12] not in shown and made["key"][-4:] not in shown
    assert steady.cli("session", "keys", "list", "--state", "gone").returncode != 0


def test_keys_are_shown_with_all_they_may_and_fit_a_terminal(steady: Suite) -> None:
    options = ["--user", "a-user-with-quite-a-long-name", "--scopes", "models,embeddings,credentials", "--rpm", "1500000", "--tpm", "200000"]
    options += ["--concurrency", "1000", "--budget-usd", "1234.5", "--budget-window", "36h", "--expires", "30d"]
    made = steady.new_key(*options, tenant="a-tenant-with-a-long-name")
    plain = steady.new_key("--budget-usd", "5", tenant="a-tenant-with-a-long-name")
    lines = steady.cli("session", "keys", "list", "--tenant", "a-tenant-with-a-long-name").stdout.splitlines()
    assert len(lines) == 3 and max(len(line) for line in lines) <= 100, lines
    assert all(word in lines[1] for word in (made["id"], "1.5M", "200k", "1k", "$1234.5/", "good ")), lines[1]
    assert all(word in lines[2] for word in (plain["id"], "$5/1d", "all")), lines[2]
    shown = steady.cli("session", "keys", "show", made["id"]).stdout
    for word in ("1500000", "200000", "1000", "1234.5 USD in 36h", "credentials, embeddings, models", "last used"):
        assert word in shown, shown
    assert steady.chat(key=plain["key"]).status == 200
    used = until(lambda: steady.admin("session", "keys", "show", plain["id"]).get("lastUsedDay"), 5, "the use to be counted")
    assert used % 86_400_000 == 0


def test_rotation_leaves_the_old_key_for_the_overlap(steady: Suite) -> None:
    old = steady.new_key("--scopes", "models")
    new = steady.admin("session", "keys", "rotate", old["id"], "--overlap", "2s")
    assert steady.chat(key=old["key"]).status == 200 and steady.chat(key=new["key"]).status == 200
    assert steady.request("GET", "/v1/call", key=new["key"]).status == 403, "the new key has the scopes of the old one"
    until(lambda: steady.chat(key=old["key"]).status == 401, 10, "the end of the old key", every=0.1)
    assert steady.chat(key=new["key"]).status == 200
    last = steady.admin("session", "keys", "rotate", new["id"])
    assert steady.chat(key=new["key"]).status == 401 and steady.chat(key=last["key"]).status == 200


def test_a_revoked_key_is_refused_by_the_next_request(steady: Suite) -> None:
    made = steady.new_key()
    assert steady.chat(key=made["key"]).status == 200
    steady.admin("session", "keys", "revoke", made["id"])
    assert steady.chat(key=made["key"]).status == 401


def test_a_blocked_tenant_is_refused_whatever_it_asks(steady: Suite) -> None:
    key, other = steady.new_key(tenant="blocked")["key"], steady.new_key(tenant="free")["key"]
    assert steady.chat(key=key).status == 200
    assert steady.admin("session", "tenants", "block", "blocked", "--reason", "unpaid")["keys"] == 1
    refused = steady.chat(key=key)
    assert (refused.status, code(refused)) == (403, "tenant_blocked"), refused
    assert "unpaid" not in refused.body.decode(), "the reason is the operator's"
    assert steady.request("GET", "/v1/models", key=key).status == 403
    assert steady.chat(key=other).status == 200
    listed = {tenant["tenant"]: tenant for tenant in steady.admin("session", "tenants", "list")}
    assert listed["blocked"]["reason"] == "unpaid" and "blockedAt" not in listed["free"]
    steady.admin("session", "tenants", "unblock", "blocked")
    assert steady.chat(key=key).status == 200


def test_frozen_spend_stops_what_costs_and_nothing_else(own_suite) -> None:
    suite = own_suite().begin()
    acme, other = suite.new_key(tenant="acme")["key"], suite.new_key(tenant="other")["key"]
    assert suite.admin("session", "spend", "freeze", "--tenant", "acme")["tenants"] == ["acme"]
    refused = suite.chat(key=acme)
    assert (refused.status, code(refused)) == (429, "spend_frozen"), refused
    assert refused.headers["x-should-retry"] == "false"
    assert suite.request("GET", "/v1/models", key=acme).status == 200
    assert suite.chat(key=other).status == 200
    suite.admin("session", "spend", "freeze")
    assert suite.chat(key=other).status == 429
    old = suite.signal("session", 9)
    suite.wait_restarted("session", old)
    suite.wait_well()
    assert suite.chat(key=other).status == 429, "a freeze outlives the process"
    assert suite.admin("session", "spend", "unfreeze")["tenants"] == ["acme"]
    assert suite.chat(key=other).status == 200 and suite.chat(key=acme).status == 429
    suite.admin("session", "spend", "unfreeze", "--tenant", "acme")
    assert suite.chat(key=acme).status == 200


def test_a_revoked_key_is_refused_while_session_is_away(own_suite) -> None:
    suite = own_suite().begin()
    kept, revoked = suite.new_key(), suite.new_key()
    blocked = suite.new_key(tenant="blocked")
    for key in (kept, revoked, blocked):
        assert suite.chat(key=key["key"]).status == 200
    suite.admin("session", "keys", "revoke", revoked["id"])
    suite.admin("session", "tenants", "block", "blocked")
    with suite.down("session"):
        assert suite.chat(key=kept["key"]).status == 200, "a key edge has seen lately is served without session"
        assert suite.chat(key=revoked["key"]).status in (401, 503), "edge was told at once"
        assert suite.chat(key=blocked["key"]).status in (403, 503)


@pytest.mark.parametrize("option", ["--models", "--scopes", "--destinations"])
@pytest.mark.parametrize("value", ["", ",", "a,,b"])
def test_a_list_with_an_empty_name_makes_no_key(steady: Suite, option: str, value: str) -> None:
    done = steady.cli("session", "keys", "create", "--tenant", "acme", f"{option}={value}")
    assert done.returncode == 64 and option in done.stderr, done
