"""Idempotency-Key by the rules: the header, what is the same request, what is kept, and for whom."""

import concurrent.futures
import contextlib
import http.client
import json
import secrets
import socket
from typing import Any

import pytest

from suite import CHAT, MESSAGES, Reply, Suite, prompt, until

OFF = {"cache": "off"}


def token() -> str:
    return secrets.token_hex(12)


def send(suite: Suite, lines: list[tuple[str, bytes]], body: bytes, path: str = CHAT) -> Reply:
    """A request whose header lines go out as they are."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", suite.port, timeout=15)) as connection:
        connection.putrequest("POST", path)
        for name, value in [("content-type", b"application/json"), ("authorization", f"Bearer {suite.key}".encode()), ("content-length", str(len(body)).encode()), *lines]:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Reply(answer.status, answer.msg, answer.read(), 0)


def chat(text: str, **more: Any) -> bytes:
    return json.dumps({"model": "assistant", "messages": [{"role": "user", "content": text}], "bulkhead": OFF} | more).encode()


def is_replay(reply: Reply) -> bool:
    return reply.headers["idempotent-replayed"] == "true"


# The header


def test_ik01_a_string_and_its_parameters(steady: Suite) -> None:
    text, key = prompt(), token()
    first = send(steady, [("idempotency-key", f'"{key}"'.encode())], chat(text))
    second = send(steady, [("idempotency-key", f'"{key}"; a=1;b'.encode())], chat(text))
    assert first.status == second.status == 200 and is_replay(second) and second.body == first.body
    assert len(steady.provider.seen(text)) == 1


def test_ik02_a_bare_key_is_the_same_key(steady: Suite) -> None:
    text, key = prompt(), token()
    first = send(steady, [("idempotency-key", key.encode())], chat(text))
    assert first.status == 200 and not is_replay(first)
    assert is_replay(send(steady, [("idempotency-key", f'"{key}"'.encode())], chat(text)))


@pytest.mark.parametrize("lines", [[b"one", b"two"], [b""], [b'""'], [b"x" * 256], [b"a\tb"], ["schlüssel".encode()], [b'"a'], [b"a, b"]])
def test_ik03_what_is_no_key_is_refused_before_anything(steady: Suite, lines: list[bytes]) -> None:
    text, _ = prompt(), steady.key
    before = steady.served("session")
    reply = send(steady, [("idempotency-key", line) for line in lines], chat(text))
    assert reply.status == 400 and reply.error["code"] == "idempotency_key_invalid", reply
    assert reply.error["type"] == "invalid_request_error" and reply.headers["link"].endswith('#idempotency>; rel="describedby"')
    assert steady.provider.seen(text) == [] and steady.served("session") <= before + 3, "nothing was looked up (health and metrics aside)"


def test_ik04_a_route_that_needs_a_key(own_suite) -> None:
    def change(document: dict[str, Any]) -> None:
        document["edge"]["idempotency"] = {"require_on": ["embeddings", "moderations", "/v1/call/{destination}"]}

    suite = own_suite(change).begin()
    assert suite.request("POST", "/v1/moderations", {"input": "x"}).json["error"]["code"] == "idempotency_key_required"
    reply = suite.request("POST", "/v1/embeddings", {"model": "vectors", "input": "x"})
    assert reply.status == 400 and reply.error["code"] == "idempotency_key_required"
    assert suite.request("POST", "/v1/embeddings", {"model": "vectors", "input": "x"}, headers={"idempotency-key": token()}).status == 200
    problem = suite.request("POST", "/v1/call/oai", {"path": "/"})
    assert problem.status == 400 and problem.headers["content-type"] == "application/problem+json"
    told = problem.json
    assert told["type"].endswith("#idempotency") and told["title"] and told["detail"] and told["code"] == "idempotency_key_required"
    assert 'rel="describedby"' in problem.headers["link"]
    assert "idempotency" in [tag["name"] for tag in suite.request("GET", "/openapi.json", key=None).json["tags"]]


def test_a_route_nobody_knows_is_no_route_that_needs_a_key(own_suite) -> None:
    """A misspelt route would run unprotected."""
    suite = own_suite(lambda document: document["edge"].update(idempotency={"require_on": ["jobs", "credentials", "embedings", "/v1/models"]}))
    suite.write()
    done = suite.cli("edge", "check", "--json")
    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 78 and [problem["found"] for problem in problems] == ["embedings", "/v1/models"], problems
    assert problems[0]["suggestion"] == "embeddings" and problems[0]["key"] == "edge.idempotency.require_on"


def test_ik05_another_payload_is_422_and_changes_nothing(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    first = steady.chat(text=text, headers=key)
    refused = steady.chat(text=text + "?", headers=key)
    assert refused.status == 422 and refused.error["code"] == "idempotency_key_reused" and steady.provider.seen(text + "?") == []
    assert steady.chat(text=text, headers=key).body == first.body
    anthropic = steady.chat(text=text, dialect="anthropic", headers=key)
    assert anthropic.status == 422 and anthropic.json["type"] == "error" and anthropic.error["message"]


def test_ik06_another_route_is_422(steady: Suite) -> None:
    key = {"idempotency-key": token()}
    assert steady.request("POST", "/v1/embeddings", {"model": "vectors", "input": "x"}, headers=key).status == 200
    assert steady.request("POST", "/v1/moderations", {"model": "vectors", "input": "x"}, headers=key).status == 422


def test_ik07_a_retry_while_it_runs(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    steady.provider.script("demo-chat", "slow-800ms")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(steady.chat, text=text, headers=key, bulkhead=OFF)
        until(lambda: steady.provider.seen(text), 5, "the first request at the provider")
        second = steady.chat(text=text, headers=key, bulkhead=OFF)
        assert second.status == 409 and second.error["code"] == "idempotency_key_running", second
        assert int(second.headers["retry-after"]) >= 1 and second.headers["x-should-retry"] == "true"
        assert first.result().status == 200
    assert is_replay(steady.chat(text=text, headers=key, bulkhead=OFF))


def test_ik08_a_replay_is_the_answer_byte_for_byte(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    first = steady.chat(text=text, headers=key, bulkhead=OFF)
    second = steady.chat(text=text, headers=key, bulkhead=OFF)
    assert (second.status, second.body, second.headers["content-type"]) == (200, first.body, first.headers["content-type"])
    for name in ("x-bulkhead-provider", "x-bulkhead-model", "x-bulkhead-cost-usd", "x-bulkhead-cache"):
        assert second.headers[name] == first.headers[name]
    assert is_replay(second) and second.headers["x-bulkhead-original-request-id"] == first.headers["x-request-id"]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_ik09_a_refusal_by_the_provider_is_replayed(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    first = steady.chat("fail-400", text=text, headers=key)
    second = steady.chat("fail-400", text=text, headers=key)
    assert first.status == second.status == 400 and first.body == second.body and is_replay(second)
    assert len(steady.provider.seen(text)) == 1


def test_ik10_what_fails_before_it_runs_does_not_burn_the_key(steady: Suite) -> None:
    text, key = prompt(), token()
    header = {"idempotency-key": key}
    assert steady.request("POST", CHAT, {"model": "assistant", "messages": "none"}, headers=header).status == 400
    assert steady.request("POST", CHAT, b"{", headers=header).status == 400
    assert steady.chat(text="x" * (2 << 20), headers=header).status == 413
    assert steady.chat("no-such-model", text=text, headers=header).status == 404
    limited = steady.new_key("--rpm", "1")["key"]
    assert steady.chat(key=limited).status == 200
    assert steady.chat(text=text, key=limited, headers=header).status == 429
    reply = steady.chat(text=text, headers=header)
    assert reply.status == 200 and not is_replay(reply), reply


def test_ik11_an_error_of_the_provider_frees_the_key(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    steady.provider.script("demo-chat", "fail-500", "fail-503")
    assert steady.chat(text=text, headers=key, bulkhead=OFF).status in (502, 503)
    reply = steady.chat(text=text, headers=key, bulkhead=OFF)
    assert reply.status == 200 and not is_replay(reply), reply


def test_ik11_no_answer_is_not_run_again(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    assert steady.chat("stall", text=text, headers=key).status == 504
    runs = len(steady.provider.seen(text))
    second = steady.chat("stall", text=text, headers=key)
    assert second.status == 409 and second.error["code"] == "outcome_unknown", second
    assert "ended without an answer" in second.error["message"], second
    assert len(steady.provider.seen(text)) == runs


def test_ik12_of_a_hundred_at_once_one_runs(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    steady.provider.script("demo-chat", "slow-300ms")
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(lambda _: steady.chat(text=text, headers=key, bulkhead=OFF, seconds=30), range(100)))
    assert len(steady.provider.seen(text)) == 1
    assert {reply.status for reply in replies} <= {200, 409}, {reply.status for reply in replies}
    answered = [reply for reply in replies if reply.status == 200]
    assert len({reply.body for reply in answered}) == 1 and sum(not is_replay(reply) for reply in answered) == 1


def test_ik14_nobody_gets_the_answer_to_another_payload(steady: Suite) -> None:
    texts, key = [prompt("ropes"), prompt("sails")], {"idempotency-key": token()}
    steady.provider.script("demo-chat", "slow-200ms")
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        replies = list(pool.map(lambda number: (number % 2, steady.chat(text=texts[number % 2], headers=key, bulkhead=OFF, seconds=30)), range(60)))
    ran = [which for which in (0, 1) if steady.provider.seen(texts[which])]
    assert len(ran) == 1 and len(steady.provider.seen(texts[ran[0]])) == 1
    for which, reply in replies:
        assert reply.status in ((200, 409) if which == ran[0] else (422,)), (which, str(reply))


# The same request


SAME = [
    (b'{"model":"assistant","messages":[{"role":"user","content":"TEXT \\u00e9"}],"temperature":1,"seed":5}', True),
    ('{ "seed" : 5e0, "temperature":1.0, "messages":[ {"content":"TEXT é","role":"user"}],\n"model":"assistant"}'.encode(), True),
    ('{"model":"assistant","messages":[{"role":"user","content":"TEXT e\u0301"}],"temperature":1,"seed":5}'.encode(), False),
    (b'{"model":"assistant","messages":[{"role":"user","content":"TEXT \\u00e9"}],"temperature":1,"seed":6}', False),
]


def test_ik15_spelling_does_not_matter_and_values_do(steady: Suite) -> None:
    text, key = prompt(), [("idempotency-key", token().encode())]
    bodies = [(body.replace(b"TEXT", text.encode()), same) for body, same in SAME]
    assert send(steady, key, bodies[0][0]).status == 200
    for body, same in bodies:
        reply = send(steady, key, body)
        assert reply.status == (200 if same else 422) and is_replay(reply) == same, (body, str(reply))
    twice = bodies[0][0].replace(b'"seed":5', b'"seed":5,"seed":5')
    assert send(steady, key, twice).status == 400, "a member that stands twice"


def test_ik15_long_integers_are_compared_by_their_digits(steady: Suite) -> None:
    text, key = prompt(), [("idempotency-key", token().encode())]
    body = json.loads(chat(text)) | {"metadata": {"n": 10**40 + 1}}
    assert send(steady, key, json.dumps(body).encode()).status in (200, 400)
    body["metadata"]["n"] += 1
    assert send(steady, key, json.dumps(body).encode()).status in (422, 400)


def test_ik16_the_order_of_the_query_does_not_matter(steady: Suite) -> None:
    text, key = prompt(), [("idempotency-key", token().encode())]
    assert send(steady, key, chat(text), CHAT + "?b=1&a=2&a=3").status == 200
    assert is_replay(send(steady, key, chat(text), CHAT + "?a=2&b=1&a=3"))
    assert send(steady, key, chat(text), CHAT + "?a=3&b=1&a=2").status == 422


def test_ik17_streamed_or_not_is_another_request(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    assert steady.chat(text=text, headers=key).status == 200
    assert steady.chat(text=text, headers=key, stream=True).status == 422


def test_ik18_versions_count_and_traces_do_not(steady: Suite) -> None:
    body, key = json.dumps(steady.body("scribe", prompt(), "anthropic")).encode(), ("idempotency-key", token().encode())
    version = ("anthropic-version", b"2023-06-01")
    assert send(steady, [key, version, ("user-agent", b"one"), ("x-request-id", b"first")], body, MESSAGES).status == 200
    again = send(steady, [key, version, ("user-agent", b"two"), ("x-request-id", b"second"), ("x-stainless-retry-count", b"1")], body, MESSAGES)
    assert is_replay(again) and again.headers["x-bulkhead-original-request-id"] == "first"
    assert send(steady, [key, ("anthropic-version", b"2024-01-01")], body, MESSAGES).status == 422
    assert send(steady, [key, version, ("anthropic-beta", b"new-thing")], body, MESSAGES).status == 422


# Whose key it is


def test_ik21_another_tenant_runs_its_own(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    other = steady.new_key(tenant="tenant-b")["key"]
    assert steady.chat(text=text, headers=key, bulkhead=OFF).status == 200
    reply = steady.chat(text=text, headers=key, key=other, bulkhead=OFF)
    assert reply.status == 200 and not is_replay(reply) and len(steady.provider.seen(text)) == 2


def test_ik22_another_user_runs_its_own(steady: Suite) -> None:
    text, key = prompt(), {"idempotency-key": token()}
    keys = [steady.new_key("--user", user)["key"] for user in ("ann", "bob", "ann")]
    replies = [steady.chat(text=text, headers=key, key=one, bulkhead=OFF) for one in keys]
    assert [is_replay(reply) for reply in replies] == [False, False, True]


def test_ik22_a_tenant_may_share_its_keys(own_suite) -> None:
    def change(document: dict[str, Any]) -> None:
        document["edge"]["idempotency"] = {"scope": "tenant"}

    suite = own_suite(change).begin()
    text, key = prompt(), {"idempotency-key": token()}
    keys = [suite.new_key("--user", user)["key"] for user in ("ann", "bob")]
    assert [is_replay(suite.chat(text=text, headers=key, key=one, bulkhead=OFF)) for one in keys] == [False, True]


# The client leaves


def leave(suite: Suite, text: str, key: str, **bulkhead: str) -> None:
    """Asks, and goes away when the provider has the request."""
    suite.provider.script("demo-chat", "slow-700ms")
    body = chat(text, bulkhead=OFF | bulkhead)
    with socket.create_connection(("127.0.0.1", suite.port), 5) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {suite.key}\r\ncontent-type: application/json\r\n"
        connection.sendall(f"{head}idempotency-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: suite.provider.seen(text), 5, "the request at the provider")


def test_ik32_a_client_that_leaves_finds_its_answer(steady: Suite) -> None:
    text, key = prompt(), token()
    leave(steady, text, key)

    def answer() -> Reply | None:
        reply = steady.chat(text=text, headers={"idempotency-key": key}, bulkhead=OFF)
        assert reply.status in (200, 409), reply
        return reply if reply.status == 200 else None

    assert is_replay(until(answer, 5, "the answer")) and len(steady.provider.seen(text)) == 1


def test_ik32_a_client_may_ask_to_be_cancelled(steady: Suite) -> None:
    text, key = prompt(), token()
    leave(steady, text, key, on_disconnect="cancel")

    def answer() -> Reply | None:
        reply = steady.chat(text=text, headers={"idempotency-key": key}, bulkhead=OFF | {"on_disconnect": "cancel"})
        return None if reply.error["code"] == "idempotency_key_running" else reply

    reply = until(answer, 5, "the record of it")
    assert reply.status == 409 and reply.error["code"] == "request_cancelled" and is_replay(reply)
    assert len(steady.provider.seen(text)) == 1
    wrong = steady.chat(bulkhead={"on_disconnect": "maybe"})
    assert wrong.status == 400 and wrong.error["param"] == "bulkhead.on_disconnect"


# What is published


def test_ik37_the_rules_are_published(steady: Suite) -> None:
    document = steady.request("GET", "/openapi.json", key=None).json
    text = next(tag["description"] for tag in document["tags"] if tag["name"] == "idempotency")
    assert all(word in text for word in ("Format", "Scope", "Expiry", "24 hours"))
    operation = document["paths"]["/v1/chat/completions"]["post"]
    assert {"400", "409", "410", "422"} <= set(operation["responses"])
    assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"]
    assert document["components"]["parameters"]["IdempotencyKey"]["schema"]["maxLength"] == 255


def test_a_wish_nobody_knows_is_refused(steady: Suite) -> None:
    reply = steady.chat(headers={"idempotency-key": token(), "bulkhead-on-unknown": "maybe"})
    assert reply.status == 400 and "Bulkhead-On-Unknown" in reply.error["message"]


def test_rl11_a_replay_has_the_limits_of_now(steady: Suite) -> None:
    text, key, limited = prompt(), {"idempotency-key": token()}, steady.new_key("--rpm", "50")["key"]
    first = steady.chat(text=text, headers=key, key=limited)
    second = steady.chat(text=text, headers=key, key=limited)
    assert is_replay(second)
    assert int(second.headers["x-ratelimit-remaining-requests"]) < int(first.headers["x-ratelimit-remaining-requests"])


def test_unmodified_clients_replay(steady: Suite) -> None:
    text, key = prompt(), {"Idempotency-Key": token()}
    ask = lambda: steady.openai().chat.completions.create(model="assistant", messages=[{"role": "user", "content": text}], extra_headers=key, extra_body={"bulkhead": OFF}).model_dump()
    assert ask() == ask() and len(steady.provider.seen(text)) == 1
    text, key = prompt(), {"Idempotency-Key": token()}
    say = lambda: steady.anthropic().messages.create(model="scribe", max_tokens=99, messages=[{"role": "user", "content": text}], extra_headers=key).model_dump()
    assert say() == say() and len(steady.provider.seen(text)) == 1
