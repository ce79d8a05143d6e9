"""The Python client through a real suite: it names keys, and never sees one."""

import asyncio
import json
import os
import sys
import time
from typing import Any, Iterator

import pytest

import suite as driver
from suite import ROOT, Provider, Suite, until
from upstream import Upstream

sys.path.insert(0, str(ROOT / "Shared/Clients/Python/bulkhead-client/src"))

from bulkhead_client import AsyncClient, Client, NoDestination, Refused, Unavailable, Unreachable  # noqa: E402


class Stage:
    def __init__(self, suite: Suite, upstream: Upstream) -> None:
        self.suite, self.upstream = suite, upstream
        self.key = suite.new_key("--destinations", "shop,models,bare,narrow")["key"]
        self.client = Client(suite.url, self.key, timeout=10)


@pytest.fixture(scope="module")
def running(provider: Provider) -> Iterator[Stage]:
    upstream = Upstream()

    def change(document: dict[str, Any]) -> None:
        bare = {"base_url": upstream.url, "private_network": True, "callers": ["edge"]}
        secret = {"allow_plain_http": True, "preset": "bearer", "secret": "SHOP_KEY"}
        document["credentials"]["destinations"] |= {
            "bare": bare, "shop": bare | secret, "narrow": bare | secret | {"secret": "NARROW_KEY", "preset": "header", "header": "x-shop", "methods": ["GET"], "paths": ["/v1/**"]},
            "models": secret | {"base_url": provider.url, "private_network": True, "callers": ["edge"], "secret": "OAI_KEY", "preset": "openai"},
        }

    suite = driver.Suite(provider, change)
    suite.secrets |= {"SHOP_KEY": "shop-" + os.urandom(16).hex(), "NARROW_KEY": "narrow-" + os.urandom(16).hex()}
    suite.begin()
    stage = Stage(suite, upstream)
    yield stage
    stage.client.close()
    suite.close()
    upstream.close()


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.suite.wait_well(10)
    running.upstream.seen.clear()
    return running


def test_an_address_and_the_name_of_its_key(stage: Stage) -> None:
    answer = stage.client.call(f"{stage.upstream.url}/v1/balance?live=1", bearer="SHOP_KEY", query={"q": "ü x"})
    told = answer.json()
    assert answer.status == 200 and told["target"] == "/v1/balance?live=1&q=%C3%BC%20x"
    assert stage.upstream.last().all("authorization") == [f"Bearer {stage.suite.secrets['SHOP_KEY']}"]
    assert stage.suite.secrets["SHOP_KEY"] not in answer.text, "the echo is taken out"
    stage.client.call(f"{stage.upstream.url}/v1/x", header="NARROW_KEY")
    assert stage.upstream.last().all("x-shop") == [stage.suite.secrets["NARROW_KEY"]]
    assert not stage.client.call(f"{stage.upstream.url}/x").json()["headers"][0][0].startswith("auth")


def test_a_key_goes_to_its_own_address_only(stage: Stage) -> None:
    for url, words in (
        ("https://evil.example/v1", {"bearer": "SHOP_KEY"}), (f"{stage.upstream.url}/v1", {"bearer": "OAI_KEY"}), (f"{stage.upstream.url}/v1", {"basic": "SHOP_KEY"}),
        (f"http://localhost:{stage.upstream.port}/v1", {"bearer": "SHOP_KEY"}),
    ):
        with pytest.raises(NoDestination):
            stage.client.call(url, **words)
    assert not stage.upstream.seen


def test_errors_say_what_is_wrong(stage: Stage) -> None:
    for words, kind, status, code in (
        ({"target": "narrow", "path": "/admin"}, Refused, 403, "destination_denied"), ({"target": "narrow", "path": "/v1/x", "json": {}}, Refused, 403, "destination_denied"),
        ({"target": "nowhere"}, Refused, 404, "destination_unknown"), ({"target": "oai"}, Refused, 403, "destination_not_allowed"),
    ):
        with pytest.raises(kind) as told:
            stage.client.call(**words)
        assert (told.value.status, told.value.code) == (status, code) and told.value.detail and told.value.request_id
    with pytest.raises(Refused) as told:
        Client(stage.suite.url, "bh_wrong").call("shop")
    assert told.value.status == 401
    assert not stage.upstream.seen


