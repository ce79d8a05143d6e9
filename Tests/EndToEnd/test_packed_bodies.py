"""Request bodies with content-encoding: what is understood, what is refused, and what no bomb gets out of it."""

import concurrent.futures
import contextlib
import gzip
import http.client
import json
import re
import secrets
import socket
import zlib
from pathlib import Path
from typing import Any, Callable

import pytest

from suite import CHAT, EMBEDDINGS, MESSAGES, Reply, Suite, prompt

MEGABYTE = 1 << 20


def bare(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


def in_members(body: bytes) -> bytes:
    half = len(body) // 2
    return gzip.compress(body[:half]) + gzip.compress(b"") + gzip.compress(body[half:])


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress), ("GZip", in_members), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", bare),
    ("identity", bytes), ("identity, gzip", gzip.compress), ("", bytes),
]


def send(suite: Suite, body: bytes, coding: str, path: str = CHAT, key: str | None = "", **headers: str) -> Reply:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return suite.request("POST", path, body, key, {"content-encoding": coding} | more, 30)


def chat(text: str, **more: Any) -> bytes:
    return json.dumps({"model": "assistant", "messages": [{"role": "user", "content": text}]} | more).encode()


def code(reply: Reply) -> str:
    return reply.error["code"]


@pytest.mark.parametrize("coding, pack", PACKERS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_packed_body_is_the_body(steady: Suite, coding: str, pack: Callable[[bytes], bytes]) -> None:
    text = prompt()
    assert send(steady, pack(chat(text)), coding).status == 200
    (seen,) = steady.provider.seen(text)
    assert seen["body"]["messages"][0]["content"] == text


@pytest.mark.parametrize("path, body", [
    (MESSAGES, {"model": "scribe", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]}),
    ("/v1/messages/count_tokens", {"model": "scribe", "messages": [{"role": "user", "content": "x"}]}),
    ("/v1/responses", {"model": "assistant", "input": "x"}),
    (EMBEDDINGS, {"model": "vectors", "input": "x"}),
    ("/v1/moderations", {"input": "x"}),
])
def test_every_route_of_json_takes_it(steady: Suite, path: str, body: dict[str, Any]) -> None:
    plain = steady.request("POST", path, body)
    packed = send(steady, gzip.compress(json.dumps(body).encode()), "gzip", path)
    assert packed.status == plain.status and packed.status != 415, (str(plain), str(packed))
    assert send(steady, b"{}", "br", path).status == 415


def test_ik20_packed_or_plain_is_the_same_request(steady: Suite) -> None:
    text, once = prompt(), secrets.token_hex(12)
    plain, spaced = chat(text), json.dumps(json.loads(chat(text)), indent=3).encode()
    first = send(steady, gzip.compress(plain), "gzip", idempotency_key=once)
    assert first.status == 200, first
    again = [send(steady, plain, "identity", idempotency_key=once), send(steady, zlib.compress(spaced), "deflate", idempotency_key=once)]
    for reply in again:
        assert reply.status == 200 and reply.headers["idempotent-replayed"] == "true" and reply.body == first.body, reply
    assert len(steady.provider.seen(text)) == 1
    assert send(steady, gzip.compress(chat(text, seed=1)), "gzip", idempotency_key=once).status == 422


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "gzip, br", "aws-chunked", "gzip;q=1", "*"])
def test_another_coding_is_415_and_says_which_are_understood(steady: Suite, coding: str) -> None:
    reply = send(steady, gzip.compress(chat(prompt())), coding)
    assert reply.status == 415 and code(reply) == "unsupported_content_encoding", reply
    assert reply.headers["accept-encoding"] == "gzip, deflate"
    assert reply.headers["x-should-retry"] is None and coding not in reply.error["message"]


def test_who_has_no_good_key_learns_nothing_of_codings(steady: Suite) -> None:
    assert send(steady, b"?", "br", key=None).status == 401
    assert send(steady, b"?", "br", key="bh_nobody").status == 401


WHOLE = gzip.compress(chat("x" * 5000))


@pytest.mark.parametrize("body", [
    WHOLE[:-1], WHOLE[:-9], WHOLE[:12], b"\x1f", WHOLE + b"trailing", WHOLE + b"\x00" * 20, WHOLE[:-8] + bytes(8), chat("plain"),
    WHOLE[:20] + bytes([WHOLE[20] ^ 0xFF]) + WHOLE[21:], zlib.compress(chat("x")),
], ids=["no-end", "no-checksum", "half-a-head", "one-byte", "garbage-behind", "zeros-behind", "wrong-checksum", "plain", "flipped", "deflate"])
def test_a_damaged_body_is_400(steady: Suite, body: bytes) -> None:
    reply = send(steady, body, "gzip")
    assert reply.status == 400 and code(reply) == "invalid_content_encoding", reply
    assert "content" in reply.error["message"]


