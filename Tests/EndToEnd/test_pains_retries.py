"""Clients retry, the gateway retries: together they ask a provider no more often than the route allows."""

from typing import Any, Callable

import anthropic
import openai
import pytest

from actor import Act, answer, broken, fail
from stage import Stage, route
from suite import Suite, prompt
from surfaces import EVERY_WAY, ask, assert_complete, assert_failed, together

MAX_TRIES = 3
RETRY = {"retry": {"tries_per_target": 2, "max_tries": MAX_TRIES, "base": "10ms", "max": "1500ms"}, "timeouts": {"connect": "1s", "first_token": "300ms", "between_tokens": "300ms", "total": "10s"}}
ROUTES = [
    route("single-openai", "one/retried-a", **RETRY), route("single-anthropic", "four/retried-c", **RETRY),
    route("double", "one/retried-d", "four/retried-e", **RETRY),
]
MODELS = {"single-openai": ("retried-a",), "single-anthropic": ("retried-c",), "double": ("retried-d", "retried-e")}
FAILURES = {
    "503": fail(503), "500": fail(500), "429": fail(429, code="rate_limit_exceeded"), "429-in-a-second": fail(429, code="rate_limit_exceeded", retry_after="1"), "529": fail(529),
    "408": fail(408), "409": fail(409), "reset": broken("refuse"), "silence": broken("silent"), "headers-then-silence": broken("stall", "head"), "html": Act(status=502, body="<html>Bad gateway</html>", headers={"content-type": "text/html"}),
}


def asked(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def chat(suite: Suite, model: str, text: str) -> None:
    suite.openai().chat.completions.create(model=model, messages=asked(text))


def chat_stream(suite: Suite, model: str, text: str) -> None:
    list(suite.openai().chat.completions.create(model=model, messages=asked(text), stream=True))


def responses(suite: Suite, model: str, text: str) -> None:
    suite.openai().responses.create(model=model, input=text)


def responses_stream(suite: Suite, model: str, text: str) -> None:
    list(suite.openai().responses.create(model=model, input=text, stream=True))


def messages(suite: Suite, model: str, text: str) -> None:
    suite.anthropic().messages.create(model=model, max_tokens=99, messages=asked(text))


def messages_stream(suite: Suite, model: str, text: str) -> None:
    with suite.anthropic().messages.stream(model=model, max_tokens=99, messages=asked(text)) as events:
        events.get_final_message()


def langchain(suite: Suite, model: str, text: str) -> None:
    from langchain_openai import ChatOpenAI

    ChatOpenAI(model=model, base_url=f"{suite.url}/v1", api_key=suite.key).invoke(text)


def langchain_stream(suite: Suite, model: str, text: str) -> None:
    from langchain_openai import ChatOpenAI

    list(ChatOpenAI(model=model, base_url=f"{suite.url}/v1", api_key=suite.key).stream(text))


CLIENTS: tuple[Callable[[Suite, str, str], None], ...] = (chat, chat_stream, responses, responses_stream, messages, messages_stream, langchain, langchain_stream)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("client", CLIENTS, ids=[client.__name__ for client in CLIENTS])
def test_clients_as_they_come_do_not_multiply_the_tries(stage: Stage, client: Callable[[Suite, str, str], None], failure: str) -> None:
    """A logical request is one call of the client's, with all of its own retries."""

    def one(model: str) -> None:
        text = prompt()
        for name in MODELS[model]:
            stage.actor.script(text, name, FAILURES[failure])
        with pytest.raises((openai.APIError, anthropic.APIError)):
            client(stage.suite, model, text)
        tries = len(stage.actor.seen(text))
        assert 1 <= tries <= MAX_TRIES, f"{tries} tries at providers for one request"

    together(one, ("single-openai",), ("double",))


@EVERY_WAY
@pytest.mark.parametrize("failure", FAILURES)
def test_who_has_tried_enough_tells_the_client_to_stop(stage: Stage, failure: str, surface: str, streamed: bool) -> None:
    def one(model: str) -> None:
        text = prompt()
        for name in MODELS[model]:
            stage.actor.script(text, name, FAILURES[failure])
        heard = ask(stage.suite, surface, streamed, model, text)
        assert_failed(heard)
        assert heard.status >= 400 and heard.headers["x-should-retry"] == "false", (heard, heard.headers["x-should-retry"])
        if heard.status in (429, 503):
            seconds, exact = int(heard.headers["retry-after"]), float(heard.headers["retry-after-ms"]) / 1000
            assert 1 <= seconds <= 60 and exact <= seconds <= exact + 1.01

    together(one, *((model,) for model in MODELS))


@EVERY_WAY
def test_the_tries_a_client_has_made_are_taken_off(stage: Stage, surface: str, streamed: bool) -> None:
    made = []
    for before in range(4):
        text = prompt()
        for name in MODELS["double"]:
            stage.actor.script(text, name, fail(503))
        ask(stage.suite, surface, streamed, "double", text, headers={"x-stainless-retry-count": str(before)})
        made.append(len(stage.actor.seen(text)))
    assert made[0] == MAX_TRIES and made == sorted(made, reverse=True) and made[1] < made[0], made
    assert made[-1] <= len(MODELS["double"]), "each provider once, at most"


@pytest.mark.parametrize("client", CLIENTS, ids=[client.__name__ for client in CLIENTS])
def test_a_failure_that_passes_is_not_seen_by_the_client(stage: Stage, client: Callable[[Suite, str, str], None]) -> None:
    text = prompt()
    stage.actor.script(text, "retried-a", fail(503), Act())
    client(stage.suite, "single-openai", text)
    assert len(stage.actor.seen(text)) == 2


@EVERY_WAY
def test_the_clients_patience_is_the_deadline(stage: Stage, surface: str, streamed: bool) -> None:
    """A client that waits a second gets its answer, or an error, within it."""
    text = prompt()
    stage.actor.script(text, "retried-a", fail(429, code="rate_limit_exceeded", retry_after="1"), Act())
    heard = ask(stage.suite, surface, streamed, "single-openai", text, headers={"x-stainless-read-timeout": "0.8"})
    assert heard.status in (429, 503, 504) and heard.seconds < 0.8 + 0.5 and len(stage.actor.seen(text)) == 1, heard
    text = prompt()
    heard = ask(stage.suite, surface, streamed, "single-openai", text, headers={"x-stainless-read-timeout": "5"})
    assert_complete(heard, answer(text))
