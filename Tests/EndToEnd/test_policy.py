"""What was sealed with a secret is a ceiling: the configuration narrows it, and only `reseal` raises it."""

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from suite import Suite, free_port, until


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Where a redirected key would arrive."""

    seen: list[str] = []

    def do_POST(self) -> None:
        Elsewhere.seen.append(self.headers.get("authorization", ""))
        self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = json.dumps({
            "id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "from elsewhere"}, "finish_reason": "stop"}],
        }).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def own(provider) -> Iterator[Suite]:
    suite = Suite(provider)
    suite.document["router"]["cache"] = {"exact": {"when": "off"}}
    suite.begin()
    yield suite
    suite.close()


@contextlib.contextmanager
def changed(suite: Suite, **keys: Any) -> Iterator[None]:
    """The destination `oai` with other keys, in force; afterwards as it was, resealed."""
    destinations = suite.document["credentials"]["destinations"]
    before = dict(destinations["oai"])
    destinations["oai"] = {key: value for key, value in (before | keys).items() if value is not None}
    try:
        reload(suite)
        yield
    finally:
        destinations["oai"] = before
        reload(suite)
        assert suite.cli("credentials", "reseal", "OAI_KEY").returncode == 0
        suite.wait_well()


def reload(suite: Suite) -> None:
    suite.write()
    done = suite.cli("credentials", "reload")
    assert done.returncode == 0, done.stderr


def audit(suite: Suite) -> list[dict[str, Any]]:
    return suite.admin("credentials", "audit", "tail", "--count", "60")


def refused(suite: Suite) -> None:
    reply = suite.chat()
    assert reply.status == 503, f"{reply.status} {reply.body!r}"
    assert reply.json["error"]["code"] == "credentials_unavailable", reply.json


def test_a_redirected_key_stays_until_it_is_resealed(own: Suite, elsewhere: str) -> None:
    assert own.chat().status == 200
    with changed(own, base_url=elsewhere):
        refused(own)
        assert Elsewhere.seen == []
        assert any(r["event"] == "call" and r["decision"] == "deny" and r.get("reason") == "destination_denied" for r in audit(own))
        doctor = own.cli("credentials", "doctor")
        assert doctor.returncode == 1 and elsewhere.removeprefix("http://") in doctor.stdout and "reseal OAI_KEY" in doctor.stdout
        check = own.cli("credentials", "check", "--json")
        assert check.returncode == 78
        (problem,) = json.loads(check.stdout)["problems"]
        assert problem["key"] == "credentials.destinations.oai.base_url" and "reseal OAI_KEY" in problem["expected"]
        assert own.config.read_text().splitlines()[problem["line"] - 1].strip().startswith("base_url")
        assert own.ready()["status"] != "ready"

        plan = json.loads(own.cli("credentials", "reseal", "OAI_KEY", "--dry-run", "--json").stdout)
        assert [change["what"] for change in plan["widens"][0]["widens"]] == ["host"]
        refused(own)
        done = own.cli("credentials", "reseal", "OAI_KEY")
        assert done.returncode == 0 and elsewhere.removeprefix("http://") in done.stdout + done.stderr
        until(lambda: own.chat().status == 200, 5, "the resealed destination to answer")
        assert Elsewhere.seen == [f"Bearer {own.secrets['OAI_KEY']}"]
        records = [r for r in audit(own) if r["event"] == "reseal" and r.get("secret") == "OAI_KEY"]
        assert [r["decision"] for r in records][-2:] == ["allow", "done"] and records[-2]["reason"] == "widens:host"


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"preset": "bearer"}, "preset"), ({"preset": "header", "header": "X-Key"}, "preset"), ({"callers": ["edge", "session"]}, "callers"),
        ({"headers": {"allow": ["X-HTTP-Method-Override"]}}, "headers"), ({"limits": {"max_request": "1GiB"}}, "max_request"),
    ],
)
def test_more_than_was_sealed_is_refused(own: Suite, keys: dict[str, Any], what: str) -> None:
    with changed(own, **keys):
        refused(own)
        said = own.cli("credentials", "check").stdout
        assert what in said and "reseal OAI_KEY" in said


@pytest.mark.parametrize(
    "keys", [{"methods": ["POST"]}, {"paths": ["/v1/chat/completions"]}, {"headers": {"allow": []}}, {"limits": {"max_request": "1MiB"}}, {"rate": {"rpm": 6000}}]
)
def test_less_than_was_sealed_needs_nothing(own: Suite, keys: dict[str, Any]) -> None:
    with changed(own, **keys):
        assert own.chat().status == 200
        assert own.cli("credentials", "check").returncode == 0


def test_what_was_narrowed_when_it_was_sealed_stays_narrow(own: Suite) -> None:
    with changed(own, paths=["/v1/chat/completions"], methods=["POST"]):
        assert own.cli("credentials", "reseal", "OAI_KEY").returncode == 0
        assert own.chat().status == 200
        destinations = own.document["credentials"]["destinations"]
        destinations["oai"] = destinations["oai"] | {"paths": ["/v1/**"]}
        reload(own)
        refused(own)


def test_a_rotation_does_not_follow_a_changed_configuration(own: Suite, elsewhere: str) -> None:
    Elsewhere.seen.clear()
    with changed(own, base_url=elsewhere):
        done = own.cli("credentials", "rotate", "OAI_KEY", "--stdin", input=own.secrets["OAI_KEY"])
        refused(own)
        assert Elsewhere.seen == [], done.stdout


def test_calls_beyond_the_rate(own: Suite) -> None:
    with changed(own, rate={"rpm": 1, "burst": 2}):
        statuses = [own.chat("fail-400").status for _ in range(4)]
        assert statuses[:2] == [400, 400] and set(statuses[2:]) <= {429, 503}, statuses


def test_a_provider_whose_destination_is_gone_is_the_operators_fault(own: Suite) -> None:
    destinations = own.document["credentials"]["destinations"]
    before = destinations.pop("oai")
    try:
        reload(own)
        reply = own.chat()
        assert reply.status == 503 and reply.json["error"]["code"] == "credentials_unavailable", reply.body
        assert any(r.get("reason") == "destination_unknown" and r["peer"] == "router" for r in audit(own))
    finally:
        destinations["oai"] = before
        reload(own)
        own.wait_well()


def test_explain_says_who_may_call(own: Suite) -> None:
    rows = {row["caller"]: row for row in own.admin("credentials", "explain", "oai", "POST", "/v1/chat/completions")}
    assert rows["router"]["isAllowed"] and not rows["edge"]["isAllowed"]
    assert all("sk-" not in row["why"] for row in rows.values())
    rows = {row["caller"]: row for row in own.admin("credentials", "explain", "oai", "GET", "/v1/../x")}
    assert not any(row["isAllowed"] for row in rows.values())
    assert own.cli("credentials", "explain", "nowhere").returncode == 1


@pytest.mark.parametrize("name", ["../OAI_KEY", "oai_key", "OAI_KEY\n", "ОAI_KEY", "A" * 4096, "\x1b[31mRED"])
def test_crooked_names_are_refused_and_not_repeated(own: Suite, name: str) -> None:
    for verb in (["revoke", name], ["reseal", name], ["delete", name], ["test", name], ["explain", name]):
        done = own.cli("credentials", *verb)
        assert done.returncode == 1, f"{verb}: {done.returncode} {done.stdout}{done.stderr}"
        assert name not in done.stdout + done.stderr or len(name) < 8
    assert own.cli("credentials", "set", name, "--stdin", "--host", "api.example.com", input="a-value-long-enough").returncode == 1
    assert "\x1b[31m" not in re.sub(r"\x1b\[[0-9;]*m(credentials|edge|router|session|retrieval|telemetry)", "", own.log())


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "api.openai.com.", "аpi.openai.com", "[::ffff:127.0.0.1]", "a@b", "https://a", "a\\b"])
def test_odd_hosts_are_refused(own: Suite, host: str) -> None:
    done = own.cli("credentials", "set", "ODD_KEY", "--stdin", "--host", host, input="a-value-long-enough")
    assert done.returncode == 1 and "--host" in done.stderr, done.stdout + done.stderr
    path = own.root / "odd.yaml"
    path.write_text(json.dumps({"credentials": {"destinations": {"odd": {"base_url": f"https://{host}", "private_network": True}}}}))
    assert own.run("bulkhead-credentials", "check", "--config", str(path)).returncode == 78


def test_check_tells_of_secrets_that_are_not_stored(own: Suite) -> None:
    own.document["credentials"]["destinations"]["later"] = {"base_url": f"https://127.0.0.1:{free_port()}", "private_network": True, "secret": "LATER_KEY"}
    try:
        own.write()
        done = own.cli("credentials", "check")
        assert done.returncode == 78 and "LATER_KEY" in done.stdout and "set LATER_KEY" in done.stdout
    finally:
        del own.document["credentials"]["destinations"]["later"]
        own.write()
    assert own.cli("credentials", "check").returncode == 0


def test_doctor_warns_of_what_is_loose(own: Suite) -> None:
    """A secret in a query ends up in logs; one that was sealed by its host alone leaves the rest to the configuration."""
    place = own.provider.url.removeprefix("http://")
    plain = {"base_url": own.provider.url, "private_network": True, "allow_plain_http": True}
    destinations = own.document["credentials"]["destinations"]
    destinations["asked"] = plain | {"secret": "ASKED_KEY", "preset": "query", "query": "key", "callers": ["edge"]}
    done = own.cli("credentials", "set", "LOOSE_KEY", "--stdin", "--host", place, "--preset", "bearer", input="a-value-long-enough")
    assert done.returncode == 0, done.stderr
    destinations["loose"] = plain | {"secret": "LOOSE_KEY", "preset": "bearer", "callers": ["edge"]}
    try:
        reload(own)
        own.store("ASKED_KEY", "another-value-long-enough")
        rows = {row["subject"]: row for row in own.admin("credentials", "doctor")}
        assert rows["destination asked"]["level"] == "warning" and "query" in rows["destination asked"]["message"]
        assert rows["destination loose"]["level"] == "warning" and "reseal LOOSE_KEY" in rows["destination loose"]["message"]
        assert own.cli("credentials", "reseal", "LOOSE_KEY").returncode == 0
        rows = {row["subject"]: row for row in own.admin("credentials", "doctor")}
        assert rows["destination loose"]["level"] == "ok"
    finally:
        del destinations["asked"], destinations["loose"]
        reload(own)


def test_a_new_value_that_widens_says_so(own: Suite, elsewhere: str) -> None:
    with changed(own, base_url=elsewhere):
        done = own.cli("credentials", "set", "OAI_KEY", "--stdin", input=own.secrets["OAI_KEY"])
        assert done.returncode == 0 and "widened: destination oai: host" in done.stdout, done.stdout
        assert any(r["event"] == "set" and r.get("reason") == "widens:host" for r in audit(own))
