"""The measurements. Each gives figures; what could not be measured raises, and then has no figure."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import statistics
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import psutil

import contestants
import ipc as ipc_figures
import load
from load import Failed, quantile
from stand import EMBEDDER, INSTANT, LATENCY, PACED, SERVICES, STREAMING, Stand, Suite, moment, nginx, until, wrk

CHAT = "/v1/chat/completions"


@dataclasses.dataclass
class Figure:
    """`peer` is what it was measured against in the same run, `ratio` the figure relative to that."""

    name: str
    value: float
    unit: str
    conditions: str
    peer: dict[str, Any] | None = None
    ratio: float | None = None


@dataclasses.dataclass
class Length:
    """How long the runs are."""

    rounds: int
    seconds: int

    def of(self, most: int) -> int:
        return min(self.rounds, most)


def median(values: list[float]) -> float:
    return statistics.median(values)


def ipc(stand: Stand, length: Length) -> list[Figure]:
    try:
        return [Figure(*figure) for figure in ipc_figures.measured(length.of(5), length.seconds)]
    except contestants.Failed as error:
        raise Failed(str(error)) from None


def _chat(model: str, key: str, run: str, number: int, **more: Any) -> bytes:
    text = f"Question {run} {number}: which knot holds two ropes of different thickness, and how is it tied so that it can be untied?"
    return load.request(CHAT, {"model": model, "messages": [{"role": "user", "content": text}]} | more, key)


def _chats(count: int, model: str, key: str, **more: Any) -> list[bytes]:
    run = moment()
    return [_chat(model, key, run, number, **more) for number in range(count)]


def chat_added(stand: Stand, length: Length) -> list[Figure]:
    suite, rate = stand.suite, 200
    direct = lambda count: load.open_loop(stand.paced.port, _chats(count, "demo-chat", suite.key), rate)  # noqa: E731
    through = lambda count: load.open_loop(suite.port, _chats(count, PACED, suite.key), rate)  # noqa: E731
    direct(rate), through(rate)
    without, within = [], []
    rounds = length.of(5)
    for _ in range(rounds):
        without.append(direct(rate * length.seconds))
        within.append(through(rate * length.seconds))
    figures = []
    for name, share in (("chat_added_p50_ms", 0.5), ("chat_added_p99_ms", 0.99)):
        plain, ours = ([quantile(run, share) for run in runs] for runs in (without, within))
        added = median([b - a for a, b in zip(plain, ours)])
        figures.append(Figure(
            name, round(added, 3), "ms",
            f"{rate} requests/s, open loop, 16 connections, provider with {LATENCY} latency, unique prompts, keys on; difference of the same "
            f"quantile direct and through the suite, median of {rounds} alternating runs of {length.seconds} s; through the suite {median(ours):.2f} ms",
            {"name": "direct", "value": round(median(plain), 3), "unit": "ms"}, round(median(ours) / median(plain), 3),
        ))
    return figures


@contextlib.contextmanager
def _cpu(pids: dict[str, int]) -> Iterator[dict[str, float]]:
    """Seconds of CPU each process used in the block."""
    watched = {name: psutil.Process(pid) for name, pid in pids.items()}
    spent = lambda: {name: sum(process.cpu_times()[:2]) for name, process in watched.items()}  # noqa: E731
    before = spent()
    used: dict[str, float] = {}
    yield used
    used.update({name: after - before[name] for name, after in spent().items()})


def chat_rps(stand: Stand, length: Length) -> list[Figure]:
    suite, seconds, rounds = stand.suite, length.seconds, length.of(3)
    rates: dict[str, list[float]] = {"direct": [], "nginx": [], "suite": []}
    costs: dict[str, float] = {}
    answered, spread = 0.0, []
    with nginx(stand.instant.port) as proxy:
        wrk(suite.port, INSTANT, suite.key, moment(), 2)
        for _ in range(rounds):
            rates["direct"].append(wrk(stand.instant.port, "demo-chat", suite.key, moment(), seconds)["rps"])
            rates["nginx"].append(wrk(proxy, "demo-chat", suite.key, moment(), seconds)["rps"])
            with _cpu(suite.pids()) as used:
                told = wrk(suite.port, INSTANT, suite.key, moment(), seconds)
            rates["suite"].append(told["rps"])
            spread.append(told["p99_ms"])
            answered += told["requests"]
            for name, value in used.items():
                costs[name] = costs.get(name, 0) + value
    ours, its = median(rates["suite"]), median(rates["nginx"])
    ratio = median([a / b for a, b in zip(rates["suite"], rates["nginx"])])
    shares = ", ".join(f"{name} {costs[name] / answered * 1e6:.0f}" for name in SERVICES)
    what = f"wrk, 2 threads, 32 connections, closed loop, instant provider, unique prompts, keys on; median of {rounds} alternating runs of {seconds} s"
    peer = {"name": "nginx proxy_pass, 2 workers, keep-alive", "value": round(its), "unit": "1/s"}
    return [
        Figure("chat_rps", round(ours), "1/s", f"{what}; p99 {median(spread):.1f} ms; direct {median(rates['direct']):.0f}/s; CPU a request in us: {shares}", peer, round(ratio, 3)),
        Figure("chat_rps_vs_nginx", round(ratio, 3), "ratio", f"{what}; median of the runs' ratios", peer, round(ratio, 3)),
    ]


def exact_hit(stand: Stand, length: Length) -> list[Figure]:
    suite, count = stand.suite, 500 * length.seconds
    data = _chat(INSTANT, suite.key, moment(), 0)
    load.closed_loop(suite.port, [data] * 200)
    took, last = load.closed_loop(suite.port, [data] * count)
    if b"x-bulkhead-cache: exact" not in last.lower():
        raise Failed(f"the cache did not answer: {last[:600]!r}")
    return [Figure("exact_hit_p50_ms", round(quantile(took, 0.5), 3), "ms", f"one prompt {count} times on one connection, keys on; p99 {quantile(took, 0.99):.3f} ms")]


WORDS = "rope knot boat wind rain snow fire wood iron gold bird fish horse tree river stone bread salt wine milk king queen".split()


def embed(stand: Stand, length: Length) -> list[Figure]:
    suite, count, chooser = stand.suite, 50 * length.seconds, random.Random(time.time_ns())

    def bodies(number: int) -> list[bytes]:
        # Eleven words of one token each, besides [CLS] and [SEP]; a text never comes twice, so that no cache answers.
        texts = [" ".join(chooser.sample(WORDS, 11)) for _ in range(number)]
        return [load.request("/v1/embeddings", {"model": EMBEDDER, "input": text}, suite.key) for text in texts]

    load.closed_loop(suite.port, bodies(20))
    took, last = load.closed_loop(suite.port, bodies(count))
    if b'"prompt_tokens":13' not in last.replace(b" ", b""):
        raise Failed(f"an input had not 13 tokens: {last[-200:]!r}")
    return [Figure("embed_p50_ms", round(quantile(took, 0.5), 3), "ms", f"built-in model, 13 tokens, {count} unique inputs one after the other through POST /v1/embeddings; p99 {quantile(took, 0.99):.2f} ms")]


def stream_first_token(stand: Stand, length: Length) -> list[Figure]:
    suite, width, rounds = stand.suite, 50, length.of(3)
    count = width * length.seconds
    without, within = [], []
    for _ in range(rounds):
        without.append(load.streams(stand.instant.port, _chats(count, STREAMING, suite.key, stream=True), width))
        within.append(load.streams(suite.port, _chats(count, "stream", suite.key, stream=True), width))
    plain, ours = ([quantile(run, 0.99) for run in runs] for runs in (without, within))
    added = median([b - a for a, b in zip(plain, ours)])
    return [Figure(
        "stream_ttft_added_p99_ms", round(added, 3), "ms",
        f"{width} streams at once, 50 tokens of 50/s each, {count} streams a run; difference of the p99 direct and through the suite, median of "
        f"{rounds} alternating runs; p50 through the suite {median([quantile(run, 0.5) for run in within]):.2f} ms",
        {"name": "direct", "value": round(median(plain), 3), "unit": "ms"}, None,
    )]


def _launched(stand: Stand, use: Callable[[Suite, float], None]) -> None:
    """Starts a new suite on the settings of `bulkhead init`, waits for /ready and tells the seconds that took."""
    suite = stand.first_look()
    try:
        suite.write()
        began = time.perf_counter()
        suite.launch()
        until(lambda: suite.request("GET", "/ready", key=None, seconds=3).status == 200, 30, "GET /ready to answer 200", every=0.002)
        took = time.perf_counter() - began
        use(suite, took)
    except AssertionError as error:
        raise Failed(f"{error}; log: {suite.tail()}") from None
    finally:
        suite.close()


def ready(stand: Stand, length: Length) -> list[Figure]:
    took: list[float] = []
    for _ in range(length.of(5)):
        _launched(stand, lambda _, seconds: took.append(seconds))
    return [Figure("ready_s", round(median(took), 3), "s", f"from the start of `bulkhead up`, checks of the configuration included, with empty state, to the first 200 of GET /ready; median of {len(took)}, longest {max(took):.2f}")]


def memory(stand: Stand, length: Length) -> list[Figure]:
    found: dict[str, float] = {}

    def look(suite: Suite, _: float) -> None:
        time.sleep(5)  # idle is what is measured
        for name, pid in suite.pids().items():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    found[name] = int(line.split()[1]) / 1024

    _launched(stand, look)
    parts = ", ".join(f"{name} {found[name]:.1f}" for name in SERVICES)
    return [Figure("pss_idle_mb", round(sum(found[name] for name in SERVICES), 1), "MB", f"5 s after ready, no request yet, no model loaded; {parts}")]


ALL: dict[str, Callable[[Stand, Length], list[Figure]]] = {
    "ipc": ipc, "ready": ready, "memory": memory, "chat_added": chat_added, "chat_rps": chat_rps, "exact_hit": exact_hit,
    "embed": embed, "stream": stream_first_token,
}
