#!/usr/bin/env python3
"""Computes Tests/Unit/RetrievalTests/ReferenceVectors.swift: token ids and embeddings the service is compared with.

Independent of the service: ids come from the package `tokenizers`, vectors from a float64 forward pass in numpy.
    pip install numpy tokenizers
    deploy/models/reference_vectors.py .bulkhead/models/all-MiniLM-L6-v2 > Tests/Unit/RetrievalTests/ReferenceVectors.swift
With --full the whole vectors are printed instead, one JSON line a text.
"""
import json
import math
import struct
import sys

import numpy
from tokenizers import BertWordPieceTokenizer

TEXTS = [
    "", "hello world", "The quick brown fox jumps over the lazy dog.", "How do I reset my password if I lost my phone?",
    "Crème brûlée à la façon de Zoë, naïve résumé", "北京是中国的首都。", "日本語とEnglishの混在テキスト、カタカナも。", "안녕하세요 세계",
    "Привет, как дела? Ёжик в тумане", "مرحبا بالعالم، كيف حالك؟", "नमस्ते दुनिया", "ΑΒΓ Σίσυφος İstanbul ſtraße ﬁne",
    "great job 🎉🚀 👩‍👩‍👧 done!", "price: $1,234.56 (−20%) — “quoted” … #tag @user e=mc²", "tab\tnewline\r\nnbsp\u00a0zero\u200bwidth\u0007bell\ufffdx",
    "func add(_ a: Int) -> Int { return a + 1 } // x_y != z", "unaffable antidisestablishmentarianism " + "x" * 101 + " " + "y" * 100,
    "ѐ" * 40 + " ä̈́ z̶a̷l̸g̵o", "the cat sat on the mat, and " * 40, "东" * 300, " \t\n ", "Dark mode is on", "Dark mode is off",
]
HEADS, LAYERS, LENGTH = 12, 6, 256
erf = numpy.vectorize(math.erf)


def load(path):
    with open(path, "rb") as file:
        data = file.read()
    end = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:end])
    header.pop("__metadata__", None)
    tensors = {}
    for name, tensor in header.items():
        if tensor["dtype"] == "F32":
            start, stop = tensor["data_offsets"]
            flat = numpy.frombuffer(data[end + start:end + stop], "<f4").astype("f8")
            tensors[name] = flat.reshape(tensor["shape"])
    return tensors


def layer_norm(x, weights, name):
    centred = x - x.mean(-1, keepdims=True)
    return centred / numpy.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-12) * weights[name + ".weight"] + weights[name + ".bias"]


def dense(x, weights, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def attention(x, weights, name):
    def heads(part):
        return dense(x, weights, f"{name}.self.{part}").reshape(len(x), HEADS, -1).transpose(1, 0, 2)
    scores = heads("query") @ heads("key").transpose(0, 2, 1) / math.sqrt(x.shape[1] / HEADS)
    scores = numpy.exp(scores - scores.max(-1, keepdims=True))
    mixed = (scores / scores.sum(-1, keepdims=True)) @ heads("value")
    return dense(mixed.transpose(1, 0, 2).reshape(x.shape), weights, name + ".output.dense")


def embed(ids, weights):
    x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.position_embeddings.weight"][:len(ids)]
    x = layer_norm(x + weights["embeddings.token_type_embeddings.weight"][0], weights, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        x = layer_norm(x + attention(x, weights, name + ".attention"), weights, name + ".attention.output.LayerNorm")
        inner = dense(x, weights, name + ".intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
        x = layer_norm(x + dense(inner, weights, name + ".output.dense"), weights, name + ".output.LayerNorm")
    pooled = x.mean(0)
    return pooled / numpy.linalg.norm(pooled)


def swift(text):
    return '"' + "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text) + '"'


def case(text, ids, vector):
    witness = float(vector @ numpy.cos(numpy.arange(len(vector))))
    head = ", ".join(f"{value:.6f}" for value in vector[:16])
    if len(text) > 300:
        unit = next(text[:n] for n in range(1, len(text)) if text == text[:n] * (len(text) // n))
        literal = f"String(repeating: {swift(unit)}, count: {len(text) // len(unit)})"
    else:
        literal = swift(text)
    return (f"        ReferenceCase(\n            text: {literal},\n            ids: {ids},\n"
            f"            head: [{head}],\n            witness: {witness:.6f}),")


def main():
    folder = sys.argv[1]
    weights = load(folder + "/model.safetensors")
    tokenizer = BertWordPieceTokenizer(folder + "/vocab.txt", lowercase=True)
    tokenizer.enable_truncation(LENGTH)
    rows = [(text, tokenizer.encode(text).ids) for text in TEXTS]
    rows = [(text, ids, embed(ids, weights)) for text, ids in rows]
    if "--full" in sys.argv:
        for text, ids, vector in rows:
            print(json.dumps({"text": text, "ids": ids, "vector": vector.tolist()}))
        return
    print("// Made by deploy/models/reference_vectors.py. Do not edit.\n// swift-format-ignore-file\n")
    print("/// What an independent tokenizer and a float64 forward pass make of a text.\nstruct ReferenceCase: Sendable {\n    let text: String\n"
          "    let ids: [Int32]\n    /// The first 16 numbers of the unit vector.\n    let head: [Float]\n"
          "    /// The dot product of the whole vector with cos(0), cos(1), …\n    let witness: Float\n")
    print("    static let all: [ReferenceCase] = [")
    for row in rows:
        print(case(*row))
    print("    ]\n}")


main()
