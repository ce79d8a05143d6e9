"""Streams with an Idempotency-Key: every event has an id, and the stream is given again, also while it still runs."""

import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import secrets
from typing import Any, Callable

import pytest

from suite import CHAT, MESSAGES, Suite, prompt, until


def token() -> str:
    return secrets.token_hex(12)


@dataclasses.dataclass
class Read:
    """A stream as its bytes came: events by id."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes = b""
    ids: list[str] = dataclasses.field(default_factory=list)
    events: list[bytes] = dataclasses.field(default_factory=list)

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]

    @property
    def is_replay(self) -> bool:
        return self.headers["idempotent-replayed"] == "true"

    def __str__(self) -> str:
        return f"{self.status} {len(self.ids)} ids, {self.body[-300:]!r}"


def read(
    suite: Suite, text: str, key: str, model: str = "assistant", dialect: str = "openai", last: str | None = None, enough: Callable[[Read], bool] | None = None,
    credential: str = "", **more: Any,
) -> Read:
    """`enough`: then the client leaves."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {credential or suite.key}", "idempotency-key": key}
    if last is not None:
        headers["last-event-id"] = last
    body = suite.body(model, text, dialect, stream=True, bulkhead={"cache": "off"} | more.pop("bulkhead", {}), **more)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", suite.port, timeout=30)) as connection:
        connection.request("POST", CHAT if dialect == "openai" else MESSAGES, json.dumps(body), headers)
        answer = connection.getresponse()
        found = Read(answer.status, answer.msg)
        event = b""
        while line := answer.readline():
            found.body += line
            event += line
            if line.startswith(b"id: "):
                found.ids.append(line[4:].strip().decode())
            if line == b"\n":
                found.events.append(event)
                event = b""
                if enough and enough(found):
                    break
        return found


def is_whole(found: Read, dialect: str = "openai") -> bool:
    return found.status == 200 and (b"data: [DONE]" if dialect == "openai" else b"event: message_stop") in found.body


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_ik30_a_replay_is_the_same_events(steady: Suite, dialect: str) -> None:
    text, key, model = prompt(), token(), "assistant" if dialect == "openai" else "scribe"
    first = read(steady, text, key, model, dialect)
    assert is_whole(first, dialect) and not first.is_replay, first
    assert len(first.ids) == len(first.events), "every event has an id"
    streams = {tuple(name.rsplit(".", 2)[:2]) for name in first.ids}
    assert len(streams) == 1 and [int(name.rsplit(".", 1)[1]) for name in first.ids] == list(range(1, len(first.ids) + 1))
    second = read(steady, text, key, model, dialect)
    assert second.is_replay and second.body == first.body, second
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-bulkhead-original-request-id"] == first.headers["x-request-id"]
    assert len(steady.provider.seen(text)) == 1


def test_ik31_a_client_goes_on_where_it_left(steady: Suite) -> None:
    text, key = prompt(), token()
    left = read(steady, text, key, "slowly", enough=lambda found: len(found.ids) >= 5, max_tokens=60)
    refused = read(steady, text, key, "slowly", max_tokens=60)
    assert refused.status == 409 and refused.error["code"] == "idempotency_key_running" and int(refused.headers["retry-after"]) >= 1
    rest = until(lambda: (lambda found: found if found.status == 200 else None)(read(steady, text, key, "slowly", last=left.ids[-1], max_tokens=60)), 5, "the rest")
    assert is_whole(rest) and rest.is_replay, rest
    whole = read(steady, text, key, "slowly", max_tokens=60)
    assert left.ids + rest.ids == whole.ids, "no gap, no duplicate"
    assert b"".join(left.events + rest.events) == whole.body and len(steady.provider.seen(text)) == 1


def test_ik31_another_joins_a_running_stream_from_its_begin(steady: Suite) -> None:
    text, key = prompt(), token()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        first = pool.submit(read, steady, text, key, "slowly", max_tokens=40)
        until(lambda: steady.provider.seen(text), 5, "the stream to begin")
        others = [pool.submit(read, steady, text, key, "slowly", last="0", max_tokens=40) for _ in range(2)]
        bodies = {one.result().body for one in [first, *others]}
    assert len(bodies) == 1 and is_whole(first.result()) and len(steady.provider.seen(text)) == 1


def test_ik33_a_stream_is_its_tenants(steady: Suite) -> None:
    text, key = prompt(), token()
    first = read(steady, text, key)
    other = read(steady, text, key, credential=steady.new_key(tenant="stranger")["key"], last=first.ids[2])
    assert not set(other.ids) & set(first.ids), "nothing of another tenant's stream"
    assert len(first.ids[0].rsplit(".", 2)[0]) >= 24, "not to be guessed"


