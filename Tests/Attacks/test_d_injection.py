"""D, continued. Where a secret goes into a body, a query or a path, it cannot break out of its place, nor be pushed out of it."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any, Iterator

import pytest

from caller import INVALID, OK, PRECONDITION
from target import Target
from upstream import Upstream

AWKWARD = 'sk-a"b\\c&d=e+f%g/h<i>j;k,l?m#n'
PLACES = {"json": {"preset": "json", "json": "/auth/key"}, "form": {"preset": "form", "form": "api_key"}, "query": {"preset": "query", "query": "key"}, "path": {"preset": "path", "path": "/hooks/{secret}"}}


@pytest.fixture(scope="module")
def placed(provider) -> Iterator[Target]:
    def change(document: dict[str, Any]) -> None:
        for name, place in PLACES.items():
            entry = {"base_url": upstream.url, "private_network": True, "allow_plain_http": True, "secret": f"{name.upper()}_KEY", "callers": ["edge"]} | place
            document["credentials"]["destinations"][name] = entry

    with Upstream() as upstream:
        target = Target(provider, upstream, change)
        target.suite.secrets |= {f"{name.upper()}_KEY": AWKWARD for name in PLACES if name != "path"}
        try:
            yield target.begin(lacks_secrets=True)
        finally:
            target.suite.close()


JSON = [("content-type", "application/json")]
FORM = [("content-type", "application/x-www-form-urlencoded")]


@pytest.mark.parametrize(
    "body",
    [
        b'{"auth":{"key":"a","key":"b"}}', b'{"auth":{},"auth":{}}', b"[" * 100_000, b'{"auth":{"key":"\xff"}}', b'{"auth":{"key":1e99999}}', b'{"auth":{"key":' + b"9" * 5000 + b"}}",
        b"", b"null", b"[]", b'{"auth":[]}', b'{"auth":"text"}', b'{"auth":{}} {}', b'\xef\xbb\xbf{"auth":{}}', b"{'auth':{}}", b'{"\\u0061uth":{"key":"x"},"auth":{}}',
    ],
)
def test_d38_json_that_is_read_in_two_ways(placed: Target, body: bytes) -> None:
    """Refused; or what arrives has the secret at its place once, and nothing of the caller there."""
    before = len(placed.upstream.requests)
    told = placed.call("json", method="POST", headers=JSON, body=body)
    assert told.code in (OK, INVALID), told
    if told.code == OK:
        pairs: list[str] = []

        def collect(items: list[tuple[str, Any]]) -> dict[str, Any]:
            names = [name for name, _ in items]
            assert len(names) == len(set(names)), "a member stands there twice"
            pairs.extend(names)
            return dict(items)

        assert json.loads(placed.upstream.requests[-1].body, object_pairs_hook=collect)["auth"]["key"] == AWKWARD
    else:
        assert len(placed.upstream.requests) == before


def test_d38_what_the_caller_put_there_is_replaced(placed: Target) -> None:
    told = placed.call("json", method="POST", headers=JSON, body=b'{"auth":{"key":"of the caller","other":1},"x":[1,2]}')
    assert told.code == OK, told
    assert json.loads(placed.upstream.requests[-1].body) == {"auth": {"key": AWKWARD, "other": 1}, "x": [1, 2]}


def test_d39_signs_of_the_syntax_in_json(placed: Target) -> None:
    assert placed.call("json", method="POST", headers=JSON, body=b'{"auth":{}}').code == OK
    assert json.loads(placed.upstream.requests[-1].body)["auth"]["key"] == AWKWARD


def test_d39_signs_of_the_syntax_in_a_form(placed: Target) -> None:
    assert placed.call("form", method="POST", headers=FORM, body=b"a=b&c=d").code == OK
    assert urllib.parse.parse_qs(placed.upstream.requests[-1].body.decode()) == {"a": ["b"], "c": ["d"], "api_key": [AWKWARD]}


def test_d39_signs_of_the_syntax_in_a_query(placed: Target) -> None:
    assert placed.call("query", query="a=b").code == OK
    query = urllib.parse.urlsplit(placed.upstream.requests[-1].target).query
    assert urllib.parse.parse_qs(query) == {"a": ["b"], "key": [AWKWARD]}


@pytest.mark.parametrize("body", [b"a=b&api_key=mine&c=d", b"%61pi_key=mine", b"api%5Fkey", b"a=b&api_ke%79=", b"%zz=1"])
def test_d39_the_field_of_a_form_is_not_the_callers(placed: Target, body: bytes) -> None:
    before = len(placed.upstream.requests)
    told = placed.call("form", method="POST", headers=FORM, body=body)
    assert told.code == INVALID and len(placed.upstream.requests) == before, told


@pytest.mark.parametrize("query", ["a=b&key=mine", "key", "%6bey=mine", "k%65y=mine&a=b"])
def test_d39_the_parameter_of_a_query_is_not_the_callers(placed: Target, query: str) -> None:
    before = len(placed.upstream.requests)
    told = placed.call("query", query=query)
    assert told.code == INVALID and len(placed.upstream.requests) == before, told


def test_d39_a_secret_that_is_no_part_of_a_path(placed: Target) -> None:
    """It is not stored for such a destination, or refused when it would be used."""
    done = placed.suite.cli("credentials", "set", "PATH_KEY", "--stdin", input="../../admin?x#y\n")
    told = placed.call("path", "/hooks/x")
    assert done.returncode != 0 or told.code in (INVALID, PRECONDITION), (done, told)
    assert not any("admin" in request.target for request in placed.upstream.requests)
