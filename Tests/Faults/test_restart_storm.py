"""Services that die again and again: the suite comes back by itself."""

import json
import signal
import threading

import pytest

from suite import SERVICES, Suite, until


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_killed_three_times_comes_back(own_suite_of_the_storm: Suite, service: str) -> None:
    suite = own_suite_of_the_storm
    others = {name: pid for name, pid in suite.pids().items() if name != service}
    for _ in range(3):
        suite.wait_restarted(service, suite.signal(service, signal.SIGKILL), 20)
    suite.wait_well(15)
    until(lambda: suite.chat().status == 200, 5, "an answer")
    assert {name: pid for name, pid in suite.pids().items() if name != service} == others, "the others are left alone"


@pytest.fixture(scope="module")
def own_suite_of_the_storm(provider):
    suite = Suite(provider).begin()
    yield suite
    suite.close()


def test_all_six_killed_at_once_come_back(own_suite_of_the_storm: Suite) -> None:
    suite = own_suite_of_the_storm
    old = suite.pids()
    for service in SERVICES:
        suite.signal(service, signal.SIGKILL) if suite.lives(old[service]) else None
    until(lambda: all(suite.pids()[service] != old[service] for service in SERVICES), 30, "six new processes", every=0.1)
    suite.wait_well(15)
    assert suite.chat().status == 200, "keys, secrets and routes are still there"


def test_the_pids_file_is_whole_at_every_moment(own_suite_of_the_storm: Suite) -> None:
    suite = own_suite_of_the_storm
    ended, broken = threading.Event(), []

    def read() -> None:
        while not ended.is_set():
            try:
                json.loads(suite.pids_file.read_text())
            except ValueError as error:
                broken.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        suite.wait_restarted("retrieval", suite.signal("retrieval", signal.SIGKILL), 20)
    finally:
        ended.set()
        reader.join()
    assert broken == []
    suite.wait_well(15)