def test_ik34_a_place_in_an_earlier_run_is_gone(steady: Suite) -> None:
    text, key = prompt(), token()
    first = read(steady, text, key)
    name, fence, number = first.ids[3].rsplit(".", 2)
    gone = read(steady, text, key, last=f"{name}.{int(fence) + 7}.{number}")
    assert gone.status == 410 and gone.error["code"] == "stream_gone", gone
    assert read(steady, text, key, last="elsewhere.1.2").status == 410
    for wrong in ("nonsense", "-1", f"{name}.{fence}", f"{name}.{fence}.x", "1.2.3.4"):
        refused = read(steady, text, key, last=wrong)
        assert refused.status == 400 and refused.error["code"] == "last_event_id_invalid" and "<stream>.<run>.<number>" in refused.error["message"], (wrong, refused)


def test_ik34_a_place_without_its_key_is_refused(steady: Suite) -> None:
    text = prompt()
    body = steady.body("assistant", text, "openai", stream=True)
    refused = steady.request("POST", CHAT, body, headers={"last-event-id": "3"})
    assert refused.status == 400 and refused.error["code"] == "last_event_id_invalid" and "Idempotency-Key" in refused.error["message"], refused
    assert not steady.provider.seen(text)


def test_ik33_a_stream_is_its_users(steady: Suite) -> None:
    """Two users of one tenant: the one who knows the other's stream and Idempotency-Key gets nothing of it."""
    text, key = prompt(), token()
    mine, theirs = (steady.new_key("--user", name, tenant="shared")["key"] for name in ("ada", "eve"))
    first = read(steady, text, key, credential=mine)
    assert is_whole(first)
    for last in (first.ids[2], first.ids[0]):
        other = read(steady, text, key, credential=theirs, last=last)
        assert other.status == 410 and not other.ids, other
    own = read(steady, text, key, credential=mine, last=first.ids[2])
    assert own.ids == first.ids[3:]


def test_ik32_a_stream_goes_on_without_its_client(steady: Suite) -> None:
    text, key = prompt(), token()
    left = read(steady, text, key, "slowly", enough=lambda found: len(found.ids) >= 3, max_tokens=30)
    whole = until(lambda: (lambda found: found if found.status == 200 else None)(read(steady, text, key, "slowly", max_tokens=30)), 10, "the end")
    assert is_whole(whole) and whole.is_replay and whole.body.startswith(left.body[: len(b"".join(left.events))])
    assert len(steady.provider.seen(text)) == 1


def test_ik32_a_cancelled_stream_says_so(steady: Suite) -> None:
    text, key, wish = prompt(), token(), {"on_disconnect": "cancel"}
    left = read(steady, text, key, "slowly", enough=lambda found: len(found.ids) >= 3, bulkhead=wish)
    again = until(lambda: (lambda found: found if found.status == 200 else None)(read(steady, text, key, "slowly", bulkhead=wish)), 5, "the record")
    assert again.body.startswith(b"".join(left.events)) and b"request_cancelled" in again.body and not is_whole(again)


def test_ik35_what_broke_off_is_given_again_as_it_broke_off(steady: Suite) -> None:
    text, key = prompt(), token()
    first = read(steady, text, key, "cut-5")
    second = read(steady, text, key, "cut-5")
    assert first.status == second.status == 200 and b'"error"' in first.body and not is_whole(first)
    assert second.body == first.body and len(steady.provider.seen(text)) == 1


def test_a_failure_before_the_stream_is_replayed_whole(steady: Suite) -> None:
    text, key = prompt(), token()
    first, second = (read(steady, text, key, "fail-400") for _ in range(2))
    assert first.status == second.status == 400 and first.body == second.body and second.is_replay


def test_unmodified_clients_read_streams_with_ids(steady: Suite) -> None:
    text, key = prompt(), {"Idempotency-Key": token()}

    def openai() -> list[Any]:
        return list(steady.openai().chat.completions.create(model="assistant", stream=True, messages=[{"role": "user", "content": text}], extra_headers=key))

    first = openai()
    assert first and first[-1].choices[0].finish_reason == "stop" and openai() == first
    said, key = prompt(), {"Idempotency-Key": token()}

    def anthropic() -> Any:
        with steady.anthropic().messages.stream(model="scribe", max_tokens=99, messages=[{"role": "user", "content": said}], extra_headers=key) as stream:
            return stream.get_final_message().model_dump()

    assert anthropic() == anthropic() and len(steady.provider.seen(said)) == 1


def test_a_stream_without_a_key_has_no_ids(steady: Suite) -> None:
    stream = steady.stream()
    assert stream.is_terminated and stream.headers["idempotent-replayed"] is None
    assert b"id: " not in stream.body