@pytest.mark.parametrize("body", [b"", gzip.compress(b""), gzip.compress(b"no JSON")])
def test_what_is_well_packed_and_no_json_is_told_so(steady: Suite, body: bytes) -> None:
    reply = send(steady, body, "gzip")
    assert reply.status == 400 and code(reply) == "invalid_json", reply


def test_the_limit_is_that_of_the_plain_body(steady: Suite) -> None:
    """1 MiB (`edge.max_json` of these suites), of text that packs well, yet no bomb."""
    words = " ".join(secrets.token_hex(2) for _ in range(400_000))
    fits, too_long = chat(words[: MEGABYTE - 300]), chat(words[: MEGABYTE + 1])
    assert len(fits) < MEGABYTE < len(too_long) and len(gzip.compress(too_long)) < MEGABYTE
    assert send(steady, gzip.compress(fits), "gzip").status == 200
    refused = send(steady, gzip.compress(too_long), "gzip")
    assert refused.status == 413 and code(refused) == "payload_too_large", refused
    assert str(MEGABYTE) in refused.error["message"] and "edge.max_json" in refused.error["message"]


@pytest.mark.parametrize("coding, status", [("gzip", 200), ("br", 415)])
def test_a_client_that_waits_is_told_to_go_on_unless_its_coding_is_not_understood(steady: Suite, coding: str, status: int) -> None:
    body = gzip.compress(chat(prompt()))
    with contextlib.closing(socket.create_connection(("127.0.0.1", steady.port), 15)) as wire, wire.makefile("rb") as file:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {steady.key}\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n"
        wire.sendall(f"{head}Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        first = file.readline()
        if status == 200:
            assert b" 100 " in first and file.readline() == b"\r\n"
            wire.sendall(body)
            first = file.readline()
        assert f" {status} ".encode() in first, first


def test_a_body_may_come_in_chunks_of_any_size(steady: Suite) -> None:
    text = prompt()
    body = gzip.compress(chat(text))
    connection = http.client.HTTPConnection("127.0.0.1", steady.port, timeout=15)
    with contextlib.closing(connection):
        headers = {"content-type": "application/json", "content-encoding": "gzip", "authorization": f"Bearer {steady.key}"}
        connection.request("POST", CHAT, (body[place : place + 1] for place in range(len(body))), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        # The connection goes on behind it.
        connection.request("POST", CHAT, gzip.compress(chat(prompt())), headers)
        assert connection.getresponse().status == 200
    assert len(steady.provider.seen(text)) == 1


# Bombs


def wide(document: dict[str, Any]) -> None:
    document["edge"]["max_json"] = "32MiB"


def most_memory(suite: Suite) -> int:
    """Bytes edge ever held at once."""
    status = Path(f"/proc/{suite.pids()['edge']}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def deflated(bytes_out: int, prefix: bytes = b"") -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    made, block = [packer.compress(prefix)], bytes(MEGABYTE)
    made += [packer.compress(block) for _ in range(bytes_out // MEGABYTE)]
    return b"".join(made) + packer.flush()


def test_bombs_are_refused_with_bounded_memory(own_suite) -> None:
    suite = own_suite(wide).begin()
    assert suite.chat().status == 200
    before = most_memory(suite)
    bomb = deflated(1024 * MEGABYTE)
    assert len(bomb) < 1.1 * MEGABYTE
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: send(suite, bomb, "gzip"), range(24)))
    assert {(reply.status, code(reply)) for reply in told} == {(413, "payload_too_large")}
    assert "200 times" in told[0].error["message"], told[0]
    assert most_memory(suite) - before < 64 * MEGABYTE, "each stops long before the limit"
    # One that hides behind honest bytes gets as far as the limit.
    hidden = deflated(128 * MEGABYTE, secrets.token_bytes(MEGABYTE))
    reply = send(suite, hidden, "gzip")
    assert reply.status == 413 and "edge.max_json" in reply.error["message"], reply
    assert most_memory(suite) - before < 192 * MEGABYTE, "no more than a plain body of the limit's size would take"
    assert suite.chat().status == 200


def test_nothing_in_ten_thousand_members_is_refused_soon(own_suite) -> None:
    suite = own_suite(wide).begin()
    empty = gzip.compress(b"")
    told = send(suite, empty * 10_000, "gzip")
    assert told.status == 400 and code(told) == "invalid_content_encoding", told
    assert told.seconds < 3
    nested = send(suite, empty * 100 + gzip.compress(chat(prompt())), "gzip")
    assert nested.status == 200, nested


def test_others_are_served_while_bombs_go_off(own_suite) -> None:
    suite = own_suite(wide).begin()
    suite.chat()
    hidden = deflated(256 * MEGABYTE, secrets.token_bytes(MEGABYTE))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        bombs = [pool.submit(lambda: send(suite, hidden, "gzip")) for _ in range(12)]
        slowest = max(suite.request("GET", "/health", key=None).seconds for _ in range(50))
        assert {bomb.result().status for bomb in bombs} == {413}
    assert slowest < 1, "a body is unpacked by turns"
