"""Six services under six users of one group, as in production: nobody reaches more than its links allow."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from loose import Loose, as_user, is_root
from rawpeer import reception
from suite import BIN, SERVICES, Provider

GROUP, ADMINS, STRANGER = 10000, 10100, 10077
USERS = {service: 10001 + index for index, service in enumerate(SERVICES)}
# Who may call whom; whoever is not named is refused.
LINKS = {
    "edge": {"session"}, "router": {"edge"}, "retrieval": {"edge", "router"}, "session": {"edge"},
    "credentials": {"edge", "router", "retrieval", "session", "telemetry"},
    "telemetry": {"edge", "router", "retrieval", "session", "credentials"},
}


def can_separate() -> bool:
    """Whether this machine lets a test run programs under other users, with names for them that only those programs see."""
    probe = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "mount --bind /etc/passwd /etc/passwd"]
    return is_root() and bool(shutil.which("setpriv")) and subprocess.run(probe, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_separate(), reason="needs root, setpriv and mount namespaces to run the six under users of their own")


class Separated(Loose):
    """The six under users `bulkhead-<service>` that exist for them alone: their /etc/passwd and /etc/group are the test's."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider, self.place_the_key)
        self.root.chmod(0o755)
        for folder, mode in (("r", 0o750), ("s", 0o700)):
            for service, uid in USERS.items():
                path = self.root / folder / service
                path.mkdir(parents=True)
                path.chmod(mode)
                os.chown(path, uid, GROUP)
        people = "".join(f"bulkhead-{service}:x:{uid}:{GROUP}::/nonexistent:/usr/sbin/nologin\n" for service, uid in USERS.items())
        (self.root / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n" + people)
        (self.root / "group").write_text(f"root:x:0:\nbulkhead:x:{GROUP}:\nbulkhead-admin:x:{ADMINS}:\n")

    def place_the_key(self, document: dict[str, Any]) -> None:
        document["credentials"]["vault"]["key_file"] = str(self.root / "s" / "credentials" / "key")

    def under(self, uid: int, gid: int = GROUP, groups: Sequence[int] = ()) -> list[str]:
        """A command that executes the one given to it as somebody."""
        mounts = f"mount --bind {self.root}/passwd /etc/passwd && mount --bind {self.root}/group /etc/group && exec \"$@\""
        return [
            "unshare", "--mount", "--propagation", "private", "sh", "-c", mounts, "as",
            "setpriv", f"--reuid={uid}", f"--regid={gid}", f"--groups={','.join(map(str, groups or [gid]))}", "--pdeathsig", "TERM", "--",
        ]

    def start_all(self) -> None:
        for service in SERVICES:
            self.serve(service, *self.under(USERS[service]))
        self.settle()

    def run_as(self, uid: int, *command: str | Path, **groups: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.under(uid, **groups), *map(str, command)], capture_output=True, text=True, timeout=20, cwd=self.root)

    def reception(self, uid: int, service: str, caller: str, socket: str = "ipc.sock", gid: int = GROUP, groups: Sequence[int] = ()) -> dict[str, Any]:
        """How a connection of `uid` that calls itself `caller` is received."""
        return as_user(uid, gid, groups or [gid], lambda: reception(self.root / "r" / service / socket, caller))


@pytest.fixture(scope="module")
def separated(provider: Provider) -> Iterator[Separated]:
    separated = Separated(provider)
    try:
        separated.start_all()
        yield separated
    finally:
        separated.close()


def test_a_chat_goes_through_six_users(separated: Separated) -> None:
    for service, pid in separated.pids().items():
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{USERS[service]}\t" in status and f"Gid:\t{GROUP}\t" in status, service
    assert separated.chat().status == 200 and separated.stream().is_terminated
    assert separated.ready()["status"] == "ready"
    for service in SERVICES:
        for peer, link in separated.links(service).items():
            assert link["state"] == "ready", (service, peer, link)


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_opens_the_state_of_another(separated: Separated, service: str) -> None:
    files = [path for path in (separated.root / "s" / service).rglob("*") if path.is_file()]
    assert files or service in ("edge", "router", "retrieval"), "there is something to protect"
    for other, uid in USERS.items():
        listing = separated.run_as(uid, "ls", separated.root / "s" / service)
        assert (listing.returncode == 0) == (other == service), f"{other} in the folder of {service}: {listing.stdout}{listing.stderr}"
        for path in files:
            assert (separated.run_as(uid, "test", "-r", path).returncode == 0) == (other == service), f"{other} reads {path}"


@pytest.mark.fault("F28")
@pytest.mark.parametrize("service", SERVICES)
def test_a_stranger_is_turned_away_before_a_byte_is_read(separated: Separated, service: str) -> None:
    for socket in ("ipc.sock", "admin.sock"):
        outside = separated.reception(STRANGER, service, "edge", socket, gid=STRANGER)
        assert outside["at"] == "file", f"the folder lets nobody outside the group in: {outside}"
        inside = separated.reception(STRANGER, service, "edge", socket)
        assert inside["at"] == "connect", f"a member of the group that is no service: {inside}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_not_on_the_list_is_turned_away(separated: Separated, service: str) -> None:
    for caller, uid in USERS.items():
        if caller == service:
            continue
        found = separated.reception(uid, service, caller)
        wanted = "open" if caller in LINKS[service] else "connect"
        assert found["at"] == wanted, f"{caller} calls {service}: {found}"


def test_a_service_cannot_pass_for_another(separated: Separated) -> None:
    """Telemetry may call credentials, for its alerts; the router's secrets are none of its business."""
    found = separated.reception(USERS["telemetry"], "credentials", "router")
    assert found["at"] in ("connect", "handshake"), f"telemetry's user was taken for the router: {found}"


@pytest.mark.parametrize("service", SERVICES)
def test_only_its_own_user_root_and_the_admin_group_administer(separated: Separated, service: str) -> None:
    for other, uid in USERS.items():
        found = separated.reception(uid, service, "admin", "admin.sock")
        assert found["at"] == ("open" if other == service else "connect"), f"{other} at the admin socket of {service}: {found}"
    assert separated.reception(0, service, "admin", "admin.sock", gid=0)["at"] == "open"
    own = separated.run_as(USERS[service], BIN / f"bulkhead-{service}", "status", "--json", "--config", separated.config)
    assert own.returncode == 0 and json.loads(own.stdout)["state"] == "ready", own


def test_members_of_the_admin_group_may_administer_and_call_nobody(separated: Separated) -> None:
    """People have a group of their own; the others, that of the folders and that of the admins, are supplementary."""
    person: dict[str, Any] = {"gid": STRANGER, "groups": [GROUP, ADMINS]}
    assert separated.reception(STRANGER, "router", "admin", "admin.sock", **person)["at"] == "open"
    assert separated.reception(STRANGER, "router", "edge", **person)["at"] == "connect"
