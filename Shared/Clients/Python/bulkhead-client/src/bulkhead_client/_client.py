"""The client."""

from __future__ import annotations

import http.client
import json as jsonlib
import os
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Union

from ._answer import Answer
from ._connections import Connections
from ._destinations import Destination, Key, Target, check, resolve
from ._errors import NoDestination, Unreachable, from_answer

Scalar = Union[str, int, float, bool]
Query = Mapping[str, Union[Scalar, Sequence[Scalar]]]
Body = Union[str, bytes, Iterable[bytes]]

# Seconds that a list of destinations counts; a call that finds nothing in it asks anew.
_LIST_SECONDS = 60.0
_CREDENTIALS = {"authorization", "x-api-key", "proxy-authorization"}


class Client:
    """Calls destinations through Bulkhead. There is no way to read a secret: only its name is ever known here.

    Threads may share a client. `base_url` and `api_key` default to BULKHEAD_BASE_URL and BULKHEAD_API_KEY; `timeout` is the
    seconds that may pass without a byte.
    """

    def __init__(
        self, base_url: str | None = None, api_key: str | None = None, *, timeout: float = 60.0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        base_url = base_url or os.environ.get("BULKHEAD_BASE_URL") or "http://127.0.0.1:8080"
        api_key = api_key or os.environ.get("BULKHEAD_API_KEY")
        if not api_key:
            raise ValueError("there is no API key: give api_key, or set BULKHEAD_API_KEY")
        self._authorization = f"Bearer {api_key}"
        self._connections = Connections(base_url, timeout, ssl_context)
        self._base_url = base_url
        self._lock = threading.Lock()
        self._listed: tuple[list[Destination], float] | None = None

    def call(
        self, target: str, *, bearer: str | None = None, basic: str | None = None, header: str | None = None, query_key: str | None = None,
        method: str | None = None, path: str | None = None, query: Query | None = None, headers: Mapping[str, str] | None = None, json: Any = None,
        body: Body | None = None, stream: bool = False, idempotency_key: str | None = None, timeout: float | None = None,
    ) -> Answer:
        """One request to a destination, by its name or by an address it is sealed for.

        `bearer`, `basic`, `header` and `query_key` name the key and say how it is sent; with an address the two must lead to one
        destination, else nothing is sent. `json` is encoded, `body` goes as it is. Redirects are not followed. With `idempotency_key` the
        call runs once and repetitions get the same answer; its body is then JSON or text. `stream` hands the answer out before its body.
        Without `method` it is POST when there is a body, else GET.
        """
        if json is not None and body is not None:
            raise ValueError("give json or body, not both")
        place = self._place(target, path, query, _key(bearer=bearer, basic=basic, header=header, query_key=query_key))
        sent = _headers(headers)
        method = (method or ("GET" if json is None and body is None else "POST")).upper()
        if idempotency_key is not None:
            words, data = _described(method, place, sent, json, body)
            own = {"content-type": "application/json", "idempotency-key": idempotency_key}
            return self._answer("POST", words, own, data, stream, timeout)
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
            sent.setdefault("content-type", "application/json")
        words = f"/v1/proxy/{_segment(place.name)}{place.path}" + (f"?{place.query}" if place.query else "")
        return self._answer(method, words, sent, body.encode() if isinstance(body, str) else body, stream, timeout)

    def destinations(self) -> list[Destination]:
        """What this API key may call: names, addresses, names of secrets, policy. Never a value."""
        answer = self._send("GET", "/v1/call", {}, None, None)
        if answer.status != 200:
            raise from_answer(answer.status, answer.headers, answer.body)
        fields = ("name", "base_url", "secret", "preset", "methods", "paths")
        found = [Destination(**{name: entry.get(name) for name in fields}) for entry in answer.json()["data"]]
        with self._lock:
            self._listed = (found, time.monotonic())
        return found

    def close(self) -> None:
        """Closes idle connections."""
        self._connections.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self._base_url}>"

    # Where a call goes

    def _place(self, target: str, path: str | None, query: Query | None, key: Key | None) -> Target:
        if "://" not in target:
            if key is not None:
                self._look(lambda known: check(target, key, known))
            return Target(target, _path(path), _query(query))
        if path is not None:
            raise ValueError("an address has its path already: leave path out")
        found = self._look(lambda known: resolve(target, key, known))
        return Target(found.name, found.path, "&".join(filter(None, (found.query, _query(query)))))

    def _look(self, find: Any) -> Any:
        """Asks the kept list first; what it does not have may have been added since."""
        with self._lock:
            kept = self._listed
        if kept is not None and time.monotonic() - kept[1] < _LIST_SECONDS:
            try:
                return find(kept[0])
            except NoDestination:
                pass
        return find(self.destinations())

    # The wire

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: Any, stream: bool, timeout: float | None) -> Answer:
        answer = self._send(method, target, headers, body, timeout)
        # What a destination answered says so; anything else is Bulkhead's own word.
        if answer.headers.get("x-bulkhead-destination") is None:
            raise from_answer(answer.status, answer.headers, answer.body)
        if not stream:
            _ = answer.body
        return answer

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: Any, timeout: float | None) -> Answer:
        connection = self._connections.take(timeout)
        try:
            connection.request(method, target, body, {"user-agent": "bulkhead-client", **headers, "authorization": self._authorization})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if isinstance(error, http.client.InvalidURL):
                raise ValueError("path and query have to be percent-encoded") from None
            raise Unreachable(f"no answer from {self._base_url}: {type(error).__name__}") from error
        except BaseException:
            connection.close()
            raise

        def release(is_whole: bool) -> None:
            response.close()
            if is_whole and not response.will_close:
                self._connections.give_back(connection)
            else:
                connection.close()

        return Answer(response, release)


