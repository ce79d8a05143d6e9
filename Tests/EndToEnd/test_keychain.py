"""The store `keychain` against a real keyring on a bus of its own: set, use, rotate, revoke, restart."""

import pytest

from keyring import Keyring
from suite import Suite, prompt, until


def with_keychain(keyring: Keyring, **more: str):
    """A change of a suite's configuration."""

    def change(document: dict) -> None:
        document["credentials"] |= {"store": "keychain", "keychain": {"bus": keyring.address} | more}
        del document["credentials"]["vault"]

    return change


@pytest.fixture(scope="module")
def keyring():
    with Keyring() as keyring:
        yield keyring.unlock()


@pytest.fixture(scope="module")
def kept(keyring, provider):
    suite = Suite(provider, with_keychain(keyring)).begin()
    try:
        yield suite
    finally:
        suite.close()


def row(suite: Suite, name: str) -> dict:
    return next(row for row in suite.admin("credentials", "list") if row["name"] == name)


def test_a_chat_uses_the_secret_from_the_keyring(kept: Suite) -> None:
    text = prompt()
    assert kept.chat(text=text).status == 200
    assert kept.provider.seen(text)
    assert row(kept, "OAI_KEY")["store"] == "keychain"
    assert not list((kept.root / "s" / "credentials").glob("vault*")), "there is no second store behind the chosen one"


def test_doctor_names_store_uid_and_lock_state(kept: Suite) -> None:
    said = kept.cli("credentials", "doctor").stdout
    assert "store keychain" in said and "unlocked" in said and "uid" in said


def test_the_keyring_shows_names_and_no_value(kept: Suite, keyring: Keyring) -> None:
    files = keyring.files()
    assert files
    for path in files:
        data = path.read_bytes()
        for value in kept.secrets.values():
            assert value.encode() not in data
        assert path.stat().st_mode & 0o077 == 0


def test_rotation_takes_effect_and_can_be_undone(kept: Suite) -> None:
    version = row(kept, "OAI_KEY")["version"]
    done = kept.cli("credentials", "rotate", "OAI_KEY", "--stdin", input="sk-another-value-of-the-key\n")
    assert done.returncode == 0, done.stderr
    assert row(kept, "OAI_KEY")["version"] == version + 1
    assert kept.chat().status == 200
    assert kept.cli("credentials", "rotate", "OAI_KEY", "--undo").returncode == 0
    assert row(kept, "OAI_KEY")["version"] == version
    assert kept.chat().status == 200


def test_what_is_stored_survives_a_restart_of_both(kept: Suite, keyring: Keyring) -> None:
    before = kept.admin("credentials", "list")
    keyring.end_daemon()
    keyring.unlock()
    old = kept.signal("credentials", 9)
    kept.wait_restarted("credentials", old)
    until(lambda: kept.chat().status == 200, 15, "a chat after the restart")
    assert kept.admin("credentials", "list") == before


def test_a_revoked_secret_is_refused_and_one_set_anew_serves(kept: Suite) -> None:
    assert kept.cli("credentials", "revoke", "OAI_KEY").returncode == 0
    until(lambda: kept.chat().status >= 500, 1, "a refusal after revoke")
    assert row(kept, "OAI_KEY")["state"] == "revoked"
    kept.store("OAI_KEY", "sk-yet-another-value-of-it")
    until(lambda: kept.chat().status == 200, 2, "a chat with the secret set anew")


def test_a_deleted_secret_is_gone_from_the_keyring(kept: Suite) -> None:
    kept.store("ANT_KEY", "sk-ant-to-be-deleted-soon")
    assert kept.cli("credentials", "delete", "ANT_KEY").returncode == 0
    assert "ANT_KEY" not in {row["name"] for row in kept.admin("credentials", "list")}
    assert kept.cli("credentials", "reload").returncode == 0
    assert "ANT_KEY" not in {row["name"] for row in kept.admin("credentials", "list")}
