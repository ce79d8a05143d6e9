"""Streams that end before their time: the client leaves, a service dies, the provider misbehaves."""

import concurrent.futures
import signal
import threading
import time

import pytest

from suite import Stream, Suite, prompt, until

LEFT = 0.5  # seconds from a client's leaving to the end of the provider's connection
BOTH = pytest.mark.parametrize("dialect", ["openai", "anthropic"])


def outcome(suite: Suite, text: str) -> str:
    records = suite.provider.seen(text)
    return records[-1]["outcome"] if records else "not seen"


def in_flight(suite: Suite) -> dict[str, int]:
    """Calls that run, by link, on the way of a chat."""
    return {f"{service}.{peer}": suite.links(service)[peer]["inFlight"] for service, peer in (("edge", "router"), ("router", "credentials"))}


@BOTH
def test_a_client_that_leaves_cancels_everything_behind_it(suite: Suite, dialect: str) -> None:
    text = prompt()

    def leave(stream: Stream) -> bool:
        return len(stream.text) > 20

    assert suite.stream("slowly", text, dialect, on_event=leave).ended == "left"
    left = time.monotonic()
    until(lambda: outcome(suite, text) == "aborted", 3, "the provider to see its client leave", every=0.01)
    assert time.monotonic() - left < LEFT
    until(lambda: set(in_flight(suite).values()) == {0}, 3, "no call in flight")


def test_a_client_that_leaves_a_silent_provider_is_noticed_too(suite: Suite) -> None:
    text = prompt()

    def leave(stream: Stream) -> bool:
        return bool(stream.text)

    assert suite.stream("quiet", text, on_event=leave).ended == "left"
    left = time.monotonic()
    until(lambda: outcome(suite, text) == "aborted", 3, "the provider to see its client leave", every=0.01)
    assert time.monotonic() - left < LEFT


def test_a_client_that_leaves_before_the_first_byte_is_noticed_too(suite: Suite) -> None:
    text = prompt()
    with pytest.raises(TimeoutError):
        suite.chat("slow-4s", text, seconds=0.4)
    left = time.monotonic()
    until(lambda: outcome(suite, text) == "aborted", 3, "the provider to see its client leave", every=0.01)
    assert time.monotonic() - left < LEFT
    assert len(suite.provider.seen(text)) == 1, "and nothing is tried again for nobody"


def test_a_hundred_clients_that_leave_leave_nothing_behind(suite: Suite) -> None:
    threads = [threading.Thread(target=lambda: suite.stream("slowly", on_event=lambda stream: bool(stream.text))) for _ in range(100)]
    _ = suite.key
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    until(lambda: set(in_flight(suite).values()) == {0}, 5, "no call in flight")
    until(lambda: suite.provider.counters()["running"] == 0, 3, "no request at the provider")
    assert suite.chat().status == 200


def assert_broken_honestly(stream: Stream, dialect: str) -> None:
    """The dialect's error event at the end, nothing that looks like success, a whole HTTP message."""
    assert stream.status == 200 and stream.text, stream
    assert stream.error and stream.error["message"], stream
    assert not stream.is_terminated and not stream.is_finished, stream
    assert stream.ended == "complete", stream
    if dialect == "anthropic":
        assert stream.events[-1][0] == "error", stream


@BOTH
@pytest.mark.parametrize("service", ["router", "credentials"])
def test_a_service_on_the_way_dies_in_mid_stream(suite: Suite, service: str, dialect: str) -> None:
    old: list[int] = []

    def strike(stream: Stream) -> None:
        if stream.text and not old:
            old.append(suite.signal(service, signal.SIGKILL))

    began = time.monotonic()
    stream = suite.stream("slowly", dialect=dialect, on_event=strike)
    assert_broken_honestly(stream, dialect)
    assert time.monotonic() - began < 5
    suite.wait_restarted(service, old[0])
    suite.wait_well(10)
    assert suite.chat().status == 200


@pytest.mark.parametrize("service", ["session", "retrieval", "telemetry"])
def test_a_service_beside_the_way_dies_in_mid_stream(suite: Suite, service: str) -> None:
    old: list[int] = []
    suite.provider.script("demo-chat", "tokens-40-tps-40")

    def strike(stream: Stream) -> None:
        if stream.text and not old:
            old.append(suite.signal(service, signal.SIGKILL))

    stream = suite.stream("assistant", on_event=strike)
    assert stream.is_terminated and stream.is_finished and stream.error is None, stream
    suite.wait_restarted(service, old[0])
    suite.wait_well(10)


# A provider that misbehaves before its answer


@pytest.mark.parametrize(
    "model, status, code, attempts",
    [
        ("fail-400", 400, None, 1), ("fail-401", 502, "upstream_auth", 1), ("fail-404", 404, None, 1), ("fail-429", 429, "rate_limit_exceeded", 2),
        ("fail-500", 502, "upstream_error", 2), ("fail-503", 502, "upstream_error", 2), ("reset", 502, None, 2), ("stall", 504, "upstream_timeout", 1),
        ("slow-4s", 504, "upstream_timeout", 1), ("cut", 502, None, 2), ("end", 502, None, 1), ("garbage", 502, None, 1),
    ],
)
def test_faults_of_a_whole_answer(suite: Suite, model: str, status: int, code: str | None, attempts: int) -> None:
    text = prompt()
    reply = suite.chat(model, text)
    assert reply.status == status, reply
    assert reply.error["message"] and reply.error["code"] and (code is None or reply.error["code"] == code), reply
    assert len(suite.provider.seen(text)) == attempts, "tries as configured, and only where a retry may help"
    assert str(suite.provider.port) not in reply.body.decode() or status == 502, reply
    assert reply.seconds < 5
    if status in (429, 503):
        assert int(reply.headers["retry-after"]) >= 1
    if model == "fail-401":
        # After its second refusal the account is left alone with all of its models; the other tests need it.
        assert suite.chat(model).status == status
        (name,) = [row["name"] for row in suite.admin("router", "breakers", "list") if row["name"].startswith("credential:")]
        assert suite.chat("assistant").error["code"] == "breaker_open"
        for verb in ("close", "auto"):
            suite.admin("router", "breakers", verb, name)
        assert suite.chat("assistant").status == 200


