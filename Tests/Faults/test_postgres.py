"""A suite on PostgreSQL: what is where, and a server that comes late."""

from __future__ import annotations

import secrets
from typing import Any, Callable, Iterator

import pytest
from postgres_server import PostgresServer
from suite import Suite, prompt, until

pytestmark = pytest.mark.skipif(not PostgresServer.is_possible(), reason="PostgreSQL is not installed: run `make deps`")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


def on(server: PostgresServer) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["suite"]["stores"] = {"durable": "postgres", "postgres": {"url": server.url, "connections": 8}}

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
