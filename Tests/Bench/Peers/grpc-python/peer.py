"""Python grpcio: generic handlers on a thread pool, a client with one thread per call in flight, one warm channel, plain bytes.

peer.py serve SOCKET | call SOCKET | stream SOCKET, with --size, --count, --in-flight and --warmup.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import time
from concurrent import futures
from typing import Any, Iterator

import grpc

METHODS = ("/bench.Echo/Unary", "/bench.Echo/Stream")


def repeated(request: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
    """The request is the number of messages, eight bytes little-endian, and one message to repeat."""
    message = request[8:]
    for _number in range(struct.unpack_from("<Q", request)[0]):
        yield message


def serve(options: argparse.Namespace) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", {
        "Unary": grpc.unary_unary_rpc_method_handler(lambda request, _: request),
        "Stream": grpc.unary_stream_rpc_method_handler(repeated),
    }),))
    server.add_insecure_port(f"unix:{options.socket}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def calls(method: Any, size: int, count: int) -> list[int]:
    request, took = bytes([7]) * size, []
    for _ in range(count):
        start = time.monotonic_ns()
        if len(method(request)) != size:
            raise SystemExit("the reply has another length")
        took.append(time.monotonic_ns() - start)
    return took


def closed_loop(method: Any, options: argparse.Namespace, count: int) -> list[int]:
    if options.in_flight == 1:
        return calls(method, options.size, count)
    with futures.ThreadPoolExecutor(options.in_flight) as pool:
        parts = [pool.submit(calls, method, options.size, count // options.in_flight) for _ in range(options.in_flight)]
        return [value for part in parts for value in part.result()]


def receive(method: Any, options: argparse.Namespace, count: int) -> list[int]:
    got = sum(len(message) == options.size for message in method(struct.pack("<Q", count) + bytes([7]) * options.size))
    if got != count:
        raise SystemExit(f"{got} of {count} messages arrived")
    return []


def call(options: argparse.Namespace) -> None:
    warmup = max(options.in_flight, options.count // 10) if options.warmup is None else options.warmup
    with grpc.insecure_channel(f"unix:{options.socket}") as channel:
        streams = options.verb == "stream"
        method = channel.unary_stream(METHODS[1]) if streams else channel.unary_unary(METHODS[0])
        run = receive if streams else closed_loop
        run(method, options, warmup)
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        took = sorted(run(method, options, options.count))
        seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    told = {name: took[min(len(took) - 1, int(len(took) * share))] / 1000 for name, share in (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)) if took}
    print(json.dumps(told | {
        "count": len(took) or options.count,
        "seconds": seconds,
        "cpu_us": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6,
        "switches": after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw,
    }))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["serve", "call", "stream"])
    parser.add_argument("socket")
    for name, value in (("--size", 1024), ("--count", 20000), ("--in-flight", 1), ("--warmup", None)):
        parser.add_argument(name, type=int, default=value)
    options = parser.parse_args()
    serve(options) if options.verb == "serve" else call(options)


if __name__ == "__main__":
    main()
