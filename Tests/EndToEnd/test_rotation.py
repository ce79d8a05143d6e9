"""`rotate` and `test` ask the destination itself, with whatever its preset needs for that."""

from typing import Any, Iterator

import pytest

from stub import Answer, Stub
from suite import Suite

GOOD, NEXT, BAD = "sk-good-value-of-before", "sk-next-value-of-ours", "sk-a-value-that-is-refused"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


@pytest.fixture(scope="module")
def asking(provider, stub: Stub) -> Iterator[Suite]:
    def change(document: dict[str, Any]) -> None:
        place = {"base_url": stub.url, "private_network": True, "allow_plain_http": True}
        document["credentials"]["destinations"] |= {
            "checked": place | {"secret": "CHECKED_KEY", "preset": "bearer", "probe": {"path": "/check"}},
            "tokened": place | {
                "secret": "CLIENT_KEY", "preset": "oauth2", "probe": {"path": "/api"},
                "oauth": {"token_url": f"{stub.url}/token", "client_id": "us", "auth": "post"},
            },
        }

    def check(_: Any) -> Answer:
        sent = stub.last.headers.get("authorization", "")
        return Answer(b"{}", 200 if sent in (f"Bearer {GOOD}", f"Bearer {NEXT}") else 401)

    stub.scripts["/check"] = check
    suite = Suite(provider, change)
    suite.secrets |= {"CHECKED_KEY": GOOD, "CLIENT_KEY": "client-secret-of-ours"}
    try:
        yield suite.begin()
    finally:
        suite.close()


def row(suite: Suite, name: str) -> dict:
    return next(row for row in suite.admin("credentials", "list") if row["name"] == name)


def test_a_value_that_the_destination_refuses_is_not_put_in_force(asking: Suite, stub: Stub) -> None:
    before = row(asking, "CHECKED_KEY")
    done = asking.cli("credentials", "rotate", "CHECKED_KEY", "--stdin", input=BAD)
    assert done.returncode != 0 and "refused" in done.stderr and "401" in done.stderr, done
    assert BAD not in done.stdout + done.stderr
    assert stub.last.headers["authorization"] == f"Bearer {BAD}", "it was asked"
    assert row(asking, "CHECKED_KEY") == before
    # Nor can an operator who is sure: what was refused is no use.
    assert asking.cli("credentials", "rotate", "CHECKED_KEY", "--stdin", "--unverified", input=BAD).returncode != 0
    records = [r for r in asking.admin("credentials", "audit", "tail") if r.get("secret") == "CHECKED_KEY" and r["event"] == "rotate"]
    assert [(r["decision"], r.get("reason")) for r in records][-2:] == [("allow", None), ("failed", "refused")]


def test_a_value_that_the_destination_takes_is_put_in_force(asking: Suite) -> None:
    before = row(asking, "CHECKED_KEY")
    assert asking.cli("credentials", "rotate", "CHECKED_KEY", "--stdin", input=NEXT).returncode == 0
    assert row(asking, "CHECKED_KEY")["version"] == before["version"] + 1
    assert asking.admin("credentials", "test", "CHECKED_KEY")[0]["status"] == 200


def give_tokens(stub: Stub) -> None:
    """The authorization server knows two clients' secrets, and the API takes what it gives."""
    known = {"client-secret-of-ours": "token-one-of-ours", "client-secret-of-tomorrow": "token-two-of-ours"}

    def token(asked: Any) -> Answer:
        given = known.get(asked.get("client_secret", ""))
        if given is None:
            return Answer(b'{"error": "invalid_client"}', 401)
        return Answer(('{"access_token": "%s", "token_type": "Bearer", "expires_in": 3600}' % given).encode())

    def api(_: Any) -> Answer:
        sent = stub.last.headers.get("authorization", "").removeprefix("Bearer ")
        return Answer(b"{}", 200 if sent in known.values() else 401)

    stub.scripts["/token"], stub.scripts["/api"] = token, api


def test_a_probe_of_oauth2_fetches_a_token(asking: Suite, stub: Stub) -> None:
    give_tokens(stub)
    (tried,) = asking.admin("credentials", "test", "CLIENT_KEY")
    assert tried["status"] == 200 and tried["isGood"], tried
    assert stub.last.headers["authorization"] == "Bearer token-one-of-ours"


def test_a_new_client_secret_is_verified_by_a_token_of_its_own(asking: Suite, stub: Stub) -> None:
    give_tokens(stub)
    before = row(asking, "CLIENT_KEY")
    done = asking.cli("credentials", "rotate", "CLIENT_KEY", "--stdin", input="client-secret-of-nobody")
    assert done.returncode != 0 and "refused" in done.stderr, done
    assert row(asking, "CLIENT_KEY") == before
    assert asking.cli("credentials", "rotate", "CLIENT_KEY", "--stdin", input="client-secret-of-tomorrow").returncode == 0
    assert stub.last.headers["authorization"] == "Bearer token-two-of-ours"
    assert row(asking, "CLIENT_KEY")["version"] == before["version"] + 1
