#!/usr/bin/env python3
"""Computes Tests/Unit/TokensTests/ReferenceTokens.swift: token numbers the tokenizer is compared with, as tiktoken makes them.

    pip install tiktoken==0.14.0
    deploy/models/reference_tokens.py .bulkhead/models/tiktoken > Tests/Unit/TokensTests/ReferenceTokens.swift
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "Tests" / "Support"))
from token_texts import SAMPLES, tiktoken_encoding  # noqa: E402


def swift(text: str) -> str:
    return '"' + "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text) + '"'


def main() -> None:
    newer, older = (tiktoken_encoding(name, Path(sys.argv[1])) for name in ("o200k_base", "cl100k_base"))
    print("// Made by deploy/models/reference_tokens.py. Do not edit.\n// swift-format-ignore-file\n")
    print("/// What tiktoken makes of a text.\nstruct ReferenceTokens: Sendable {\n    let text: String\n"
          "    let o200k: [Int]\n    let cl100k: [Int]\n\n    static let all: [ReferenceTokens] = [")
    for text in SAMPLES:
        print(f"        ReferenceTokens(\n            text: {swift(text)},\n            o200k: {newer.encode_ordinary(text)},\n"
              f"            cl100k: {older.encode_ordinary(text)}),")
    print("    ]\n}")


main()
