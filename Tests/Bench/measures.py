"""The measurements. Each gives figures; what could not be measured raises, and then has no figure."""

from __future__ import annotations

import random
import time
from typing import Callable

import contestants
import credentials
import ipc as ipc_figures
import load
import manystreams
import session
import sidebyside
from figures import Figure, Length, chat, median, pss_kib
from load import Failed, quantile
from stand import EMBEDDER, INSTANT, SERVICES, Stand, Suite, moment, until


def ipc(stand: Stand, length: Length) -> list[Figure]:
    try:
        return [Figure(*figure) for figure in ipc_figures.measured(length.of(5), length.seconds)]
    except contestants.Failed as error:
        raise Failed(str(error)) from None


def exact_hit(stand: Stand, length: Length) -> list[Figure]:
    suite, count = stand.suite, 500 * length.seconds
    data = chat(INSTANT, suite.key, moment(), 0)
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
        found.update({name: kib / 1024 for name, kib in pss_kib(suite.pids()).items()})

    _launched(stand, look)
    parts = ", ".join(f"{name} {found[name]:.1f}" for name in SERVICES)
    return [Figure("pss_idle_mb", round(sum(found[name] for name in SERVICES), 1), "MB", f"5 s after ready, no request yet, no model loaded; {parts}")]


ALL: dict[str, Callable[[Stand, Length], list[Figure]]] = {
    "ipc": ipc, "ready": ready, "memory": memory, "chat": sidebyside.chat, "exact_hit": exact_hit, "embed": embed,
    "streams": manystreams.paced, "idle_streams": manystreams.idle, "credentials": credentials.measured, "session": session.measured,
}