def _key(**named: str | None) -> Key | None:
    given = [Key(style, name) for style, name in named.items() if name is not None]
    if len(given) > 1:
        raise ValueError("name one key: " + ", ".join(key.style for key in given))
    return given[0] if given else None


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    for name in _CREDENTIALS & sent.keys():
        raise ValueError(f"{name} is added on the way: name the key instead, e.g. bearer=\"NAME\"")
    return sent


def _segment(name: str) -> str:
    if not name or urllib.parse.quote(name, safe="") != name or set(name) <= {"."}:
        raise NoDestination(f"{name!r} is no name of a destination: letters, digits, '-' and '_'")
    return name


def _path(path: str | None) -> str:
    path = "/" if path is None else path
    if not path.startswith("/") or "?" in path:
        raise ValueError("path begins with a slash and has no query: give that as query")
    return path


def _query(query: Query | None) -> str:
    pairs = []
    for name, value in (query or {}).items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            text = str(item).lower() if isinstance(item, bool) else str(item)
            pairs.append(f"{urllib.parse.quote(name, safe='')}={urllib.parse.quote(text, safe='')}")
    return "&".join(pairs)


def _described(method: str, place: Target, headers: Mapping[str, str], json: Any, body: Body | None) -> tuple[str, bytes]:
    """The call as `/v1/call` takes it."""
    if body is not None and not isinstance(body, str):
        if not isinstance(body, bytes):
            raise ValueError("with idempotency_key the body is json, text or bytes of UTF-8: it is compared with that of repetitions")
        body = body.decode()
    told: dict[str, Any] = {"method": method, "path": place.path, "headers": dict(headers)}
    if place.query:
        told["query"] = _parsed(place.query)
    if body is not None:
        told["body"] = body
    elif json is not None:
        # As text, so that numbers and strings on their own are possible too.
        told["body"] = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":"))
        told["headers"].setdefault("content-type", "application/json")
    return f"/v1/call/{_segment(place.name)}", jsonlib.dumps(told).encode()


def _parsed(query: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found
