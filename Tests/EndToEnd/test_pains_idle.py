"""Nobody pays for a gateway that does nothing: health is what real traffic showed."""

import contextlib
import time
from typing import Any, Iterator

import pytest

from actor import fail
from stage import Stage, route
from suite import SERVICES, Provider, prompt
from surfaces import EVERY_WAY, ask

IDLE = 10.0  # seconds
ROUTES = [route("fine", "one/idle-a", "three/idle-b"), route("down", "one/idle-d"), route("nobody", "gone/idle-e")]


def change(document: dict[str, Any]) -> None:
    document["router"]["breaker"] = {"failures": 2, "failure_ratio": 0.5, "min_requests": 2, "window": "10s", "open_for": "500ms", "half_open_successes": 1}


@pytest.fixture(scope="module")
def stage(provider: Provider) -> Iterator[Stage]:
    with contextlib.closing(Stage(provider, ROUTES, change)) as stage:
        yield stage


def test_starting_asks_no_provider(stage: Stage) -> None:
    assert stage.actor.requests == []


def test_an_idle_gateway_asks_no_provider(stage: Stage) -> None:
    """Also not to find out whether the ones that failed are back: their breakers' time passes meanwhile."""
    suite = stage.suite
    stage.actor.script("*", "idle-d", fail(500))
    assert ask(suite, "chat", False, "fine", prompt()).status == 200
    for alias in ("down", "nobody"):
        for _ in range(3):
            assert ask(suite, "chat", False, alias, prompt()).status >= 500
    before, connections = len(stage.actor.requests), suite.provider.counters()
    ends = time.monotonic() + IDLE
    for look in (
        lambda: [suite.request("GET", path, key=None) for path in ("/health", "/livez", "/healthz", "/ready", "/readyz")],
        lambda: suite.request("GET", "/metrics", key=suite.new_key("--admin")["key"]),
        lambda: [suite.request("GET", "/v1/models"), suite.request("GET", "/v1/models/fine")],
        lambda: [suite.cli(service, verb) for service in SERVICES for verb in ("status", "health", "links")],
        lambda: [suite.run("bulkhead", verb, "--config", str(suite.config)) for verb in ("status", "links", "doctor")],
        lambda: [suite.cli("router", *verb) for verb in (("models",), ("providers",), ("explain", "--model", "fine"), ("breakers", "list"), ("reload",))],
    ):
        look()
    time.sleep(max(0, ends - time.monotonic()))
    asked = stage.actor.requests[before:]
    assert not asked, f"an idle gateway asked {[(seen.path, seen.model) for seen in asked]}"
    assert suite.provider.counters()["answered"] == connections["answered"]


@EVERY_WAY
def test_counting_and_failing_early_ask_no_provider(stage: Stage, surface: str, streamed: bool) -> None:
    before = len(stage.actor.requests)
    assert ask(stage.suite, surface, streamed, "no-such-model", prompt()).status == 404
    assert ask(stage.suite, surface, streamed, "fine", prompt(), headers={"authorization": "Bearer bh_wrong"}).status == 401
    assert ask(stage.suite, surface, streamed, "fine", "", body={"model": "fine"}).status == 400
    if surface == "messages":
        body = {"model": "fine", "messages": [{"role": "user", "content": "How long is this?"}]}
        counted = stage.suite.request("POST", "/v1/messages/count_tokens", body)
        assert counted.status == 200 and counted.json["input_tokens"] > 0
    assert len(stage.actor.requests) == before