@pytest.mark.parametrize("model, status", [("fail-500", 502), ("fail-429", 429), ("stall", 504), ("reset", 502)])
@BOTH
def test_a_stream_that_never_began_is_a_plain_error(suite: Suite, model: str, status: int, dialect: str) -> None:
    stream = suite.stream(model, dialect=dialect)
    assert stream.status == status and b"error" in stream.body and stream.events == [], stream


def test_a_second_try_succeeds_and_is_counted(suite: Suite) -> None:
    for fault in ("fail-500", "fail-429", "reset", "fail-503"):
        suite.provider.script("demo-chat", fault, "ok")
        reply = suite.chat()
        assert reply.status == 200 and reply.headers["x-bulkhead-attempts"] == "2", (fault, str(reply))


def test_a_retry_after_is_honoured_or_left_alone(suite: Suite) -> None:
    suite.provider.script("demo-chat", "fail-429-retry-300ms", "ok")
    reply = suite.chat()
    assert reply.status == 200 and reply.seconds >= 0.3, "it waited as told"
    text = prompt()
    reply = suite.chat("fail-429-retry-30s", text)
    assert reply.status == 429 and reply.seconds < 2 and len(suite.provider.seen(text)) == 1, "30 s are above `retry.max`: no second try"
    assert 25 <= int(reply.headers["retry-after"]) <= 30


def test_the_next_target_answers(suite: Suite) -> None:
    reply = suite.chat("pair")
    assert reply.status == 200 and reply.headers["x-bulkhead-provider"] == "ant" and reply.headers["x-bulkhead-model"] == "demo-second", reply
    assert reply.headers["x-bulkhead-attempts"] == "3", "two tries at the first, one at the second"
    assert suite.stream("pair").is_terminated
    reply = suite.chat("sheltered")
    assert reply.status == 200 and reply.text == "Later, please.", "the configured answer when all failed"


def test_a_callers_deadline_is_kept(suite: Suite) -> None:
    for body, headers in (({"bulkhead": {"timeout_ms": 300}}, {}), ({}, {"x-stainless-read-timeout": "0.3"})):
        reply = suite.chat("slow-4s", headers=headers, **body)
        assert reply.status == 504 and reply.seconds < 1.2, reply


# A provider that misbehaves in its answer


@BOTH
@pytest.mark.parametrize("model", ["cut-5", "end-5", "error-5", "garbage-5", "reset-5", "stall-5"])
def test_faults_in_mid_stream(suite: Suite, model: str, dialect: str) -> None:
    text = prompt()
    began = time.monotonic()
    stream = suite.stream(model, text, dialect)
    assert_broken_honestly(stream, dialect)
    assert time.monotonic() - began < 5
    assert len(suite.provider.seen(text)) == 1, "what the client has seen the beginning of is not begun again"


def test_a_broken_answer_is_not_kept(suite: Suite) -> None:
    text = prompt()
    assert suite.stream("cut-5", text).error
    suite.provider.script("demo-cut-5", "ok")
    again = suite.stream("cut-5", text)
    assert again.is_terminated and again.headers["x-bulkhead-cache"] != "exact"


@pytest.mark.parametrize("model", ["cut-5", "stall", "fail-500", "garbage"])
def test_faults_of_a_provider_do_not_open_the_circuits_between_services(suite: Suite, model: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: suite.stream(model), range(12)))
    assert suite.chat().status == 200, "others are not made to pay"
    assert suite.links("edge")["router"]["breaker"] == "closed"
    assert suite.links("router")["credentials"]["breaker"] == "closed"
    assert suite.ready()["status"] == "ready"


def test_a_breaker_opens_on_a_failing_provider_and_closes_again(own_suite) -> None:
    suite = own_suite(
        lambda document: document["router"].update(breaker={"failures": 3, "failure_ratio": 0.5, "min_requests": 20, "window": "10s", "open_for": "1s", "half_open_successes": 1})
    ).begin()
    suite.provider.script("demo-chat", *["fail-500"] * 3)
    while suite.chat().status == 502:
        pass
    seen = suite.provider.counters()["models"]["demo-chat"]
    reply = suite.chat()
    assert reply.status == 503 and reply.error["code"] == "breaker_open", reply
    assert 1 <= int(reply.headers["retry-after"]) <= 60 and reply.seconds < 0.5
    assert suite.provider.counters()["models"]["demo-chat"] == seen, "an open breaker spares the provider"
    rows = {row["name"]: row["state"] for row in suite.admin("router", "breakers", "list")}
    assert "open" in rows["target:oai/demo-chat"], rows
    until(lambda: suite.chat().status == 200, 5, "an answer after the pause")
