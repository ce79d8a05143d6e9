"""Streams: many at a pace, and thousands that are silent."""

from __future__ import annotations

import contextlib
import resource
import time

import streams
from figures import Figure, Length, chats, median, pss_kib
from load import Failed, quantile
from stand import IDLE, LONG, SERVICES, Stand

WIDTH, PACE = 500, 50
HELD = 5000


def paced(stand: Stand, length: Length) -> list[Figure]:
    suite, rounds = stand.suite, length.of(3)
    count = 2 * WIDTH
    without, within = [], []
    for _ in range(rounds):
        without.append(streams.paced(stand.instant.port, chats(count, LONG, suite.key, stream=True), WIDTH, 1 / PACE))
        within.append(streams.paced(suite.port, chats(count, "long", suite.key, stream=True), WIDTH, 1 / PACE))
    conditions = (
        f"{WIDTH} streams at once, {PACE} tokens/s each, 5 s long, {count} a run, unique prompts, keys on; median of {rounds} alternating runs; "
        f"the client used {max(run.client_share for run in within):.0%} of a core"
    )
    plain, ours = ([quantile(run.first_token_ms, 0.99) for run in runs] for runs in (without, within))
    added = median([b - a for a, b in zip(plain, ours)])
    middle = median([quantile(b.first_token_ms, 0.5) - quantile(a.first_token_ms, 0.5) for a, b in zip(without, within)])
    late, late_direct = (median([float(run.late) for run in runs]) for runs in (within, without))
    tokens = median([float(run.tokens) for run in within])
    return [
        Figure(
            "stream_ttft_added_p99_ms", round(added, 3), "ms",
            f"{conditions}; difference of the p99 direct and through the suite; of the p50 {middle:.2f} ms; slowest through the suite {max(max(run.first_token_ms) for run in within):.1f} ms",
            {"name": "direct", "value": round(median(plain), 3), "unit": "ms"}, None,
        ),
        Figure(
            "stream_late_tokens", round(max(0.0, late - late_direct)), "tokens",
            f"{conditions}; tokens more than 20 ms after their turn, of {tokens:.0f}: through the suite {late:.0f}, direct {late_direct:.0f}; the latest by {max(run.latest_ms for run in within):.0f} ms",
            {"name": "direct", "value": late_direct, "unit": "tokens"}, None,
        ),
    ]


def idle(stand: Stand, length: Length) -> list[Figure]:
    needed = HELD + 512
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Failed(f"at most {hard} descriptors are allowed, {needed} are needed: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(needed, hard) if hard != resource.RLIM_INFINITY else needed), hard))
    suite = stand.fresh()
    try:
        with contextlib.suppress(Failed), streams.held(suite.port, chats(20, "silent", suite.key, stream=True)):
            pass
        time.sleep(2)
        before = pss_kib(suite.pids())
        with streams.held(suite.port, chats(HELD, "silent", suite.key, stream=True)):
            time.sleep(2)
            during = pss_kib(suite.pids())
    finally:
        suite.close()
    grown = {name: (during[name] - before[name]) / HELD for name in SERVICES}
    parts = ", ".join(f"{name} {grown[name]:.1f}" for name in SERVICES)
    return [Figure("idle_stream_kib", round(sum(grown.values()), 1), "KiB", f"{HELD} streams that fell silent after their first token, all held at once, keys on; growth of the PSS of all six processes for each: {parts}")]
