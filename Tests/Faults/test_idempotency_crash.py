"""Idempotency-Keys over the death of processes at named places: what is stored, how often the provider ran, what a retry gets."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import secrets
import signal
from typing import Any, Callable, Iterator

import pytest

from suite import Provider, Reply, Suite, prompt, until

OFF = {"cache": "off"}
#: Session holds a claim for so many seconds without word from edge.
LEASE = 30


class Crash:
    """A suite in which one process dies, or stops, at its second passage of a place: the first shows that all is well."""

    def __init__(self, suite: Suite, provider: Provider) -> None:
        self.suite, self.provider = suite, provider
        self.text, self.key = prompt(), secrets.token_hex(12)
        made = suite.new_key()
        self.key_id, suite._key = made["id"], made["key"]

    def warm(self) -> None:
        assert self.suite.chat(headers={"idempotency-key": secrets.token_hex(12)}, bulkhead=OFF).status == 200

    def ask(self, **more: str) -> Reply:
        return self.suite.chat(text=self.text, headers={"idempotency-key": self.key} | more, bulkhead=OFF)

    def ask_in_vain(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.ask()

    @property
    def state(self) -> str | None:
        """What is stored of the key: the newest row."""
        rows = self.suite.admin("session", "idempotency", "list")
        return rows[0]["state"] if rows else None

    @property
    def row(self) -> dict[str, Any]:
        return self.suite.admin("session", "idempotency", "list")[0]

    @property
    def runs(self) -> int:
        return len(self.provider.seen(self.text))

    def well(self) -> None:
        self.suite.wait_well(20)

    def until_not_running(self, **more: str) -> Reply:
        def look() -> Reply | None:
            reply = self.ask(**more)
            return None if reply.status == 409 and reply.error["code"] == "idempotency_key_running" else reply

        return until(look, LEASE + 15, "the lease to be over", every=0.5)


@pytest.fixture
def crash(own_suite: Callable[..., Suite], provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Crash]]:
    def make(places: str) -> Crash:
        monkeypatch.setenv("BULKHEAD_FAILPOINTS", places)
        return Crash(own_suite().begin(), provider)

    yield make


def test_ik38_session_dies_before_the_claim_is_written(crash: Callable[[str], Crash]) -> None:
    case = crash("session.claim.before_commit=kill@2")
    case.warm()
    first = case.ask()
    assert first.status == 503 and int(first.headers["retry-after"]) >= 1 and case.runs == 0, first
    case.well()
    reply = case.ask()
    assert reply.status == 200 and reply.headers["idempotent-replayed"] is None and case.runs == 1, reply


def test_ik39_edge_dies_before_it_sends_anything_out(crash: Callable[[str], Crash]) -> None:
    case = crash("edge.claimed=kill@2")
    case.warm()
    case.ask_in_vain()
    case.well()
    assert case.state == "reserved" and case.runs == 0
    fence = case.row["fence"]
    reply = case.until_not_running()
    assert reply.status == 200 and reply.headers["idempotent-replayed"] is None and case.runs == 1, reply
    assert case.row["fence"] == fence + 1 and case.state == "completed"


def test_ik40_edge_dies_after_it_was_sent_out(crash: Callable[[str], Crash]) -> None:
    case = crash("edge.answered=kill@2")
    case.warm()
    case.ask_in_vain()
    case.well()
    assert case.state == "dispatched" and case.runs == 1
    # Another suite may run it where stores are shared: there it shows when its holder missed a renewal.
    held = until(lambda: (told := case.ask()) and "sent out at" in told.error["message"] and told, 15, "the holder to be missed")
    assert held.status == 409 and held.error["code"] == "idempotency_key_running", held
    assert "held for it until" in held.error["message"], held
    assert 5 <= int(held.headers["retry-after"]) <= LEASE and held.headers["x-should-retry"] == "true", "the rest of the lease"
    early = case.suite.cli("session", "idempotency", "release", case.key, "--tenant", "acme", "--key-id", case.key_id)
    assert early.returncode == 1 and "--force" in early.stderr and "held until" in early.stderr, early
    reply = case.until_not_running()
    assert reply.status == 409 and reply.error["code"] == "outcome_unknown", reply
    assert "may have been billed" in reply.error["message"] and "Bulkhead-On-Unknown: retry" in reply.error["message"]
    assert reply.headers["retry-after"] is None and reply.headers["x-should-retry"] == "false"
    assert case.state == "unknown" and case.runs == 1, "never run again in silence"
    again = case.ask(**{"bulkhead-on-unknown": "retry"})
    assert again.status == 200 and case.runs == 2, again
    span = until(lambda: case.suite.admin("telemetry", "trace", again.headers["x-request-id"])["spans"], 15, "the rerun in telemetry")[0]
    assert span["possible_duplicate"] is True
    assert b'bulkhead_edge_possible_duplicates_total{service="edge"} 1' in case.suite.request("GET", "/metrics", key=None).body
    assert case.row["possibleDuplicate"] and "may have been billed" in case.suite.log()
    assert case.ask().headers["idempotent-replayed"] == "true" and case.runs == 2


def test_ik40_edge_dies_right_before_the_router_is_called(crash: Callable[[str], Crash]) -> None:
    case = crash("edge.dispatched=kill@2")
    case.warm()
    case.ask_in_vain()
    case.well()
    assert case.state == "dispatched" and case.runs == 0


def test_ik41_router_dies_in_the_middle_of_a_stream(crash: Callable[[str], Crash]) -> None:
    case = crash("")
    suite = case.suite

    def ask(on_event: Callable[[bytes], None] | None = None) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", suite.port, timeout=30)) as connection:
            body = suite.body("slowly", case.text, stream=True, bulkhead=OFF)
            headers = {"content-type": "application/json", "authorization": f"Bearer {suite.key}", "idempotency-key": case.key}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            whole = b""
            while line := answer.readline():
                whole += line
                if on_event and b"id: " in line:
                    on_event(line)
            return answer.status, whole

    def kill(line: bytes) -> None:
        if line.rstrip().endswith(b".8"):
            suite.signal("router", signal.SIGKILL)

    status, first = ask(kill)
    assert status == 200 and b'"error"' in first and b"[DONE]" not in first
    case.well()
    status, second = ask()
    assert status == 200 and second == first and case.runs == 1, "what was streamed, and how it ended, is given again"
    assert case.state == "completed"


def test_ik42_session_dies_between_the_answer_and_its_record(crash: Callable[[str], Crash]) -> None:
    case = crash("session.complete.before_commit=kill@2")
    case.warm()
    first = case.ask()
    assert first.status == 200 and case.runs == 1, "the client is not affected"
    case.well()
    until(lambda: case.state == "completed", 15, "the record")
    again = case.ask()
    assert again.headers["idempotent-replayed"] == "true" and again.body == first.body and case.runs == 1


def test_ik42_a_stream_is_kept_over_the_death_of_session(crash: Callable[[str], Crash]) -> None:
    case = crash("")
    suite = case.suite

    def ask(kill: bool) -> bytes:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", suite.port, timeout=30)) as connection:
            body = suite.body("slowly", case.text, stream=True, max_tokens=80, bulkhead=OFF)
            headers = {"content-type": "application/json", "authorization": f"Bearer {suite.key}", "idempotency-key": case.key}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            whole = b""
            while line := answer.readline():
                whole += line
                if kill and line.startswith(b"id: ") and line.rstrip().endswith(b".8"):
                    suite.signal("session", signal.SIGKILL)
            assert answer.status == 200, whole
            return whole

    first = ask(kill=True)
    assert b"data: [DONE]" in first and b'"error"' not in first, "the client is not affected"
    case.well()
    until(lambda: case.state == "completed", 15, "the record")
    assert ask(kill=False) == first and case.runs == 1


def test_ik43_session_dies_between_the_record_and_its_word(crash: Callable[[str], Crash]) -> None:
    case = crash("session.complete.committed=kill@2")
    case.warm()
    first = case.ask()
    assert first.status == 200 and case.runs == 1
    case.well()
    again = case.ask()
    assert again.headers["idempotent-replayed"] == "true" and again.body == first.body and case.runs == 1
    assert case.state == "completed"


def test_ik44_a_late_answer_does_not_replace_anothers(crash: Callable[[str], Crash]) -> None:
    case = crash("edge.answered=stop@2")
    case.warm()
    pid = case.suite.pids()["edge"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(case.ask)
        until(lambda: case.runs == 1 and open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T", 10, "edge to be stopped")
        # Meanwhile the key passes to another owner: here an operator's.
        case.suite.admin("session", "idempotency", "release", case.key, "--tenant", "acme", "--key-id", case.key_id, "--force")
        os.kill(pid, signal.SIGCONT)
        late = first.result()
    assert late.status == 409 and late.error["code"] == "idempotency_key_running", "its answer is not the one that is kept"
    metrics = case.suite.request("GET", "/metrics").body.decode()
    refused = [line for line in metrics.splitlines() if line.startswith("bulkhead_edge_stale_fences_total")]
    assert refused and float(refused[0].split()[-1]) == 1, refused
    assert case.ask().status == 200 and case.runs == 2

