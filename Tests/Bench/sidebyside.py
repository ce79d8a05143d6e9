"""Chat through nothing, nginx, the suite and LiteLLM, in turns on the same machine."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from typing import Any, Callable, ContextManager

import psutil

import litellm
import load
from figures import Figure, Length, chats, cpu, median
from load import Failed, quantile
from stand import INSTANT, LATENCY, PACED, SERVICES, Stand, moment, nginx, wrk

RATE, WIDTH, WORKERS = 200, 32, 2
OURS = "Bulkhead"


@dataclasses.dataclass
class Way:
    """One way to a provider: ports and names of models for an instant and for a paced one."""

    name: str
    instant: tuple[int, str]
    paced: tuple[int, str]
    key: str
    pids: Callable[[], dict[str, list[int]]]
    inside: Callable[[], ContextManager[None]] = contextlib.nullcontext
    # A slow way is measured in fewer rounds.
    most_rounds: int = 100
    closed: list[dict[str, float]] = dataclasses.field(default_factory=list)
    open: list[list[float]] = dataclasses.field(default_factory=list)
    cpu_s: dict[str, float] = dataclasses.field(default_factory=dict)
    client_share: float = 0.0

    def flood(self, seconds: int) -> None:
        """A closed loop against the instant provider."""
        port, model = self.instant
        with self.inside(), cpu(self.pids) as used:
            self.closed.append(wrk(port, model, self.key, moment(), seconds, WIDTH))
        for name, spent in used.items():
            self.cpu_s[name] = self.cpu_s.get(name, 0) + spent

    def drip(self, seconds: int) -> None:
        """An open loop against the paced provider: each request counts from the moment it was due."""
        port, model = self.paced
        requests = chats(RATE * seconds, model, self.key)
        with self.inside():
            spent, began = time.process_time(), time.perf_counter()
            self.open.append(load.open_loop(port, requests, RATE))
            self.client_share = max(self.client_share, (time.process_time() - spent) / (time.perf_counter() - began))

    def warm(self) -> None:
        with self.inside():
            wrk(*self.instant, self.key, moment(), 2, WIDTH)
            load.open_loop(self.paced[0], chats(RATE // 2, self.paced[1], self.key), RATE)

    @property
    def rps(self) -> float:
        return median([told["rps"] for told in self.closed])

    def at(self, share: float) -> float:
        return median([quantile(run, share) for run in self.open])

    def cpu_us(self) -> dict[str, float]:
        answered = sum(told["requests"] for told in self.closed)
        return {name: spent / answered * 1e6 for name, spent in self.cpu_s.items()}


def chat(stand: Stand, length: Length) -> list[Figure]:
    with contextlib.ExitStack() as stack:
        ways = _ways(stand, stack)
        try:
            apart = stack.enter_context(litellm.running(1, WORKERS, latency=LATENCY))
            ways += [_litellm(apart, server) for server in apart.servers]
        except (Failed, AssertionError, OSError) as error:
            print(f"bench: LiteLLM was not measured: {error}", file=sys.stderr)
        for way in ways:
            way.warm()
        for step in (Way.drip, Way.flood):
            for number in range(length.of(5)):
                for way in ways:
                    if number < way.most_rounds:
                        step(way, length.seconds)
        stand.chat_table = _table(ways)
        return _figures(ways, length)


def _ways(stand: Stand, stack: contextlib.ExitStack) -> list[Way]:
    suite = stand.suite
    before, behind = (stack.enter_context(nginx(provider.port)) for provider in (stand.instant, stand.paced))
    return [
        Way("direct", (stand.instant.port, "demo-chat"), (stand.paced.port, "demo-chat"), suite.key, dict),
        Way("nginx proxy_pass, 2 workers, keep-alive", (before.port, "demo-chat"), (behind.port, "demo-chat"), suite.key, lambda: {"nginx": before.pids()}),
        Way(OURS, (suite.port, INSTANT), (suite.port, PACED), suite.key, lambda: {name: [pid] for name, pid in suite.pids().items()}),
    ]


def _litellm(apart: litellm.Installation, server: litellm.Server) -> Way:
    number = "1 worker" if server.workers == 1 else f"{server.workers} workers"
    return Way(
        f"LiteLLM {litellm.VERSION}, {number}", (server.port, INSTANT), (server.port, PACED), "sk-none", lambda: {"litellm": server.pids()},
        apart.network.inside, most_rounds=2,
    )


def _table(ways: list[Way]) -> list[dict[str, Any]]:
    direct, proxy = ways[0], ways[1]
    return [
        {
            "name": way.name, "rps": round(way.rps), "vs_nginx": round(way.rps / proxy.rps, 4), "p99_closed_ms": round(median([told["p99_ms"] for told in way.closed]), 1),
            "p50_ms": round(way.at(0.5), 2), "p99_ms": round(way.at(0.99), 2),
            "added_p50_ms": round(way.at(0.5) - direct.at(0.5), 2), "added_p99_ms": round(way.at(0.99) - direct.at(0.99), 2),
            "cpu_us": round(sum(way.cpu_us().values())),
        }
        for way in ways
    ]


def _figures(ways: list[Way], length: Length) -> list[Figure]:
    direct, proxy, ours, *others = ways
    rounds, seconds = len(ours.open), length.seconds
    made = []
    for name, share in (("chat_added_p50_ms", 0.5), ("chat_added_p99_ms", 0.99)):
        added = median([quantile(b, share) - quantile(a, share) for a, b in zip(direct.open, ours.open)])
        made.append(Figure(
            name, round(added, 3), "ms",
            f"{RATE} requests/s, open loop, each from the moment it was due, 16 connections, provider with {LATENCY} latency, unique prompts, "
            f"keys on; difference of the same quantile direct and through the suite, median of {rounds} alternating runs of {seconds} s; through "
            f"the suite {ours.at(share):.2f} ms; the client used {ours.client_share:.0%} of a core",
            {"name": "direct", "value": round(direct.at(share), 3), "unit": "ms"}, round(ours.at(share) / direct.at(share), 3),
        ))
    costs = ours.cpu_us()
    shares = ", ".join(f"{name} {costs[name]:.0f}" for name in SERVICES)
    what = f"wrk, 2 threads, {WIDTH} connections, closed loop, instant provider, unique prompts, keys on; median of {len(ours.closed)} alternating runs of {seconds} s"
    slow = median([told["p99_ms"] for told in ours.closed])
    peer = {"name": proxy.name, "value": round(proxy.rps), "unit": "1/s"}
    ratio = round(median([a["rps"] / b["rps"] for a, b in zip(ours.closed, proxy.closed)]), 3)
    made.append(Figure("chat_rps", round(ours.rps), "1/s", f"{what}; p99 {slow:.1f} ms; direct {direct.rps:.0f}/s; CPU a request in us: {shares}", peer, ratio))
    made.append(Figure("chat_rps_vs_nginx", ratio, "ratio", f"{what}; median of the runs' ratios", peer, ratio))
    if others:
        one = others[0]
        more = "".join(f"; against {way.name} {ours.rps / way.rps:.1f}" for way in others[1:])
        times = round(ours.rps / one.rps, 1)
        made.append(Figure("chat_rps_vs_litellm", times, "ratio", f"{what}; LiteLLM in {len(one.closed)} of the rounds, installed for the run, its own config.yaml with model_list alone, no keys, no database{more}", {"name": one.name, "value": round(one.rps), "unit": "1/s"}, times))
    return made
