"""A suite on PostgreSQL: what is where, and a server that comes late."""

from __future__ import annotations

import contextlib
import secrets
from typing import Any, Callable, Iterator

import pytest
from loose import is_root
from postgres_server import USER, PostgresServer
from suite import Suite, prompt, until

pytestmark = pytest.mark.skipif(not PostgresServer.is_possible(), reason="PostgreSQL is not installed: run `make deps`")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


def on(server: PostgresServer, url: str | None = None) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["suite"]["stores"] = {"durable": "postgres", "postgres": {"url": url or server.url, "connections": 8}}

    return change


def once() -> dict[str, str]:
    return {"idempotency-key": secrets.token_hex(12)}


def test_keys_claims_and_spend_live_on_the_server(server: PostgresServer, own_suite: Callable[..., Suite]) -> None:
    suite = own_suite(on(server)).begin()
    text, key = prompt(), once()
    first = suite.chat(text=text, headers=key)
    again = suite.chat(text=text, headers=key)
    assert first.status == again.status == 200 and first.body == again.body
    assert again.headers["idempotent-replayed"] == "true"
    assert server.ask("SELECT count(*) FROM session.claim WHERE phase = 3") == "1"
    assert server.ask("SELECT count(*) FROM session.api_key") == "1"
    until(lambda: server.ask("SELECT sum(requests) FROM session.spend") not in ("", "0"), 5, "spend to be written")
    assert int(server.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bulkhead-session'")) <= 5
    assert not list(suite.root.rglob("session.sqlite"))


def test_rows_accounts_and_reasons_on_the_server(server: PostgresServer, own_suite: Callable[..., Suite]) -> None:
    suite = own_suite(on(server)).begin()
    old = suite.new_key("--rpm", "100")
    assert suite.chat(key=old["key"]).status == 200
    new = suite.admin("session", "keys", "rotate", old["id"])
    assert suite.chat(key=new["key"]).status == 200
    shown = suite.admin("session", "keys", "show", new["id"])
    assert shown["account"] == old["id"] and shown["spend"]["requests"] == 2, shown
    rows = {table["name"]: table["rows"] for table in suite.admin("session", "store", "check")["tables"]}
    assert rows["api_key"] == int(server.ask("SELECT count(*) FROM session.api_key")) and rows["spend"] >= 1, rows
    server.close()
    until(lambda: suite.ready()["services"]["session"]["state"] != "ready", 10, "session to tell that the server is away")
    ready = suite.request("GET", "/ready", key=None)
    told = str(ready.json)
    assert "PostgreSQL cannot be reached: " in told or "the store failed: " in told, told
    assert str(server.folder) not in told and "PGSQL" not in told and "\\t" not in told, told
    done = suite.cli("session", "keys", "show", new["id"])
    assert done.returncode != 0 and done.stderr and "nothing was changed" not in done.stderr, done


def test_a_server_that_comes_after_the_suite(server: PostgresServer, own_suite: Callable[..., Suite]) -> None:
    before = own_suite(on(server)).begin()
    key = before.key
    before.stop()
    server.kill()
    suite = own_suite(on(server))
    suite.launch()
    suite._await(lambda: suite.ready()["services"]["session"]["state"] == "degraded", 20, "session to serve without its store")
    # A key nobody could look up is not called wrong.
    assert suite.chat("open", key=key).status == 503
    server.start()
    until(lambda: suite.chat("open", key=key).status == 200, 10, "the key to be known")
    assert suite.ready()["services"]["session"]["state"] == "ready"


def test_a_standby_that_is_promoted_takes_over_with_all_that_was_acknowledged(server: PostgresServer, own_suite: Callable[..., Suite]) -> None:
    with contextlib.closing(PostgresServer(follows=server)) as standby:
        url = f"postgresql://{USER}@127.0.0.1:{server.port},127.0.0.1:{standby.port}/postgres"
        suite = own_suite(on(server, url)).begin()
        asked = [(prompt(), once()) for _ in range(10)]
        first = [suite.chat(text=text, headers=key) for text, key in asked]
        assert {reply.status for reply in first} == {200}
        server.kill()
        until(lambda: suite.chat(headers=once()).status == 503, 5, "a request with an Idempotency-Key to be refused")
        # A standby that is not promoted is not written to, and nobody is told so in other words.
        reply = suite.chat(headers=once())
        assert reply.status == 503 and reply.headers["retry-after"], reply
        standby.promote()
        until(lambda: suite.chat(headers=once()).status == 200, 10, "the standby to be used")
        for (text, key), before in zip(asked, first):
            again = suite.chat(text=text, headers=key)
            assert again.body == before.body and again.headers["idempotent-replayed"] == "true"
        suite.wait_well(10)


@pytest.mark.skipif(not is_root(), reason="needs root to mount a small file system")
def test_a_server_whose_disk_is_full_refuses_what_must_be_kept_and_nothing_else(own_suite: Callable[..., Suite]) -> None:
    with contextlib.closing(PostgresServer(disk="128m", wal_recycle="off", max_wal_size="32MB")) as server:
        suite = own_suite(on(server)).begin()
        text, key = prompt(), once()
        first = suite.chat(text=text, headers=key)
        assert first.status == 200
        server.fill()
        # What it still has room for in what it had set aside is written; then no more.
        until(lambda: suite.chat(headers=once(), seconds=10).status == 503, 60, "a request with an Idempotency-Key to be refused")
        reply = suite.chat(headers=once(), seconds=10)
        assert reply.status == 503 and reply.headers["retry-after"] and reply.error["message"], reply
        assert suite.chat(bulkhead={"cache": "off"}, seconds=10).status == 200, "a request that needs no record runs"
        server.free()
        until(lambda: suite.chat(headers=once(), seconds=10).status == 200, 30, "keyed requests to run again")
        again = suite.chat(text=text, headers=key)
        assert again.body == first.body and again.headers["idempotent-replayed"] == "true"
