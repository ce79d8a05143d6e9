"""Finds the one destination that an address, or a name, and the name of a key stand for."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from collections.abc import Iterable, Sequence

from ._errors import NoDestination

# How each preset puts the key into a request, in the words of `Client.call`.
_STYLES = {
    "bearer": "bearer", "openai": "bearer", "cohere": "bearer", "mistral": "bearer", "basic": "basic", "header": "header", "anthropic": "header",
    "gemini": "header", "azure": "header", "query": "query_key",
}
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_PORTS = {"http": 80, "https": 443}
_PATH = "/%:@!$&'()*+,;=-._~"


@dataclasses.dataclass(frozen=True)
class Destination:
    """What the API key may call. `secret` is the name of a secret; its value is nowhere to be had."""

    name: str
    base_url: str
    secret: str | None = None
    preset: str | None = None
    methods: Sequence[str] | None = None
    paths: Sequence[str] | None = None

    @property
    def style(self) -> str | None:
        """bearer, basic, header or query_key; another preset's name as it is; None where nothing is injected."""
        return _STYLES.get(self.preset, self.preset) if self.preset else None


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a call goes: a destination, and the raw path and query below it."""

    name: str
    path: str
    query: str


@dataclasses.dataclass(frozen=True)
class Key:
    """The key a caller named, and how it said that it is sent."""

    style: str
    name: str


def split(url: str) -> tuple[tuple[str, str, int], str, str]:
    """Origin, path and query of an address; what people leave unescaped in a path is escaped, nothing else is changed."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("the address is no http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address holds a user or password: name the key instead, e.g. basic=\"NAME\"")
    if parts.fragment:
        raise ValueError("the address has a fragment (#): leave it out")
    origin = (parts.scheme, parts.hostname.lower(), parts.port or _PORTS[parts.scheme])
    return origin, urllib.parse.quote(parts.path, safe=_PATH), urllib.parse.quote(parts.query, safe=_PATH + "?")


def _below(destination: Destination, origin: tuple[str, str, int], path: str) -> str | None:
    """The part of `path` below the destination's base URL; None when the address is not there."""
    try:
        base_origin, base, _ = split(destination.base_url)
    except ValueError:
        return None
    base = base.rstrip("/")
    if base_origin != origin or not (path == base or path.startswith(base + "/")):
        return None
    return path[len(base) :] or "/"


def _fits(destination: Destination, key: Key | None) -> bool:
    if key is None:
        return destination.secret is None
    return destination.secret == key.name and destination.style == key.style


def _said(key: Key | None) -> str:
    """The key for people. What is no name may be a secret that was given in its place: it is not repeated."""
    if key is None:
        return "no key"
    return f"{key.style}={key.name!r}" if _NAME.fullmatch(key.name) else f"{key.style}=(hidden: no name of a key, such as STRIPE_KEY)"


def resolve(target: str, key: Key | None, destinations: Iterable[Destination]) -> Target:
    """The one destination for an address and a key. Refuses when there is none, or more than one."""
    origin, path, query = split(target)
    place = f"{origin[0]}://{origin[1]}:{origin[2]}"
    there = [(destination, rest) for destination in destinations if (rest := _below(destination, origin, path)) is not None]
    if not there:
        raise NoDestination(
            f"this API key may call no destination at {place}: an operator adds one to credentials.destinations (callers: [edge]), and a key "
            "that may call it is made with `bulkhead-session keys create --destinations NAME`"
        )
    fitting = [(destination, rest) for destination, rest in there if _fits(destination, key)]
    if not fitting:
        known = ", ".join(f"{d.name} ({d.style}={d.secret!r})" if d.secret else f"{d.name} (no key)" for d, _ in there)
        raise NoDestination(f"no destination at {place} is sealed for {_said(key)}; there is: {known}")
    if len(fitting) > 1:
        names = ", ".join(destination.name for destination, _ in fitting)
        raise NoDestination(f"{_said(key)} at {place} fits more than one destination: name one of {names} instead of the address")
    destination, rest = fitting[0]
    return Target(destination.name, rest, query)


def check(name: str, key: Key, destinations: Iterable[Destination]) -> None:
    """Refuses when the destination called `name` does not use this key in this way."""
    for destination in destinations:
        if destination.name == name:
            if not _fits(destination, key):
                used = f"{destination.style}={destination.secret!r}" if destination.secret else "no key"
                raise NoDestination(f"the destination {name} uses {used}, not {_said(key)}")
            return
    raise NoDestination(f"this API key may call no destination {name!r}")
