import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Support"))

from fixtures import *  # noqa: E402, F403
from ipc_peers import PEER, Folder  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(*ids): the fault scenarios of the specification that a test covers")


@pytest.fixture
def folder() -> Iterator[Folder]:
    """A place for processes that speak over the IPC layer; all are ended with the test."""
    if not PEER.exists():
        pytest.skip(f"{PEER} is not built")
    folder = Folder()
    yield folder
    folder.close()
