"""One trace from the client through every process to the provider."""

import re
import secrets

from actor import Act, answer, broken, fail
from stage import Stage, route
from suite import prompt
from surfaces import EVERY_WAY, Heard, ask, assert_complete

ROUTES = [
    route("traced", "one/traced-a", "three/traced-b", on_stream_break="replay"),
]
SHAPE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def traces(stage: Stage, text: str) -> list[tuple[str, str, str]]:
    """Trace, span and flags of each request at the providers."""
    found = [SHAPE.fullmatch(seen.headers.get("traceparent", "")) for seen in stage.actor.seen(text)]
    assert found and all(found), [seen.headers for seen in stage.actor.seen(text)]
    return [match.groups() for match in found if match]


def told(heard: Heard) -> str:
    return heard.headers["x-bulkhead-trace-id"]


@EVERY_WAY
def test_the_clients_trace_reaches_the_provider(stage: Stage, surface: str, streamed: bool) -> None:
    text, trace, span = prompt(), secrets.token_hex(16), secrets.token_hex(8)
    heard = ask(stage.suite, surface, streamed, "traced", text, headers={"traceparent": f"00-{trace}-{span}-01"})
    assert_complete(heard, answer(text))
    assert told(heard) == trace
    ((upstream, upstream_span, flags),) = traces(stage, text)
    assert upstream == trace and flags == "01"
    assert upstream_span not in (span, "0" * 16), "a span of its own, not the client's"
    kept = stage.span(heard.headers["x-request-id"])
    assert kept["trace_id"] == trace
    assert [one["request_id"] for one in stage.suite.admin("telemetry", "trace", trace)["spans"]] == [heard.headers["x-request-id"]]


@EVERY_WAY
def test_without_one_a_new_trace_is_begun(stage: Stage, surface: str, streamed: bool) -> None:
    found = set()
    for _ in range(2):
        text = prompt()
        heard = ask(stage.suite, surface, streamed, "traced", text)
        assert re.fullmatch(r"[0-9a-f]{32}", told(heard)) and told(heard) != "0" * 32
        assert [trace for trace, _, _ in traces(stage, text)] == [told(heard)]
        found.add(told(heard))
    assert len(found) == 2


@EVERY_WAY
def test_what_is_no_trace_is_not_passed_on(stage: Stage, surface: str, streamed: bool) -> None:
    for wrong in ("00-zz-1-01", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'a' * 32}-{'0' * 16}-01", f"ff-{'a' * 32}-{'1' * 16}-01", f"00-{'A' * 32}-{'1' * 16}-01", "x" * 4000):
        text = prompt()
        heard = ask(stage.suite, surface, streamed, "traced", text, headers={"traceparent": wrong})
        assert heard.status == 200
        ((trace, _, _),) = traces(stage, text)
        assert trace == told(heard) and trace not in wrong.lower() and trace != "0" * 32, wrong


@EVERY_WAY
def test_every_try_belongs_to_the_same_trace(stage: Stage, surface: str, streamed: bool) -> None:
    for act in (fail(503), broken("refuse"), broken("cut", 5)):
        text, trace = prompt(), secrets.token_hex(16)
        stage.actor.script(text, "traced-a", act)
        heard = ask(stage.suite, surface, streamed, "traced", text, headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"})
        assert_complete(heard, answer(text))
        assert len(stage.actor.seen(text)) >= 2 and {found for found, _, _ in traces(stage, text)} == {told(heard)} == {trace}


@EVERY_WAY
def test_a_failure_has_its_trace_too(stage: Stage, surface: str, streamed: bool) -> None:
    text, trace = prompt(), secrets.token_hex(16)
    stage.actor.script(text, "traced-a", Act(status=400, body={"message": "no"}))
    heard = ask(stage.suite, surface, streamed, "traced", text, headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-00"})
    assert heard.status == 400 and told(heard) == trace
    span = stage.span(heard.headers["x-request-id"])
    assert span["trace_id"] == trace and span["status"] == 400, span
