"""A provider closes the connections it kept, as all do: the request that meets such a close is neither lost nor asked twice."""

import threading
from typing import Any

import pytest

from actor import Act, Line, answer
from stage import Stage, route
from suite import prompt, until
from surfaces import Heard, ask, assert_complete, assert_failed

ONE_TRY = {"retry": {"tries_per_target": 1, "max_tries": 1, "base": "10ms", "max": "20ms"}, "timeouts": {"connect": "1s", "first_token": "5s", "between_tokens": "5s", "total": "10s"}}
ROUTES = [route("kept-openai", "one/kept-a", **ONE_TRY), route("kept-anthropic", "four/kept-c", **ONE_TRY)]
MODELS = {"kept-openai": "kept-a", "kept-anthropic": "kept-c"}
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])


def keep_one(stage: Stage, name: str) -> None:
    """Leaves a connection to the provider in the pool."""
    assert_complete(ask(stage.suite, "chat", False, name, prompt()))


async def nothing(_: Line) -> None:
    """Closes after it has read the request."""


async def torn_head(line: Line) -> None:
    await line.send("HTTP/1.1 200 O")


async def reset(line: Line) -> None:
    line.reset()


@BOTH
@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("name", MODELS)
def test_a_request_that_meets_a_connection_closed_before_it_is_answered_all_the_same(stage: Stage, name: str, how: str, streamed: bool) -> None:
    """The request waits before the frozen process that holds the connections, and is served before it learns of their end."""
    keep_one(stage, name)
    suite, text, heard = stage.suite, prompt(), list[Heard]()
    stage.actor.script(text, MODELS[name], Act())

    def waits() -> Any:
        return suite.links("router")["credentials"]["inFlight"]

    with suite.frozen("credentials"):
        asker = threading.Thread(target=lambda: heard.append(ask(suite, "chat", streamed, name, text)))
        asker.start()
        until(waits, 3, "the request to wait for credentials", every=0.01)
        assert stage.actor.hang_up(how) > 0, "no connection was kept"
    asker.join(20)
    assert heard, "no answer"
    assert_complete(heard[0], answer(text))
    assert len(stage.actor.seen(text)) == 1, "the provider is asked once"


@BOTH
@pytest.mark.parametrize("play", [nothing, torn_head, reset])
@pytest.mark.parametrize("name", MODELS)
def test_a_request_that_was_taken_is_never_sent_again_by_itself(stage: Stage, name: str, play: Any, streamed: bool) -> None:
    """It may have been paid for: how often it is tried is the route's word."""
    keep_one(stage, name)
    text = prompt()
    stage.actor.script(text, MODELS[name], Act(play=play))
    heard = ask(stage.suite, "chat", streamed, name, text)
    assert_failed(heard)
    assert len(stage.actor.seen(text)) == 1, "a request that was read is not sent again"


@BOTH
def test_closed_connections_leave_the_pool_unnoticed(stage: Stage, streamed: bool) -> None:
    name, text = "kept-openai", prompt()
    keep_one(stage, name)
    assert stage.actor.hang_up("fin") > 0
    assert_complete(ask(stage.suite, "chat", streamed, name, text), answer(text))
    assert len(stage.actor.seen(text)) == 1
