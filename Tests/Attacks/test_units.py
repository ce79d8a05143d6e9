"""What systemd thinks of the units: how much each process could reach that it does not need."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from suite import ROOT, SERVICES

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
UNITS = ROOT / "deploy" / "systemd"
# The two that reach the network, and those that speak over Unix sockets alone.
MOST = {"credentials": 1.5, "edge": 1.5}


@pytest.mark.parametrize("service", SERVICES)
def test_the_exposure_of_a_unit(service: str) -> None:
    unit = UNITS / f"bulkhead-{service}.service"
    told = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)], capture_output=True, text=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found, told
    assert float(found[1]) <= MOST.get(service, 1.0), told


def test_the_unit_of_credentials_can_tell_callers_apart() -> None:
    """With PrivateUsers every uid would read 65534."""
    lines = (UNITS / "bulkhead-credentials.service").read_text().splitlines()
    assert not any(line.startswith("PrivateUsers=yes") for line in lines)
    assert {"LimitCORE=0", "LimitMEMLOCK=64M", "MemorySwapMax=0", "NoNewPrivileges=yes"} <= set(lines)


def test_no_unit_lets_others_be_traced_or_the_network_be_reached_beside_the_proxy() -> None:
    for service in set(SERVICES) - set(MOST):
        lines = (UNITS / f"bulkhead-{service}.service").read_text().splitlines()
        assert "RestrictAddressFamilies=AF_UNIX" in lines and "PrivateNetwork=yes" in lines, service
