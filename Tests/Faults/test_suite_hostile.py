"""What a hostile or broken peer says to real services: only its stream or its connection ends."""

import json
import time
from typing import Any, Callable, Iterator

import pytest

from loose import as_user, is_root, resident
from rawpeer import INTERNAL, NOT_PROCESSED, OK, REQUEST, UNIMPLEMENTED, Closed, RawPeer, closed_at_once, field, fields, reception
from suite import SERVICES, Provider, Suite

MEBIBYTE = 1 << 20
NOBODY = 65534
CALLER = {"edge": "session", "router": "edge", "retrieval": "edge", "session": "edge", "credentials": "router", "telemetry": "edge"}


def connect(suite: Suite, service: str, caller: str | None = "", socket: str = "ipc.sock") -> RawPeer:
    return RawPeer(suite.root / "r" / service / socket, CALLER[service] if caller == "" else caller)


@pytest.fixture
def unmoved(steady: Suite) -> Iterator[Suite]:
    """The shared suite; afterwards its links are as good as before, and it answers."""
    yield steady
    assert steady.chat().status == 200
    for service in SERVICES:
        for peer, link in steady.links(service).items():
            assert (link["state"], link["breaker"]) == ("ready", "closed"), (service, peer, link)


@pytest.mark.fault("F15")
@pytest.mark.parametrize("service", SERVICES)
def test_an_undecodable_body_ends_its_own_stream_only(unmoved: Suite, service: str) -> None:
    with connect(unmoved, service) as peer:
        sibling = peer.open("Peer.Metrics", b"")
        # A stream's method may not read its request; Reflect.Describe takes none.
        for method in (name for name in peer.methods if name not in ("Credentials.Call", "Reflect.Describe")):
            end = peer.call(method, b"\xff\xff\xff\xff")
            assert end.aux == INTERNAL, f"{method}: {end}"
            assert b"undecodable" in end.payload, "the reason names it"
        assert peer.call("Peer.Metrics").aux == OK, "the connection goes on"
        assert sibling == 1


def bombs() -> dict[str, tuple[str, bytes]]:
    deep = b""
    while len(deep) < 3000:
        deep = field(1, deep)
    empties = b"\x12\x00" * 32_700
    return {
        "groups within groups": ("Router.Complete", b"\x0b" * 3072),
        "messages within messages": ("Router.Complete", deep),
        "empty messages": ("Router.Complete", field(1, empties)),
        "empty parts of a message": ("Router.Complete", field(1, field(2, empties))),
        "empty texts": ("Router.Embed", empties),
    }


@pytest.mark.fault("F16")
def test_bombs_are_refused_and_cost_less_than_a_mebibyte(own_suite: Callable[..., Suite]) -> None:
    """In a suite of its own: a router that has worked hard has memory to spare, and would hide what they cost."""
    suite = own_suite().begin()
    assert suite.chat().status == 200
    pid = suite.pids()["router"]
    with connect(suite, "router") as peer:
        for _ in range(200):
            assert peer.call("Peer.Metrics").aux == OK
        before = resident(pid)
        for _ in range(50):
            for name, (method, bomb) in bombs().items():
                assert len(bomb) <= 65536
                end = peer.call(method, bomb)
                assert end.aux == INTERNAL, f"{name}: {end}"
        grown = resident(pid) - before
        assert peer.call("Peer.Metrics").aux == OK
    print("grown_kib:", grown // 1024)
    assert suite.chat().status == 200 and suite.pids()["router"] == pid
    assert grown < MEBIBYTE, f"{grown / 1024:.0f} KiB more than before"


@pytest.mark.fault("F12")
def test_a_length_of_four_gibibytes_costs_nothing(unmoved: Suite) -> None:
    pid = unmoved.pids()["router"]
    before = resident(pid)
    for _ in range(20):
        with connect(unmoved, "router") as peer:
            peer.socket.sendall(b"\xff\xff\xff\xff" + bytes([REQUEST]) + bytes(11))
            assert "4294967295" in peer.last_words()
    assert resident(pid) - before < MEBIBYTE


# Who may say what


@pytest.mark.parametrize("service", SERVICES)
def test_admin_verbs_do_not_exist_on_the_peer_socket(unmoved: Suite, service: str) -> None:
    with connect(unmoved, service) as peer:
        assert not any("Admin" in method for method in peer.methods)
        for index in (len(peer.methods), 999, 65535):
            end = peer.call(index, field(1, "drain") + field(2, "{}"))
            assert (end.aux, end.flags & NOT_PROCESSED) == (UNIMPLEMENTED, NOT_PROCESSED), end
        assert peer.call("Peer.Metrics").aux == OK
    with pytest.raises(Closed, match="admin may not call"):
        connect(unmoved, service, "admin")


@pytest.mark.parametrize("service", SERVICES)
def test_a_peer_is_refused_at_the_admin_socket(unmoved: Suite, service: str) -> None:
    for caller in (CALLER[service], "", "root"):
        with pytest.raises(Closed, match="may not call"):
            RawPeer(unmoved.root / "r" / service / "admin.sock", caller)
    with connect(unmoved, service, "admin", "admin.sock") as admin:
        assert "Admin.Invoke" in admin.methods
        end = admin.call("Admin.Invoke", field(1, "status") + field(2, "{}"))
        assert end.aux == OK and json.loads(dict(fields(end.payload))[1])["service"] == service, end


# Who may connect


@pytest.fixture(scope="module")
def opened(provider: Provider) -> Iterator[Suite]:
    """A suite whose folders let everybody in, by mistake: the sockets must not."""
    suite = Suite(provider).begin()
    suite.root.chmod(0o755)
    for service in SERVICES:
        folder = suite.root / "r" / service
        folder.chmod(0o755)
        for name in ("ipc.sock", "admin.sock"):
            (folder / name).chmod(0o777)
    yield suite
    suite.close()


def as_nobody(work: Callable[[], Any]) -> Any:
    return as_user(NOBODY, NOBODY, [], work)


@pytest.mark.fault("F28")
@pytest.mark.skipif(not is_root(), reason="needs root to be somebody else")
def test_a_foreign_uid_is_closed_before_a_byte_is_read(opened: Suite) -> None:
    for service in SERVICES:
        for socket, caller in (("ipc.sock", CALLER[service]), ("admin.sock", "admin")):
            found = as_nobody(lambda: reception(opened.root / "r" / service / socket, caller))
            assert found["at"] == "connect", (service, socket, found)
    lines = [json.loads(line.split("|", 1)[1]) for line in opened.log().splitlines() if f"uid {NOBODY} is not allowed" in line]
    for service in SERVICES:
        assert len([line for line in lines if line["service"] == service]) >= 1, f"{service} does not say whom it turned away"
        assert len([line for line in lines if line["service"] == service]) <= 2, "one line a socket"


@pytest.mark.fault("F28")
@pytest.mark.skipif(not is_root(), reason="needs root to be somebody else")
def test_a_foreign_uid_that_comes_again_and_again_fills_no_log(opened: Suite) -> None:
    path = opened.root / "r" / "session" / "ipc.sock"
    began, lines, rejected = time.monotonic(), opened.log().count("connection rejected"), opened.admin("session", "status")["server"]["rejected"]
    for _ in range(3):
        assert as_nobody(lambda: closed_at_once(path, 300)) == 300
    assert opened.admin("session", "status")["server"]["rejected"] == rejected + 900, "each is counted"
    assert opened.log().count("connection rejected") - lines <= 1 + (time.monotonic() - began) / 10, "one line in ten seconds"
    assert opened.chat().status == 200
