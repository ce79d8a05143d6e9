"""Idempotency-Key: run once, answer again byte for byte."""

import concurrent.futures
import secrets
import signal

import pytest

from suite import Suite, prompt, until


def token() -> str:
    return secrets.token_hex(12)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_repeated_request_is_answered_byte_for_byte(steady: Suite, dialect: str) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    first = steady.chat(text=text, dialect=dialect, headers=key, bulkhead={"cache": "off"})
    second = steady.chat(text=text, dialect=dialect, headers=key, bulkhead={"cache": "off"})
    assert first.status == second.status == 200
    assert second.body == first.body and second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["idempotent-replayed"] == "true" and first.headers["idempotent-replayed"] is None
    assert second.headers["x-request-id"] != first.headers["x-request-id"], "it is another request all the same"
    assert len(steady.provider.seen(text)) == 1


def test_the_key_with_another_body_is_refused(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    assert steady.chat(text=text, headers=key).status == 200
    reply = steady.chat(text=text + "!", headers=key)
    assert reply.status == 422 and reply.error["code"] == "idempotency_key_reused", reply
    assert steady.provider.seen(text + "!") == []
    assert steady.chat(text=text, headers=key).headers["idempotent-replayed"] == "true", "the first answer is still kept"


def test_keys_of_different_callers_do_not_meet(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    other = steady.new_key(tenant="somebody-else")["key"]
    assert steady.chat(text=text, headers=key).status == 200
    reply = steady.chat(text=text, headers=key, key=other)
    assert reply.status == 200 and reply.headers["idempotent-replayed"] is None
    assert len(steady.provider.seen(text)) == 2


def test_of_twenty_at_once_exactly_one_runs(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    steady.provider.script("demo-chat", "slow-300ms")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: steady.chat(text=text, headers=key, bulkhead={"cache": "off"}), range(20)))
    assert len(steady.provider.seen(text)) == 1
    assert {reply.status for reply in replies} <= {200, 409}, [str(reply) for reply in replies]
    answered = [reply for reply in replies if reply.status == 200]
    assert answered and len({reply.body for reply in answered}) == 1
    for reply in replies:
        if reply.status == 409:
            assert int(reply.headers["retry-after"]) >= 1 and reply.error["message"]
    again = steady.chat(text=text, headers=key, bulkhead={"cache": "off"})
    assert again.body == answered[0].body and again.headers["idempotent-replayed"] == "true"


def test_a_request_that_failed_may_run_again(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    steady.provider.script("demo-chat", "fail-500", "fail-500")
    assert steady.chat(text=text, headers=key).status == 502

    def again():
        reply = steady.chat(text=text, headers=key)
        return reply.status == 200 and reply

    # The key is given back behind the failed answer.
    reply = until(again, 3, "the retry to run")
    assert reply.headers["idempotent-replayed"] is None


def test_an_answer_survives_the_death_of_session(own_suite) -> None:
    suite = own_suite().begin()
    text, key = prompt(), {"idempotency-key": token()}
    first = suite.chat(text=text, headers=key)
    assert first.status == 200
    # The answer is stored behind the reply; the replay shows that it is.
    until(lambda: suite.chat(text=text, headers=key).headers["idempotent-replayed"] == "true", 3, "the stored answer")
    suite.wait_restarted("session", suite.signal("session", signal.SIGKILL))
    suite.wait_well(10)
    again = suite.chat(text=text, headers=key)
    assert again.body == first.body and again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("odd", ["", " ", "x" * 300])
def test_odd_keys_are_answered_clearly(steady: Suite, odd: str) -> None:
    reply = steady.chat(headers={"idempotency-key": odd})
    assert reply.status in (200, 400), reply
    if reply.status == 400:
        assert "dempotency" in reply.error["message"]
