"""Bad input of every kind: a clear error, nothing crashes, nothing hangs."""

import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from suite import ANTHROPIC, CHAT, EMBEDDINGS, MESSAGES, SERVICES, Suite, prompt, until

USER = [{"role": "user", "content": "x"}]


def assert_openai(reply, status: int, param: str | None = None) -> dict:
    assert reply.status == status, reply
    error = reply.error
    assert {"message", "type", "param", "code"} <= set(error) and error["message"] and error["type"], reply
    if param:
        assert error["param"] == param, reply
    return error


def assert_anthropic(reply, status: int) -> dict:
    assert reply.status == status, reply
    told = reply.json
    assert told["type"] == "error" and told["error"]["type"] and told["error"]["message"], reply
    assert told["request_id"] == reply.headers["request-id"], reply
    return told["error"]


# What clients send


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"model": "assistant"', b"null", b"[]", b'"text"', b"{'model': 1}", b'{"model":"assistant","messages":[}', b"\xff\xfe{}", b'{"a":1}{"b":2}',
     b'{"model":"assistant","messages":[{"role":"user","content":"\xc3\x28"}]}', b"[" * 5000 + b"]" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_json_object_is_400(steady: Suite, body: bytes) -> None:
    assert_openai(steady.request("POST", CHAT, body), 400)
    assert_anthropic(steady.request("POST", MESSAGES, body, headers=ANTHROPIC), 400)
    assert_openai(steady.request("POST", EMBEDDINGS, body), 400)


@pytest.mark.parametrize(
    "change, param",
    [
        ({"model": None}, "model"), ({"model": 7}, "model"), ({"model": ""}, "model"), ({"messages": None}, "messages"), ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"), ({"messages": [7]}, "messages[0]"), ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"), ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": USER + [{"role": "user", "content": {"a": 1}}]}, "messages[1].content"), ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": "many"}, "max_tokens"), ({"max_tokens": -1}, "max_tokens"), ({"n": 0}, "n"), ({"stream": "yes"}, "stream"), ({"tools": {}}, "tools"),
        ({"stop": 7}, "stop"), ({"top_p": []}, "top_p"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_wrong_types_name_the_member(steady: Suite, change: dict, param: str) -> None:
    body = {"model": "assistant", "messages": USER} | change
    body = {name: value for name, value in body.items() if value is not None}
    assert_openai(steady.request("POST", CHAT, body), 400, param)


@pytest.mark.parametrize(
    "change, word",
    [({"max_tokens": None}, "max_tokens"), ({"max_tokens": "x"}, "max_tokens"), ({"messages": None}, "messages"), ({"model": None}, "model"),
     ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"), ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
     ({"system": 7}, "system")],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_wrong_messages_requests_name_the_member(steady: Suite, change: dict, word: str) -> None:
    body = {"model": "assistant", "max_tokens": 9, "messages": USER} | change
    body = {name: value for name, value in body.items() if value is not None}
    assert word in assert_anthropic(steady.request("POST", MESSAGES, body, headers=ANTHROPIC), 400)["message"]


def test_an_unknown_model_names_the_nearest(steady: Suite) -> None:
    error = assert_openai(steady.chat("asistant"), 404)
    assert error["code"] == "model_not_found" and "assistant" in error["message"] and "asistant" in error["message"]
    assert "assistant" in assert_anthropic(steady.chat("asistant", dialect="anthropic"), 404)["message"]
    assert_openai(steady.request("POST", EMBEDDINGS, {"model": "no-such", "input": "x"}), 404)


def test_keys_that_are_missing_or_wrong_are_401(steady: Suite) -> None:
    body = {"model": "assistant", "messages": USER}
    assert assert_openai(steady.request("POST", CHAT, body, key=None), 401)["message"]
    for odd in ("bh_wrong", "x", "bh_" + "A" * 5000, "ümlaut".encode().decode("latin-1")):
        assert_openai(steady.request("POST", CHAT, body, key=odd), 401)
    assert_anthropic(steady.request("POST", MESSAGES, body | {"max_tokens": 9}, key=None, headers=ANTHROPIC), 401)
    assert_openai(steady.request("POST", CHAT, body, key=None, headers={"authorization": "Basic YTpi"}), 401)
    good = steady.request("POST", CHAT, body, key=None, headers={"x-api-key": steady.key})
    assert good.status == 200


def test_routes_and_methods_that_do_not_exist(steady: Suite) -> None:
    assert_openai(steady.request("GET", "/v1/nowhere"), 404)
    assert steady.request("GET", "/nowhere").headers["content-type"].startswith("application/problem+json")
    wrong = steady.request("DELETE", CHAT)
    assert wrong.status == 405 and "POST" in wrong.headers["allow"]
    for path in ("//", "/v1//models", "/%2e%2e/etc/passwd", "/v1/models/%00", "/v1/models/" + "a" * 3000, "/?" + "q" * 3000):
        assert steady.request("GET", path).status in (200, 400, 404, 414), path


def test_every_answer_has_ids_and_security_headers(steady: Suite) -> None:
    replies = [steady.chat(), steady.chat("nobody"), steady.chat(key=None), steady.request("GET", "/nowhere"), steady.request("GET", "/health", key=None),
               steady.request("PUT", CHAT), steady.request("POST", CHAT, b"{")]
    replies[2] = steady.request("POST", CHAT, b"{}", key=None)
    for reply in replies:
        assert reply.headers["x-request-id"] and reply.headers["x-request-id"] == reply.headers["request-id"], reply
        assert len(reply.headers["x-bulkhead-trace-id"]) == 32 and reply.headers["x-content-type-options"] == "nosniff", reply
        assert str(steady.root) not in reply.body.decode(), "no path of the machine"
    assert len({reply.headers["x-request-id"] for reply in replies}) == len(replies)


# How much clients send


def open_request(suite: Suite, head: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", suite.port), 10)
    connection.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {suite.key}\r\nContent-Type: application/json\r\n{head}\r\n".encode())
    return connection


def status_of(connection: socket.socket) -> int:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n" not in data and (piece := connection.recv(4096)):
            data += piece
    assert data.startswith(b"HTTP/1.1 "), f"no answer: {data[:80]!r}"
    return int(data.split()[1])


def test_a_body_announced_too_large_is_refused_before_it_is_read(steady: Suite) -> None:
    with open_request(steady, f"Content-Length: {1 << 40}\r\n") as connection:
        connection.sendall(b"{")
        began = time.monotonic()
        assert status_of(connection) == 413
        assert time.monotonic() - began < 2


def test_a_body_that_grows_too_large_is_refused_before_its_end(steady: Suite) -> None:
    with open_request(steady, "Transfer-Encoding: chunked\r\n") as connection:
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(17):  # the limit here is 1 MiB; the body never ends
                connection.sendall(piece)
        assert status_of(connection) == 413


def test_a_body_at_the_limit_is_read(steady: Suite) -> None:
    body = json.dumps({"model": "assistant", "messages": [{"role": "user", "content": prompt()}]}).encode()
    assert steady.request("POST", CHAT, body + b" " * ((1 << 20) - len(body))).status == 200
    assert_openai(steady.request("POST", CHAT, body + b" " * ((1 << 20) - len(body) + 1)), 413)


def test_requests_that_never_end_do_not_hold_up_others(steady: Suite) -> None:
    slow = [open_request(steady, "Content-Length: 1000\r\n") for _ in range(50)]
    half = [socket.create_connection(("127.0.0.1", steady.port), 10) for _ in range(50)]
    try:
        for connection in half:
            connection.sendall(b"POST /v1/chat/comp")
        reply = steady.chat()
        assert reply.status == 200 and reply.seconds < 3
    finally:
        for connection in slow + half:
            connection.close()


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", bytes(1000), b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
     b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_http_costs_its_connection_only(steady: Suite, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", steady.port), 10) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
            assert not answer or b" 400 " in answer[:20] or b" 4" in answer[:12] or b" 505 " in answer[:20], answer[:200]
    assert steady.chat().status == 200


# What peers send

SOCKETS = [(service, file) for service in SERVICES for file in ("ipc.sock", "admin.sock")]


def dial(suite: Suite, service: str, file: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(f"{suite.root}/r/{service}/{file}")
    return connection


def ends(connection: socket.socket, seconds: float) -> bool:
    """Whether the other end closes the connection in time; what it says before is passed over."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("service, file", SOCKETS)
def test_a_mebibyte_of_garbage_costs_its_connection_only(steady: Suite, service: str, file: str) -> None:
    for garbage in (secrets.token_bytes(1 << 20), b"\xff" * (1 << 20), bytes(1 << 20), b"GET / HTTP/1.1\r\n\r\n" * 60_000):
        with dial(steady, service, file) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(garbage)
            assert ends(connection, 5), f"{service}/{file} keeps a connection that sends garbage"
    assert steady.cli(service, "health").returncode == 0
    assert steady.chat().status == 200


@pytest.mark.parametrize("service, file", SOCKETS)
def test_half_a_frame_does_not_hold_a_connection_for_ever(steady: Suite, service: str, file: str) -> None:
    silent, half, huge = (dial(steady, service, file) for _ in range(3))
    with silent, half, huge:
        half.sendall(struct.pack("<IBBHII", 100, 1, 0, 0, 0, 0)[:9])
        huge.sendall(struct.pack("<IBBHII", 0xFFFFFFFF, 1, 0, 0, 0, 0))
        assert ends(huge, 3), "a frame larger than allowed is refused at its header"
        assert ends(silent, 5) and ends(half, 5), "who does not say hello within a second is gone"
    assert steady.cli(service, "health").returncode == 0


def hello(service: str) -> bytes:
    """A HELLO by hand: magic, version 1.0, the caller's name, an instance."""
    message = b"\x0d" + struct.pack("<I", 0x484B4C42) + b"\x10\x01\x18\x00" + b"\x22" + bytes([len(service)]) + service.encode()
    message += b"\x2a\x10" + secrets.token_bytes(16)
    return struct.pack("<IBBHII", len(message), 1, 0, 0, 0, 0) + message


def test_a_stranger_is_not_served(steady: Suite) -> None:
    with dial(steady, "router", "ipc.sock") as connection:
        connection.sendall(hello("edge"))
        answer = connection.recv(65536)
        assert answer[4] == 2, "a caller on the list is answered by a HELLO_ACK: the greeting of this test is a good one"
    for name in ("stranger", "", "telemetry"):
        with dial(steady, "router", "ipc.sock") as connection:
            connection.sendall(hello(name))
            assert ends(connection, 5), f"the router serves a caller named {name!r}"
    with dial(steady, "credentials", "admin.sock") as connection:
        connection.sendall(hello("edge"))
        assert ends(connection, 5), "admin.sock is for the command line"


def test_frames_that_break_the_protocol_end_the_connection(steady: Suite) -> None:
    for frame in (struct.pack("<IBBHII", 0, 0x42, 0, 0, 1, 0), struct.pack("<IBBHII", 0, 3, 0xF0, 0, 1, 0), struct.pack("<IBBHII", 5, 3, 4, 999, 1, 0) + b"hello"):
        with dial(steady, "router", "ipc.sock") as connection:
            connection.sendall(hello("edge") + frame)
            assert ends(connection, 5), frame
    assert steady.chat().status == 200


# Where it is started


def serve(suite: Suite, service: str, seconds: float = 10):
    return suite.cli(service, "serve", seconds=seconds)


@pytest.fixture
def stopped(own_suite) -> Suite:
    """A suite's folders and configuration, with nothing running."""
    suite = own_suite()
    suite.write()
    return suite


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("place, mode", [("r", 0o757), ("r", 0o755), ("s", 0o750)])
def test_a_folder_others_may_enter_is_refused(stopped: Suite, service: str, place: str, mode: int) -> None:
    folder = stopped.root / place / service
    folder.mkdir(parents=True)
    folder.chmod(mode)
    done = serve(stopped, service)
    assert done.returncode not in (0, 75, 78) and str(folder) in done.stderr and "chmod" in done.stderr, done


def test_a_folder_of_somebody_else_is_refused(stopped: Suite) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = stopped.root / "r" / "router"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    os.chown(folder, 12345, -1)
    done = serve(stopped, "router")
    assert done.returncode == 1 and "12345" in done.stderr and "chown" in done.stderr, done


def test_a_folder_that_is_a_link_is_refused(stopped: Suite) -> None:
    (stopped.root / "elsewhere").mkdir(mode=0o700)
    (stopped.root / "r").mkdir()
    (stopped.root / "r" / "router").symlink_to(stopped.root / "elsewhere")
    done = serve(stopped, "router")
    assert done.returncode == 1 and str(stopped.root / "r" / "router") in done.stderr, done


@pytest.mark.parametrize("file", ["ipc.sock", "admin.sock"])
def test_a_file_at_the_place_of_a_socket_is_refused_and_kept(stopped: Suite, file: str) -> None:
    path = stopped.root / "r" / "router" / file
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o750)
    path.write_text("precious")
    done = serve(stopped, "router")
    assert done.returncode == 1 and str(path) in done.stderr and "not a socket" in done.stderr, done
    assert path.read_text() == "precious"


def test_a_path_too_long_for_a_socket_is_refused(stopped: Suite) -> None:
    stopped.document["suite"]["run_dir"] = str(stopped.root / ("long" * 25))
    stopped.write()
    done = serve(stopped, "router")
    assert done.returncode in (1, 78) and "run_dir" in done.stderr, done


def test_stale_sockets_are_replaced(own_suite) -> None:
    suite = own_suite()
    for service in SERVICES:
        folder = suite.root / "r" / service
        folder.mkdir(parents=True)
        folder.chmod(0o750)
        for file in ("ipc.sock", "admin.sock"):
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(str(folder / file))
    suite.begin()
    assert suite.chat().status == 200


def test_a_damaged_store_is_told_and_kept(own_suite) -> None:
    suite = own_suite().begin()
    suite.stop()
    (store,) = (suite.root / "s" / "session").glob("*.sqlite")
    store.write_bytes(b"not a database, but somebody's data " * 1000)
    for extra in (suite.root / "s" / "session").glob("*.sqlite-*"):
        extra.unlink()
    done = serve(suite, "session", 15)
    assert done.returncode == 1 and store.name in done.stderr, done
    assert store.read_bytes().startswith(b"not a database")


def test_up_with_a_bad_configuration_exits_78_and_starts_nothing(own_suite) -> None:
    suite = own_suite(lambda document: document["router"].update(cashe={}))
    suite.launch()
    assert suite.up.wait(20) == 78
    assert "cashe" in suite.log() and "did you mean cache" in suite.log(), suite.tail()
    assert suite.alive() == []