def test_a_secret_that_is_not_there(stage: Stage) -> None:
    assert stage.suite.cli("credentials", "delete", "SHOP_KEY").returncode == 0
    try:
        with pytest.raises(Unavailable) as told:
            stage.client.call("shop", bearer="SHOP_KEY")
        assert told.value.status == 503 and told.value.code == "secret_missing"
    finally:
        stage.suite.store("SHOP_KEY", stage.suite.secrets["SHOP_KEY"])


def test_statuses_and_redirects_are_answers(stage: Stage) -> None:
    for status in (201, 204, 302, 404, 500, 503):
        answer = stage.client.call("shop", path=f"/status/{status}")
        assert answer.status == status and answer.ok == (status < 300)
    assert len(stage.upstream.seen) == 6


def test_once_only(stage: Stage) -> None:
    mark = driver.prompt("order").replace(" ", "-")
    first, second = (stage.client.call("shop", path="/charges", json={"amount": 7}, idempotency_key=mark) for _ in range(2))
    assert first.body == second.body and not first.is_replayed and second.is_replayed and len(stage.upstream.seen) == 1
    assert json.loads(first.json()["body"]) == {"amount": 7}
    with pytest.raises(Refused) as told:
        stage.client.call("shop", path="/charges", json={"amount": 8}, idempotency_key=mark)
    assert told.value.code == "idempotency_key_reused"


def test_streams(stage: Stage) -> None:
    began, moments = time.monotonic(), []
    with stage.client.call("shop", path="/stream", query={"n": 5, "delay": 0.1}, stream=True) as answer:
        for line in answer.lines():
            if line:
                moments.append(time.monotonic() - began)
    assert len(moments) == 5 and moments[-1] - moments[0] > 0.3, "events come as they are sent"
    ask = {"model": "demo-chat", "messages": [{"role": "user", "content": driver.prompt()}], "stream": True}
    with stage.client.call("models", path="/v1/chat/completions", json=ask, stream=True) as answer:
        assert any(line == "data: [DONE]" for line in answer.lines())


def test_giving_a_stream_up_closes_the_upstream(stage: Stage) -> None:
    with stage.client.call("shop", path="/silent/head", stream=True) as answer:
        assert next(iter(answer)).startswith(b": here")
    record = stage.upstream.last()
    until(lambda: record.closed_at, 3, "the upstream's connection to be closed")


def test_an_answer_that_breaks_off(stage: Stage) -> None:
    for path in ("/cut/chunked", "/cut/length"):
        with pytest.raises(Unreachable, match="broke off"):
            stage.client.call("bare", path=path)


def test_bodies_of_all_kinds(stage: Stage) -> None:
    data = os.urandom(300_000)
    for body in (data, iter([data[:100_000], data[100_000:]])):
        assert stage.client.call("bare", path="/upload", body=body).json()["size"] == len(data)


def test_asyncio(stage: Stage) -> None:
    async def run() -> list[int]:
        async with AsyncClient(stage.suite.url, stage.key) as client:
            answers = await asyncio.gather(*(client.call(f"{stage.upstream.url}/x?n={n}", bearer="SHOP_KEY") for n in range(20)))
            return [int((await answer.json())["target"].split("=")[1]) for answer in answers]

    assert asyncio.run(run()) == list(range(20))


def test_the_list_holds_names_only(stage: Stage) -> None:
    found = {destination.name: destination for destination in stage.client.destinations()}
    assert found["narrow"].secret == "NARROW_KEY" and found["narrow"].style == "header" and found["narrow"].paths == ["/v1/**"]
    for secret in stage.suite.secrets.values():
        assert secret not in repr(found)
