"""Texts that are hard to split into tokens, the same in every run."""
import base64
import random
from pathlib import Path
from typing import Any

SAMPLES = [
    "", " ", "\n", "a", "The quick brown fox jumps over the lazy dog.", "I'm, you're, WE'LL, they'VE; don't it'S I'D he'ſ 'ſx 'Ll'x",
    "Ça naïve Straße Größe İstanbul ǅungla", "北京是中国的首都。我喜欢机器学习ABC123", "日本語とEnglishの混在テキスト、カタカナも。", "안녕하세요 세계! 반갑습니다",
    "Привет, как дела? Ёжик", "مرحبا بالعالم، كيف حالك؟ ١٢٣٤٥", "नमस्ते दुनिया कैसे हैं", "สวัสดีชาวโลก ภาษาไทย", "שלום עולם", "ΑΒΓ Σίσυφος",
    "🎉🚀👩‍👩‍👧 done! 🇩🇪🏳️‍🌈 e\u0301 \u0301\u0302x", "12345678901 3.14159 ½²Ⅷ ٣٤ 1,234,567", "price: $1,234.56 (−20%) — “quoted” … #tag @user e=mc²",
    "func add(_ a: Int) -> Int {\n    return a + 1 // x_y != z\n}\n\n\n", "def f(x):\n\tif x >= 0:\n\t\treturn f'{x!r}'\r\n\r\n", "   leading and trailing   ",
    "a\n \n  b\n\n\n   \n", "tab\t\tnewline\r\nnbsp\u00a0\u00a0x\u2003zero\u200bwidth\u0007bell\u0000nul\ufffdx\u2028y\u3000z", "<|endoftext|> <|im_start|>",
    "https://example.org/a/b?c=d&e=f#g//\n//\r\n/x", '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}', "中AAAA中A", "ʰABC ʰAbc ʰ",
    "camelCaseHTTPServer XMLHttpRequest iPhone ABCdEF", "----====____****\n\n####", " ?\n?/ \n//", "\u0301abc \u0301ABC 1\u0301", "\U0001d400\U0001d41a𐐀𐐨",
]
LONG = [
    "a" * 20_000, " " * 20_000, "\n" * 20_000, "A" * 20_000, "1" * 20_000, "中" * 10_000, "é" * 10_000, "ab" * 10_000, "!" * 20_000,
    " \n" * 10_000, "\u0301" * 10_000, "🎉" * 5_000, "aA" * 10_000, "中A" * 10_000, "'s" * 10_000, "x" * 127, "x" * 128, "x" * 129, "=-" * 5_000,
    "\x00" * 5_000, "the cat sat on the mat, and " * 700,
]
RANGES = [
    (0x20, 0x7e), (0x61, 0x7a), (0x41, 0x5a), (0x30, 0x39), (0x00, 0x20), (0xa0, 0x24f), (0x2b0, 0x36f), (0x370, 0x58f), (0x590, 0x6ff), (0x900, 0x97f),
    (0xe00, 0xe7f), (0x1d00, 0x1eff), (0x2000, 0x206f), (0x2070, 0x218f), (0x3000, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xfe00, 0xffef),
    (0x1d400, 0x1d7ff), (0x1f300, 0x1faff), (0x10000, 0x10fff),
]
WORDS = "the The THE 's 'S 'll 're ' \" \n \r\n \t  a I . , ; // \\ ( ) {} [] 0 12 345 don't naïve 中文 été ÉTÉ \u0301 ʰ _ - -- = == \u00a0 \u2028".split(" ")


def random_texts(count: int, seed: int = 1) -> list[str]:
    """Runs of characters of one script, words and spaces, mixed."""
    source = random.Random(seed)
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(source.randint(1, 30)):
            kind = source.random()
            if kind < 0.35:
                parts.append(source.choice(WORDS) + source.choice(["", " ", "  ", "\n", "'"]))
            elif kind < 0.5:
                parts.append(source.choice([" ", "\n", "\t", "a", "B", "é", "1", "/", "'", "中"]) * source.randint(1, 12))
            else:
                low, high = source.choice(RANGES)
                parts.append("".join(chr(source.randint(low, high)) for _ in range(source.randint(1, 8))))
        texts.append("".join(parts).encode("utf-8", "ignore").decode())
    return texts


def tiktoken_encoding(name: str, folder: Path) -> Any:
    """tiktoken's own encoding, with the vocabulary's file of `folder`: its home is not asked."""
    import tiktoken
    from tiktoken_ext import openai_public

    def read(address: str, expected_hash: str | None = None) -> dict[bytes, int]:
        lines = (folder / address.rsplit("/", 1)[1]).read_bytes().splitlines()
        return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}

    home, openai_public.load_tiktoken_bpe = openai_public.load_tiktoken_bpe, read
    try:
        return tiktoken.Encoding(**getattr(openai_public, name)())
    finally:
        openai_public.load_tiktoken_bpe = home
