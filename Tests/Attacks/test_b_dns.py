"""B. DNS and inner networks: whatever a name server says, the secret goes to an address that was looked at, and to no inner one."""

from __future__ import annotations

import shutil
import time
from typing import Any, Iterator

import pytest

from caller import DENIED, OK, UNAVAILABLE, Answer
from certificates import Authority
from netspace import PUBLIC, SECOND, Netspace, is_possible
from target import Target
from upstream import Upstream

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs root, unshare and ip to make a network of its own")
# Answers of name servers are kept for a while: each test has names of its own.
MOST = 48


class Inside:
    """A suite whose internet is the test's. Destinations `publicN` may not reach inner networks, `optedN` may."""

    def __init__(self, provider: Any) -> None:
        self.space = Netspace()
        self.authority = Authority()
        context = self.authority.context("server", f"DNS:*.attack.test,IP:{PUBLIC}")
        self.turn = 0
        # One server behind every address: who was connected to is told by the socket.
        self.server: Upstream = self.space.run(lambda: Upstream("0.0.0.0", tls=context))
        self.inner: Upstream = self.space.run(lambda: Upstream("::1", self.server.port, tls=context))

        def change(document: dict[str, Any]) -> None:
            credentials = document["credentials"]
            credentials["egress"] = {"ca_file": str(self.authority.ca)}
            common = {"preset": "bearer", "callers": ["edge"], "limits": {"connect": "2s"}}
            for number in range(MOST):
                for kind, more in (("public", {"secret": "PUBLIC_KEY"}), ("opted", {"secret": "OPTED_KEY", "private_network": True})):
                    entry = common | {"base_url": f"https://{kind}{number}.attack.test:{self.server.port}"} | more
                    credentials["destinations"][f"{kind}{number}"] = entry

        self.target = Target(provider, Upstream(), change)
        self.space.run(lambda: self.target.begin(lacks_secrets=True))
        for kind in ("public", "opted"):
            hosts = ",".join(f"{kind}{number}.attack.test:{self.server.port}" for number in range(MOST))
            done = self.target.suite.cli("credentials", "set", f"{kind.upper()}_KEY", "--stdin", "--host", hosts, input=f"sk-{kind}-0123456789abcdef\n")
            assert done.returncode == 0, done

    @property
    def contacts(self) -> int:
        return self.server.accepted + self.inner.accepted

    def close(self) -> None:
        self.space.run(self.target.suite.close)
        for server in (self.server, self.inner, self.target.upstream):
            server.close()
        self.space.close()
        shutil.rmtree(self.authority.folder, ignore_errors=True)

    def fresh(self) -> None:
        """No name was asked for, nobody was called."""
        self.turn += 1
        assert self.turn < MOST, "there are more tests than names: raise MOST"
        self.server.drop()
        self.server.forget()
        self.inner.drop()
        self.inner.forget()

    def answer(self, *answers: list[str], kind: str = "public") -> None:
        """What the name server says from now on."""
        self.space.dns.set(f"{kind}{self.turn}.attack.test", *answers)

    def call(self, kind: str = "public", seconds: float = 8) -> Answer:
        return self.target.clean(self.target.call(f"{kind}{self.turn}", seconds=seconds))


@pytest.fixture(scope="module")
def made(provider) -> Iterator[Inside]:
    inside = Inside(provider)
    yield inside
    inside.close()


@pytest.fixture
def inside(made: Inside) -> Inside:
    made.fresh()
    return made


def refused(inside: Inside, addresses: list[str], kind: str = "public", code: tuple[int, ...] = (DENIED,)) -> Answer:
    inside.answer(addresses, kind=kind)
    told = inside.call(kind)
    assert told.code in code, told
    assert inside.contacts == 0, "somebody was contacted"
    return told


def test_b00_a_public_address_works(inside: Inside) -> None:
    """The positive control of this file."""
    inside.answer([PUBLIC])
    told = inside.call()
    assert told.code == OK and inside.server.requests[-1].secret == b"sk-public-0123456789abcdef", told


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_b15_a_name_that_leads_to_this_machine(inside: Inside, address: str) -> None:
    refused(inside, [address])


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "169.254.170.2"])
@pytest.mark.parametrize("kind", ["public", "opted"])
def test_b16_metadata_services_whatever_is_allowed(inside: Inside, address: str, kind: str) -> None:
    refused(inside, [address], kind)


@pytest.mark.parametrize("addresses", [[PUBLIC, "10.0.0.1"], ["192.168.1.1", PUBLIC], [PUBLIC, "::1"]])
def test_b17_one_inner_address_among_others(inside: Inside, addresses: list[str]) -> None:
    refused(inside, addresses)


def test_b18_an_answer_that_changes(inside: Inside) -> None:
    """Looked at and connected to is one answer: the second one is never asked for."""
    inside.answer([PUBLIC], ["127.0.0.1"])
    told = inside.call()
    assert told.code in (OK, DENIED), told
    if told.code == OK:
        assert len(inside.server.requests) == 1 and inside.inner.accepted == 0


def test_b19_a_chain_of_names_to_an_inner_address(inside: Inside) -> None:
    refused(inside, ["one.attack.test", "two.attack.test", "10.1.2.3"])


def test_b20_asked_again_after_the_connection_is_gone(inside: Inside) -> None:
    inside.answer([PUBLIC])
    assert inside.call().code == OK
    inside.answer(["127.0.0.1"])
    inside.server.drop()
    time.sleep(0.2)
    deadline, before = time.monotonic() + 15, inside.contacts  # an answer is kept for 10 s
    told = inside.call()
    while told.code == OK and time.monotonic() < deadline:  # what was vetted may be used for as long as it is kept
        assert inside.inner.accepted == 0
        before = inside.contacts
        inside.server.drop()
        time.sleep(0.3)
        told = inside.call()
    assert told.code == DENIED and inside.contacts == before, told


@pytest.mark.parametrize(
    "address",
    ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "0.0.0.0", "0.1.2.3", "100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "fe80::1", "fc00::1", "192.0.0.1", "2001:db8::1"],
)
def test_b21_addresses_that_are_no_hosts_of_the_internet(inside: Inside, address: str) -> None:
    refused(inside, [address])


@pytest.mark.parametrize("how", ["servfail", "silent"])
def test_b22_a_name_server_that_fails(inside: Inside, how: str) -> None:
    began = time.monotonic()
    refused(inside, [how], code=(UNAVAILABLE,))
    assert time.monotonic() - began < 6


def test_b23_the_address_connected_to_is_the_one_looked_at(inside: Inside) -> None:
    """Between two good addresses: the one in the answer is used, and the record of the call's end names it."""
    inside.answer([SECOND])
    told = inside.call()
    assert told.code == OK, told
    end = inside.target.audit(3)[-1]
    assert end["event"] == "end" and end.get("address") == SECOND, end
