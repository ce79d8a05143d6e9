"""Fixtures of the end-to-end and fault tests: one demo provider and one suite a run, suites of a test's own, and a watchdog."""

from __future__ import annotations

import os
import signal
from typing import Any, Callable, Iterator

import pytest

import suite as driver

LONGEST = 90  # seconds a test may take before it counts as hanging

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


@pytest.fixture(scope="session")
def provider() -> Iterator[driver.Provider]:
    provider = driver.Provider()
    yield provider
    provider.close()


class Shared:
    """The suite most tests use; a test that leaves it unwell costs its successor a new one."""

    def __init__(self, provider: driver.Provider) -> None:
        self.provider = provider
        self.suite: driver.Suite | None = None
        self.failure: str | None = None

    def get(self) -> driver.Suite:
        if self.suite is not None:
            try:
                self.suite.wait_well(8)
                return self.suite
            except AssertionError:
                self.suite.close()
                self.suite = None
        if self.failure:
            pytest.fail(f"the suite does not start: {self.failure}", pytrace=False)
        try:
            self.suite = driver.Suite(self.provider).begin()
        except Exception as error:
            self.failure = str(error)
            raise
        return self.suite


@pytest.fixture(scope="session")
def shared(provider: driver.Provider) -> Iterator[Shared]:
    shared = Shared(provider)
    yield shared
    if shared.suite is not None:
        shared.suite.close()


@pytest.fixture
def suite(shared: Shared) -> driver.Suite:
    """Six processes, ready, nothing degraded."""
    return shared.get()


@pytest.fixture
def steady(suite: driver.Suite) -> Iterator[driver.Suite]:
    """The same, for tests in which no process may end."""
    before = suite.pids()
    yield suite
    assert suite.pids() == before, "a process ended and was started again"


@pytest.fixture
def own_suite(provider: driver.Provider) -> Iterator[Callable[..., driver.Suite]]:
    """Makes suites that end with the test; they are not started."""
    made: list[driver.Suite] = []

    def make(change: Callable[[dict[str, Any]], None] | None = None) -> driver.Suite:
        made.append(driver.Suite(provider, change))
        return made[-1]

    yield make
    for suite in made:
        suite.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[Any]:
    """A test that hangs fails."""

    def fail(*_: Any) -> None:
        raise TimeoutError(f"still running after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LONGEST)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    report = yield
    if report.failed:
        for suite in driver.RUNNING:
            report.sections.append(("the end of the suite's log", suite.tail(40)))
    return report
