"""What is attacked: a whole suite in front of a hostile upstream, and a caller that speaks to credentials directly."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import edge
import suite as driver
from caller import Answer, Caller
from leakscan import Needle, data
from redis_server import RedisServer
from suite import until
from upstream import Upstream

# How a call comes: straight to credentials as a taken-over edge would make it, or through the routes that applications have.
WAYS = ("socket", "proxy", "call")
every_way = pytest.mark.parametrize("target", WAYS, indirect=True)
called_too = pytest.mark.parametrize("target", ["socket", "call"], indirect=True)


def canary() -> str:
    """A secret with every character that coders treat in their own way."""
    return f"sk-{secrets.token_urlsafe(18)}/+{secrets.token_hex(8)}="


def destinations(url: str, **more: dict[str, Any]) -> dict[str, Any]:
    base = {"base_url": url, "private_network": True}
    keyed = base | {"allow_plain_http": True, "secret": "UP_KEY", "preset": "bearer"}
    return {
        "up": keyed | {"callers": ["edge", "router"]},
        "narrow": keyed | {"callers": ["edge"], "methods": ["GET", "POST"], "paths": ["/v1/ok", "/v1/items/*"]},
        "routed": keyed | {"callers": ["router"]},
        "second": keyed | {"secret": "SECOND_KEY", "callers": ["edge"]},
        "small": keyed | {"callers": ["edge"], "limits": {"max_response": "64KiB", "max_request": "64KiB"}},
        "bare": base | {"callers": ["edge"]},
    } | more


class Target:
    """A suite, its upstream, and what its credentials process did."""

    def __init__(self, provider: driver.Provider, upstream: Upstream, change: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.upstream = upstream
        self.way = "socket"
        self.redis: RedisServer | None = None
        self._key: str | None = None
        self.secrets = {"UP_KEY": canary(), "SECOND_KEY": canary()}

        def arrange(document: dict[str, Any]) -> None:
            document["credentials"]["destinations"] |= destinations(upstream.url)
            if change:
                change(document)

        self.suite = driver.Suite(provider, arrange)
        self.suite.secrets |= self.secrets
        self.needles = [Needle(name, value) for name, value in self.secrets.items()]

    def begin(self, lacks_secrets: bool = False) -> "Target":
        self.suite.begin(lacks_secrets)
        return self

    @property
    def socket(self) -> Path:
        return self.suite.root / "r" / "credentials" / "ipc.sock"

    def caller(self, service: str = "edge") -> Caller:
        return Caller(self.socket, service)

    @property
    def key(self) -> str:
        """An API key that may call every destination of `destinations`, and one that is not for applications."""
        if self._key is None:
            self._key = self.suite.new_key("--destinations", ",".join(destinations("")))["key"]
        return self._key

    def call(self, destination: str | bytes, path: str | bytes = "/x", *, service: str = "edge", **about: Any) -> Answer:
        if self.way != "socket":
            send = edge.proxied if self.way == "proxy" else edge.described
            return send(self.suite.port, self.key, str(destination), path, **about)
        with self.caller(service) as caller:
            return caller.call(destination, path, **about)

    def clean(self, answer: Answer) -> Answer:
        """The answer, in which no form of a secret may be."""
        found = data(answer.raw, self.needles, "the answer").hits
        assert not found, f"{[str(hit) for hit in found]} in {answer}"
        return answer

    def refused(self, code: int | tuple[int, ...], *words: Any, **about: Any) -> Answer:
        """Calls, and expects this code and not one byte at the upstream."""
        before = self.upstream.accepted, len(self.upstream.requests)
        answer = self.clean(self.call(*words, **about))
        assert answer.code in (code if isinstance(code, tuple) else (code,)), f"{words} {about}: {answer}"
        assert (self.upstream.accepted, len(self.upstream.requests)) == before, f"{words}: the upstream was contacted"
        return answer

    def audit(self, count: int = 200) -> list[dict[str, Any]]:
        return self.suite.admin("credentials", "audit", "tail", "--count", str(count))

    def check(self, change: Callable[[dict[str, Any]], None]) -> tuple[int, str]:
        """What `check` says about a changed configuration: exit code and text."""
        document = json.loads(json.dumps(self.suite.document))
        change(document)
        path = self.suite.root / "changed.yaml"
        path.write_text(json.dumps(document))
        done = self.suite.run("bulkhead-credentials", "check", "--config", str(path))
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="session")
def shared_target(provider: driver.Provider) -> Iterator[Target]:
    """With a Redis beside it where there is one: answers are kept in there."""
    with Upstream() as upstream:
        target = Target(provider, upstream)
        if RedisServer.is_possible():
            target.redis = RedisServer(target.suite.root)
            target.suite.document["suite"]["stores"] = {"fast": "redis", "redis": {"url": f"unix://{target.redis.socket}"}}
        yield target.begin()
        target.suite.close()
        if target.redis:
            target.redis.close()


@pytest.fixture
def target(request: pytest.FixtureRequest, shared_target: Target) -> Iterator[Target]:
    """The shared one, its upstream as new, called on the way that the test's parameter says; the six processes must outlive it."""
    shared_target.way = getattr(request, "param", "socket")
    shared_target.upstream.drop()
    shared_target.upstream.forget()
    before = until(shared_target.suite.pids, 15, "six living services")
    yield shared_target
    shared_target.way = "socket"
    assert shared_target.suite.pids() == before, "a process ended and was started again"


@pytest.fixture
def own_target(provider: driver.Provider) -> Iterator[Callable[..., Target]]:
    """Makes targets that end with the test; they are not started."""
    made: list[Target] = []

    def make(change: Callable[[dict[str, Any]], None] | None = None, upstream: Upstream | None = None) -> Target:
        made.append(Target(provider, upstream or Upstream(), change))
        return made[-1]

    yield make
    for target in made:
        target.suite.close()
        target.upstream.close()
