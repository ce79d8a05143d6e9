"""The life of a secret under real processes: warned about, verified, versioned, cut off, decoyed, imported, rolled back."""

import os
import threading
from pathlib import Path

import pytest

from suite import Suite, until


@pytest.fixture(scope="module")
def held(provider):
    def change(document: dict) -> None:
        imports = Path(document["suite"]["state_dir"]).parent / "imports"
        imports.mkdir()
        (imports / "FILE_KEY").write_text("a-value-from-a-file\n")
        section = document["credentials"]
        section["import_dir"] = str(imports)
        place = {"base_url": provider.url, "private_network": True, "allow_plain_http": True, "preset": "bearer"}
        section["destinations"] |= {
            "filed": place | {"secret": "FILE_KEY"},
            "decoy": place | {"secret": "DECOY_KEY"},
            "nowhere": place | {"secret": "LOST_KEY", "base_url": "http://127.0.0.1:9"},
        }
        document["router"]["providers"].append({"name": "bait", "destination": "decoy", "dialect": "openai", "serve": "listed"})
        document["router"]["models"].append({"name": "bait", "targets": [{"provider": "bait", "model": "demo-chat"}]})

    suite = Suite(provider, change)
    suite.secrets["DECOY_KEY"] = "sk-a-decoy-for-the-time-being"
    suite.secrets["LOST_KEY"] = "sk-a-key-of-a-lost-server"
    try:
        yield suite.begin()
    finally:
        suite.close()


def row(suite: Suite, name: str) -> dict:
    return next(row for row in suite.admin("credentials", "list") if row["name"] == name)


def rotate(suite: Suite, name: str, value: str, *words: str):
    done = suite.cli("credentials", "rotate", name, "--stdin", *words, input=value)
    assert value not in done.stdout + done.stderr
    return done


def test_a_value_that_looks_wrong_is_stored_with_a_warning(held: Suite) -> None:
    done = held.cli("credentials", "set", "OAI_KEY", "--stdin", input="no-usual-prefix-here\n")
    assert done.returncode == 0 and "sk-" in done.stdout and "no-usual" not in done.stdout
    held.store("OAI_KEY", held.secrets["OAI_KEY"])


@pytest.mark.parametrize("value", ["two\nlines-of-text", "a-tab\tinside-it", "tiny-it"])
def test_a_value_that_cannot_be_sent_is_refused(held: Suite, value: str) -> None:
    before = row(held, "OAI_KEY")
    done = held.cli("credentials", "set", "OAI_KEY", "--stdin", input=value)
    assert done.returncode != 0 and value not in done.stderr
    assert row(held, "OAI_KEY") == before


def test_a_new_value_that_cannot_be_verified_is_not_put_in_force(held: Suite) -> None:
    before = row(held, "LOST_KEY")
    done = rotate(held, "LOST_KEY", "another-value-of-it")
    assert done.returncode != 0 and "--unverified" in done.stderr
    assert row(held, "LOST_KEY") == before
    assert rotate(held, "LOST_KEY", "another-value-of-it", "--unverified").returncode == 0
    assert row(held, "LOST_KEY")["version"] == before["version"] + 1


def test_the_value_before_goes_with_its_overlap(held: Suite) -> None:
    version = row(held, "LOST_KEY")["version"]
    assert rotate(held, "LOST_KEY", "a-third-value-of-it", "--unverified", "--overlap", "1s").returncode == 0
    until(lambda: not row(held, "LOST_KEY").get("overlapEnds"), 10, "the end of the overlap")
    assert held.cli("credentials", "rotate", "LOST_KEY", "--undo").returncode != 0
    assert row(held, "LOST_KEY")["version"] == version + 1


def test_revoke_now_ends_streams_under_way(held: Suite) -> None:
    begun, ended = threading.Event(), {}

    def read() -> None:
        def watch(stream) -> bool:
            begun.set()
            return False

        ended["stream"] = held.stream("slowly", on_event=watch)

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(10)
    done = held.cli("credentials", "revoke", "OAI_KEY", "--now")
    assert done.returncode == 0 and "1 calls under way" in done.stdout, done.stdout
    reader.join(3)
    assert not reader.is_alive(), "the stream goes on"
    assert not ended["stream"].is_finished
    assert held.chat().status >= 500
    held.store("OAI_KEY", held.secrets["OAI_KEY"])
    until(lambda: held.chat().status == 200, 3, "a chat with the secret set anew")


def test_a_honeytoken_is_refused_and_reported(held: Suite) -> None:
    done = held.cli("credentials", "set", "DECOY_KEY", "--stdin", "--honeytoken", input="sk-nobody-is-to-use-this")
    assert done.returncode == 0, done.stderr
    assert row(held, "DECOY_KEY")["state"] == "honeytoken"
    assert held.chat("bait").status >= 400
    records = [record for record in held.admin("credentials", "audit", "tail") if record["event"] == "honeytoken"]
    assert records and records[-1]["decision"] == "deny" and records[-1]["secret"] == "DECOY_KEY"
    assert "a honeytoken was used" in held.log()


def test_a_file_is_imported_once_and_does_not_undo_a_rotation(held: Suite) -> None:
    assert row(held, "FILE_KEY")["version"] == 1
    assert rotate(held, "FILE_KEY", "a-value-of-the-operator", "--unverified").returncode == 0
    for _ in range(2):
        assert held.cli("credentials", "reload").returncode == 0
    old = held.signal("credentials", 9)
    held.wait_restarted("credentials", old)
    until(lambda: row(held, "FILE_KEY"), 15, "the store to be open")
    assert row(held, "FILE_KEY")["version"] == 2
    (held.root / "imports" / "FILE_KEY").write_text("a-newer-value-from-a-file\n")
    assert held.cli("credentials", "reload").returncode == 0
    assert row(held, "FILE_KEY")["version"] == 3


def test_an_older_vault_is_refused_until_the_operator_accepts_it(held: Suite) -> None:
    folder = held.root / "s" / "credentials"
    older = {name: (folder / name).read_bytes() for name in ("vault.bhv", "vault.counter")}
    held.store("OAI_KEY", held.secrets["OAI_KEY"])
    old = held.signal("credentials", 19)
    for name, data in older.items():
        (folder / name).write_bytes(data)
    os.kill(old, 9)
    held.wait_restarted("credentials", old)
    until(lambda: "rolled back" in held.cli("credentials", "doctor").stdout, 15, "the older vault to be named")
    assert held.chat().status >= 500
    done = held.cli("credentials", "unlock", "--accept-older")
    assert done.returncode == 0, done.stderr
    until(lambda: held.chat().status == 200, 5, "a chat with the accepted vault")
    assert "accept_older" in [record["event"] for record in held.admin("credentials", "audit", "tail")]
    old = held.signal("credentials", 9)
    held.wait_restarted("credentials", old)
    until(lambda: held.chat().status == 200, 15, "a chat after a restart")


def test_doctor_names_store_key_and_uid(held: Suite) -> None:
    said = held.cli("credentials", "doctor").stdout
    assert "store vault" in said and "key_file" in said and f"uid {os.getuid()}" in said
