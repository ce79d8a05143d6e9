"""The tokenizer against tiktoken itself, on the same vocabularies."""

import os
import struct
import subprocess
from pathlib import Path

import pytest

from suite import BIN, ROOT
from token_texts import LONG, SAMPLES, random_texts, tiktoken_encoding

pytest.importorskip("tiktoken", reason="pip install tiktoken")

FOLDER = Path("/usr/share/bulkhead/models/tiktoken")
if not FOLDER.exists():
    FOLDER = ROOT / ".bulkhead/models/tiktoken"
VOCABULARIES = ["o200k_base", "cl100k_base"]

needs_vocabularies = pytest.mark.skipif(
    not FOLDER.exists() and os.environ.get("BULKHEAD_REQUIRE_MODEL") != "1", reason="run deploy/models/fetch.sh")


def lines(vocabulary: str, texts: list[str], *flags: str) -> list[str]:
    """What the product's tokenizer writes for each text."""
    data = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    done = subprocess.run(
        [BIN / "bulkhead-token-peer", FOLDER, vocabulary, *flags], input=data, capture_output=True, check=True, timeout=80)
    return done.stdout.decode().splitlines()


def differing(vocabulary: str, texts: list[str]) -> list[str]:
    encoding = tiktoken_encoding(vocabulary, FOLDER)
    made = lines(vocabulary, texts)
    assert len(made) == len(texts)
    return [text for text, line in zip(texts, made) if [int(rank) for rank in line.split()] != encoding.encode_ordinary(text)]


@needs_vocabularies
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_tokens_of_difficult_texts_are_tiktokens(vocabulary: str) -> None:
    assert [text[:80] for text in differing(vocabulary, SAMPLES + LONG)] == []


@needs_vocabularies
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_tokens_of_random_texts_are_tiktokens(vocabulary: str) -> None:
    assert differing(vocabulary, random_texts(20_000)) == []


@needs_vocabularies
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_every_character_splits_text_as_in_tiktoken(vocabulary: str) -> None:
    """The neighbours show its class: what is a letter takes an apostrophe's rest with it, a number two more, and so on."""
    assigned = [*range(0xd800), *range(0xe000, 0x20000), *range(0x2f000, 0x34000), *range(0xe0000, 0xe0200)]
    texts = [f"a{c}b{c}'s {c}34567 {c}'LL{c}/\n{c}\n{c} {c}{c}The" for c in map(chr, assigned)]
    assert [hex(ord(text[1])) for text in differing(vocabulary, texts)] == []


@needs_vocabularies
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_hostile_text_takes_time_in_proportion_to_its_length(vocabulary: str) -> None:
    """n log n at most: eight times the text in far less than sixty-four times the time."""
    def milliseconds(text: str) -> float:
        return min(float(line.split()[1]) for line in lines(vocabulary, [text] * 3, "--time")[1:])

    for unit in "a", " ", "中A", "\u0301", "\n ":
        assert milliseconds(unit * 320_000) < 24 * milliseconds(unit * 40_000) + 50, f"{unit!r}"
