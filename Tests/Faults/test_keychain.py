"""A keyring that is locked, absent, gone, mute or opened with a wrong password: named within 2 s, and only its secrets suffer."""

import contextlib
import time
from typing import Any, Callable, Iterator

import pytest

from keyring import Keyring
from suite import SERVICES, Suite, until

NAMED = 2.0  # seconds until the fault is seen and named
LOADED = 1.0  # what a busy machine may add to looking at it


@contextlib.contextmanager
def running(provider: Any, keyring: Keyring, begins: bool, **more: str) -> Iterator[Suite]:
    def change(document: dict) -> None:
        document["credentials"] |= {"store": "keychain", "keychain": {"bus": keyring.address} | more}
        del document["credentials"]["vault"]

    suite = Suite(provider, change)
    try:
        if begins:
            yield suite.begin()
        else:
            suite.launch()
            until(lambda: suite.cli("credentials", "status").returncode == 0, 30, suite.tail)
            yield suite
    finally:
        suite.close()


def told(suite: Suite) -> str:
    """What the suite says of credentials."""
    return str(suite.ready()) + suite.cli("credentials", "doctor").stdout


def assert_refused(suite: Suite, code: str, words: str) -> None:
    """The call that needs a secret is refused with its reason; everything else serves."""
    reply = suite.chat()
    assert reply.status in (500, 502, 503), reply
    assert any(record.get("reason") == code for record in suite.admin("credentials", "audit", "tail")), f"{code} on record"
    assert words in told(suite)
    assert suite.chat("open").status == 200, "a provider without a secret is still reached"
    pids = suite.pids()
    assert len({pids[name] for name in SERVICES}) == 6


FAULTS: dict[str, tuple[Callable[[Keyring], Any], str, str]] = {
    "locked": (lambda keyring: keyring.lock(), "keychain_locked", "is locked"),
    "crashed": (lambda keyring: keyring.kill(), "keychain_unavailable", "gone"),
    "no bus": (lambda keyring: keyring.end_bus(), "keychain_unavailable", "absent"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_ends_without_a_restart(provider, fault: str) -> None:
    harm, code, words = FAULTS[fault]
    with Keyring() as keyring, running(provider, keyring.unlock(), True, max_stale="0s") as suite:
        pid = suite.pids()["credentials"]
        assert suite.chat().status == 200
        harm(keyring)
        began = time.monotonic()
        until(lambda: words in suite.cli("credentials", "doctor").stdout, NAMED + LOADED, "the fault to be named", every=0.1)
        print(f"{fault}: named after {time.monotonic() - began:.2f} s")
        assert_refused(suite, code, words)
        keyring.end_daemon()
        if fault == "no bus":
            keyring.start_bus()
        keyring.unlock()
        until(lambda: suite.chat().status == 200, 15, "a chat after the keyring is back")
        assert suite.pids()["credentials"] == pid


def test_a_mute_keyring_is_named_and_blocks_nothing(provider) -> None:
    with Keyring() as keyring, running(provider, keyring.unlock(), True, max_stale="0s") as suite:
        with keyring.mute():
            began = time.monotonic()
            until(lambda: "does not answer" in suite.cli("credentials", "doctor").stdout, NAMED + LOADED, "the fault to be named", every=0.1)
            print(f"mute: named after {time.monotonic() - began:.2f} s")
            assert_refused(suite, "keychain_unavailable", "does not answer")
            began = time.monotonic()
            assert suite.cli("credentials", "set", "NEW_KEY", "--stdin", "--host", "api.example.com", input="a-value-of-a-new-key\n").returncode != 0
            assert time.monotonic() - began < 5
        until(lambda: suite.chat().status == 200, 15, "a chat after the keyring is back")


def test_a_wrong_password_and_an_absent_keyring_at_the_start(provider) -> None:
    with Keyring() as keyring:
        keyring.unlock()
        keyring.end_daemon()
        with running(provider, keyring, False) as suite:
            until(lambda: "absent" in told(suite), 5, "the absent keyring to be named")
            assert_refused(suite, "keychain_unavailable", "absent")
            keyring.unlock(password="a wrong one\n")
            until(lambda: "password" in told(suite), NAMED + LOADED, "the wrong password to be named")
            assert_refused(suite, "keychain_locked", "is locked")
            keyring.end_daemon()
            keyring.unlock()
            until(lambda: suite.cli("credentials", "doctor").stdout.count("unlocked, the test item") == 1, 5, "the keyring to serve")
            for name, value in suite.secrets.items():
                suite.store(name, value)
            until(lambda: suite.chat().status == 200, 15, "a chat")


def test_secrets_read_before_are_used_for_a_while_and_put_on_record(provider) -> None:
    with Keyring() as keyring, running(provider, keyring.unlock(), True, max_stale="4s") as suite:
        keyring.kill()
        until(lambda: "read before" in told(suite), NAMED + LOADED, "the outage to be named", every=0.1)
        assert suite.chat().status == 200, "what was read before is used"
        trail = suite.admin("credentials", "audit", "tail")
        assert [record["event"] for record in trail].count("stale") == 1
        assert any(record["event"] == "call" and record.get("reason") == "stale" for record in trail)
        until(lambda: suite.chat().status != 200, 8, "a refusal after max_stale")
        keyring.unlock()
        until(lambda: suite.chat().status == 200, 15, "a chat after the keyring is back")
