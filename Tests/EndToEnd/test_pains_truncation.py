"""An answer whose end nobody saw is never told as a success."""

import anthropic
import openai
import pytest

from actor import Act, answer, broken
from stage import Stage, route
from suite import prompt
from surfaces import EVERY_WAY, ask, assert_complete, assert_failed, together

POLICIES = ("error", "replay", "continue", "buffer")
PROVIDERS = {"openai": "one", "anthropic": "four"}
ROUTES = [route(f"{policy}-{behind}", f"{name}/{policy}-{behind}", on_stream_break=policy) for policy in POLICIES for behind, name in PROVIDERS.items()]
CASES = [(policy, behind) for policy in POLICIES for behind in PROVIDERS]
ENDS = {
    f"{how}-{place}": broken(how, after)
    for how in ("cut", "eof", "end")
    for place, after in (("before-any-token", 0), ("after-some-tokens", 7), ("before-the-finish", "text"))
}


@EVERY_WAY
@pytest.mark.parametrize("end", ENDS)
def test_an_end_without_proof_is_an_error(stage: Stage, end: str, surface: str, streamed: bool) -> None:
    def one(policy: str, behind: str) -> None:
        text, alias = prompt(), f"{policy}-{behind}"
        stage.actor.script(text, alias, ENDS[end])
        heard = ask(stage.suite, surface, streamed, alias, text)
        assert_failed(heard)
        if heard.is_stream:
            assert answer(text).startswith(heard.text) and heard.text != "", heard
        else:
            assert heard.status in (502, 503), heard

    together(one, *CASES)


@EVERY_WAY
@pytest.mark.parametrize("behind", PROVIDERS)
def test_a_truncated_answer_counts_as_failed(stage: Stage, behind: str, surface: str, streamed: bool) -> None:
    text, tenant = prompt(), f"truncated-{prompt().split()[-1]}"
    stage.actor.script(text, f"error-{behind}", broken("end", 7))
    heard = ask(stage.suite, surface, streamed, f"error-{behind}", text, key=stage.suite.new_key(tenant=tenant)["key"])
    span = stage.span(heard.headers["x-request-id"])
    assert span["error_code"] and span["streamed"] == streamed and span["alias"] == f"error-{behind}", span
    total = stage.suite.admin("telemetry", "stats", "--tenant", tenant)["total"]
    assert (total["requests"], total["errors"]) == (1, 1), f"{total}; the request: {span}"


@EVERY_WAY
@pytest.mark.parametrize("behind", PROVIDERS)
def test_an_error_in_a_200_is_an_error(stage: Stage, behind: str, surface: str, streamed: bool) -> None:
    shapes = {
        "openai": '{"error": {"message": "the model is overloaded", "type": "server_error", "code": null}}',
        "anthropic": '{"type": "error", "error": {"type": "overloaded_error", "message": "the model is overloaded"}}',
    }
    text = prompt()
    stage.actor.script(text, f"error-{behind}", Act(body=shapes[behind]))
    heard = ask(stage.suite, surface, streamed, f"error-{behind}", text)
    assert_failed(heard)
    assert heard.status in (502, 503, 529), heard


@pytest.mark.parametrize("behind", PROVIDERS)
def test_the_sdks_raise(stage: Stage, behind: str) -> None:
    def acted() -> str:
        text = prompt()
        stage.actor.script(text, f"error-{behind}", broken("end", 7))
        return text

    client, model = stage.suite.openai(max_retries=0), f"error-{behind}"
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=model, messages=[{"role": "user", "content": acted()}], stream=True))
    with pytest.raises((openai.APIError, RuntimeError)):
        with client.responses.stream(model=model, input=acted()) as events:
            events.get_final_response()
    with pytest.raises(anthropic.APIError):
        with stage.suite.anthropic(max_retries=0).messages.stream(model=model, max_tokens=99, messages=[{"role": "user", "content": acted()}]) as events:
            events.get_final_message()


@EVERY_WAY
@pytest.mark.parametrize("behind", PROVIDERS)
def test_a_truncated_answer_is_not_kept_for_later(stage: Stage, behind: str, surface: str, streamed: bool) -> None:
    text, alias = prompt(), f"error-{behind}"
    stage.actor.script(text, alias, broken("end", 7), Act())
    assert_failed(ask(stage.suite, surface, streamed, alias, text))
    heard = ask(stage.suite, surface, streamed, alias, text)
    assert_complete(heard, answer(text))
    assert heard.cache == "miss", heard.cache
