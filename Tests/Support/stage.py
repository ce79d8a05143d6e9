"""A suite in front of an actor, shared by tests that need no other configuration than their own routes."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator

import pytest

import suite as driver
from actor import Actor
from suite import free_port, until

QUICK: dict[str, Any] = {
    "timeouts": {"connect": "1s", "first_token": "700ms", "between_tokens": "700ms", "total": "15s"},
    "retry": {"tries_per_target": 2, "max_tries": 4, "base": "10ms", "max": "3s"},
    "on_stream_break": "error",
}


def route(name: str, *targets: str, **options: Any) -> dict[str, Any]:
    """A model of `router.models`; targets are `provider/model`."""
    named = [dict(zip(("provider", "model"), target.split("/"))) for target in targets]
    return {"name": name, "targets": named} | QUICK | options


def in_front(document: dict[str, Any], actor: Actor, routes: list[dict[str, Any]]) -> None:
    """The providers `one` and `two` (openai), `three` and `four` (anthropic), and `gone`, where nobody listens; each an account."""
    destinations = document["credentials"]["destinations"]
    for name in ("one", "two", "three", "four"):
        destinations[name] = {"base_url": actor.url, "private_network": True}
    destinations["gone"] = {"base_url": f"http://127.0.0.1:{free_port()}", "private_network": True}
    dialects = {"one": "openai", "two": "openai", "three": "anthropic", "four": "anthropic", "gone": "openai"}
    document["router"]["providers"] += [{"name": name, "destination": name, "dialect": dialect, "serve": "listed"} for name, dialect in dialects.items()]
    document["router"]["models"] = routes


class Stage:
    """A suite, and the actor behind it."""

    def __init__(self, provider: driver.Provider, routes: list[dict[str, Any]], change: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.actor = Actor()

        def arrange(document: dict[str, Any]) -> None:
            in_front(document, self.actor, routes)
            if change:
                change(document)

        self.suite = driver.Suite(provider, arrange).begin()

    def play(self, routes: list[dict[str, Any]], **router: Any) -> None:
        """Other routes from now on, and other settings of the router."""
        self.suite.document["router"] |= {"models": routes} | router
        self.suite.write()
        done = self.suite.cli("router", "reload")
        assert done.returncode == 0, f"reload exited {done.returncode}: {done.stdout}{done.stderr}"

    def span(self, request_id: str) -> dict[str, Any]:
        """What telemetry keeps of a request."""
        return until(lambda: self.suite.admin("telemetry", "trace", request_id)["spans"], 8, f"telemetry to know {request_id}", every=0.1)[0]

    def close(self) -> None:
        self.suite.close()
        self.actor.close()


@pytest.fixture(scope="session")
def shared_stage(provider: driver.Provider) -> Iterator[Stage]:
    stage = Stage(provider, [route("first", "one/first")])
    with contextlib.closing(stage):
        yield stage


@pytest.fixture(scope="module")
def stage(shared_stage: Stage, request: pytest.FixtureRequest) -> Stage:
    """The shared stage with the module's `ROUTES` and `PRICES`."""
    shared_stage.play(request.module.ROUTES, model_info=getattr(request.module, "PRICES", []))
    return shared_stage
