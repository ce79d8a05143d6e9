"""Admissions through the session process, as edge asks for them, on each pair of stores; and the disk below."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator

from figures import Figure, Length, cpu, median
from load import Failed
from stand import Stand, Suite, initial, placed, wide
from suite import BIN

WIDE = {"rpm": 10_000_000, "tpm": 1_000_000_000_000, "concurrency": 100_000}


@contextlib.contextmanager
def suite(stand: Stand, stores: dict[str, Any]) -> Iterator[Suite]:
    def change(made: dict[str, Any]) -> None:
        document = initial()
        wide(document, stand.paced.url, stand.instant.url)
        document["suite"]["stores"] = stores
        document.setdefault("session", {})["limits"] = {"per_user": WIDE, "per_tenant": WIDE}
        placed(document, made)

    running = Suite(stand.instant, change)
    running.secrets = {name: f"bench-secret-of-{name.lower()}-0123" for name in ("PACED_KEY", "INSTANT_KEY")}
    try:
        yield running.begin()
    finally:
        running.close()


def bench(*words: Any, key: str = "") -> Any:
    done = subprocess.run([str(BIN / "bulkhead-session-bench"), *map(str, words)], input=key + "\n", capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        raise Failed(f"bulkhead-session-bench {words[0]} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def admissions(running: Suite, key: str, count: int, *options: str) -> Any:
    return bench("admissions", Path(running.document["suite"]["run_dir"]) / "session" / "ipc.sock", "--count", count, *options, key=key)


def sync(folder: str) -> str:
    """What the device takes, in words."""
    took = bench("sync", folder)
    return f"a synced append of 4 KiB to this device takes {took['p50_us']:.0f} µs (p99 {took['p99_us']:.0f})"


def rate(running: Suite, key: str, length: Length, name: str, count: int, what: str, *options: str) -> Figure:
    """Requests a second, median of the rounds, and what session's processor had of it."""
    with cpu(lambda: {"session": [running.pids()["session"]]}) as used:
        rounds = [admissions(running, key, count, *options) for _ in range(length.rounds)]
    each = used["session"] / (length.rounds * 1.1 * count) * 1e6  # a tenth is warm-up
    p50, p99 = (median([told["took"][share] for told in rounds]) for share in ("p50_us", "p99_us"))
    return Figure(name, round(median([count / told["seconds"] for told in rounds])), "1/s", f"{what}, {count} requests, median of {length.rounds}; p50 {p50:.0f} µs, p99 {p99:.0f} µs; session uses {each:.0f} µs of CPU a request")


def embedded(stand: Stand, length: Length) -> list[Figure]:
    with suite(stand, {"durable": "sqlite", "fast": "local"}) as running:
        key = running.new_key()["key"]
        alone = [admissions(running, key, 2000 * length.seconds)["took"] for _ in range(length.rounds)]
        return [
            rate(running, key, length, "admit_settle_per_s", 10_000 * length.seconds, "key, limits of requests, tokens and places; each end travels with the next admission; 64 at once over one link", "--in-flight", "64"),
            Figure("admit_p50_ms", round(median([told["p50_us"] for told in alone]) / 1000, 4), "ms", f"the same one after the other; p99 {median([told['p99_us'] for told in alone]) / 1000:.3f} ms"),
            rate(running, key, length, "admit_keyed_per_s_sqlite", 2000 * length.seconds, f"admitted, dispatched and settled with 1 KB, each durable (FULL) before it is answered; 256 at once; {sync(running.document['suite']['state_dir'])}", "--keyed", "--in-flight", "256"),
        ]


def postgres(stand: Stand, length: Length) -> list[Figure]:
    from postgres_server import PostgresServer

    with contextlib.closing(PostgresServer()) as server, suite(stand, {"durable": "postgres", "fast": "local", "postgres": {"url": server.url, "connections": 20}}) as running:
        key = running.new_key()["key"]
        return [rate(running, key, length, "admit_keyed_per_s_postgres", 1000 * length.seconds, f"as on SQLite, PostgreSQL 15 on the same machine by a Unix socket, 14 connections, synchronous_commit on; 256 at once; {sync(tempfile.gettempdir())}", "--keyed", "--in-flight", "256")]


def redis(stand: Stand, length: Length) -> list[Figure]:
    from redis_server import RedisServer

    with tempfile.TemporaryDirectory(prefix="br") as folder, contextlib.closing(RedisServer(Path(folder))) as server:
        with suite(stand, {"durable": "sqlite", "fast": "redis", "redis": {"url": f"unix://{server.socket}"}}) as running:
            key = running.new_key()["key"]
            alone = [admissions(running, key, 1000 * length.seconds)["took"] for _ in range(length.rounds)]
            return [
                Figure("admit_redis_p50_ms", round(median([told["p50_us"] for told in alone]) / 1000, 4), "ms", f"limits in Redis 7 by a Unix socket, one after the other; p99 {median([told['p99_us'] for told in alone]) / 1000:.3f} ms"),
                rate(running, key, length, "admit_settle_per_s_redis", 2000 * length.seconds, "limits in Redis 7 by a Unix socket; 64 at once", "--in-flight", "64"),
            ]


def measured(stand: Stand, length: Length) -> list[Figure]:
    return embedded(stand, length) + postgres(stand, length) + redis(stand, length)
