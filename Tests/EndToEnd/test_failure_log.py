"""What the operator finds in the router's log about a try that failed, by the request's id."""

from actor import broken, fail
from stage import Stage, route
from suite import prompt, until
from surfaces import ask, assert_failed

SECRET = "sk-proj-" + "abcdefghijkl" * 3
ROUTES = [route("cut-logged", "one/cut-logged-a"), route("vectors-logged", "two/vectors-logged-a", retry={"tries_per_target": 1, "max_tries": 1})]
ROUTES.append(route("ways-logged", "one/ways-logged-a", retry={"tries_per_target": 1, "max_tries": 1}))


def entry(stage: Stage, request_id: str) -> str:
    found = until(lambda: [line for line in stage.suite.log().splitlines() if request_id in line and "said" in line], 8, f"an entry for {request_id}")
    return found[0]


def test_the_cause_of_a_broken_stream_is_found_by_the_requests_id(stage: Stage) -> None:
    text = prompt()
    stage.actor.script(text, "cut-logged-a", broken("error", 5))
    heard = ask(stage.suite, "chat", True, "cut-logged", text)
    assert_failed(heard)
    line = entry(stage, heard.headers["x-request-id"])
    assert "an answer broke off" in line and "one/cut-logged-a" in line and "acted mid-stream failure" in line and "transient" in line, line


def test_a_failed_embedding_is_found_by_the_requests_id(stage: Stage) -> None:
    stage.actor.script("*", "vectors-logged-a", fail(503, f"no room for {SECRET}", "overloaded"))
    reply = stage.suite.request("POST", "/v1/embeddings", {"model": "vectors-logged", "input": "a"})
    assert reply.status == 502, reply
    line = entry(stage, reply.headers["x-request-id"])
    assert "two/vectors-logged-a" in line and "no room for" in line and "overloaded" in line, line
    assert SECRET not in stage.suite.log(), "what looks like a key is cut"


def test_different_failures_of_one_moment_are_each_told_in_full(stage: Stage) -> None:
    ways = [(500, "anvil"), (503, "bellows"), (503, "chisel")]
    for status, word in ways:
        text = prompt()
        stage.actor.script(text, "ways-logged-a", fail(status, f"no {word} left"))
        assert_failed(ask(stage.suite, "chat", False, "ways-logged", text))
    for status, word in ways:
        said = until(lambda: [line for line in stage.suite.log().splitlines() if f"no {word} left" in line], 8, f"an entry with {word}")
        assert len(said) == 1 and str(status) in said[0] and "one/ways-logged-a" in said[0], said
