"""Makes tests/fixtures/tokenizer/kinds.json.gz: every kind of stage of a tokenizer.json, and Python's ids.

Each normalizer, pre-tokenizer, post-processor, model option and kind of added token stands in a small
tokenizer of its own; the ids of many texts, hand-picked and random in all of Unicode, are what Python's
`tokenizers` gives for it. Where stages are compared, the model is a BPE whose tokens are the 256 bytes
and that marks the end of each piece, so that the ids show every character and every cut.

Run from the repository's root:

    python tests/reference/tokenizer_kinds.py [--texts 500] [--seed 7] [--out FILE]

With more texts it is a fuzzer: tests/tokenizer/kinds_test.ts reads the file that KINDS names.
Versions: requirements.txt beside this file.
"""

import argparse
import gzip
import json
import random
import string
import sys

import tokenizers
from tokenizers import Tokenizer

OUT = "tests/fixtures/tokenizer/kinds.json.gz"

HAND = [
    "", " ", "  two  spaces ", "1girl, blue_hair", "love & peace, >_< :3", "<n>rin</n>\n<gender>1girl</gender>",
    "白い髪の少女 初音ミク  蓝发双马尾", "Café naïve ＡＢＣ ① ﬁ ﬃ ½", "tab\there\r\nnew\u0085line\ufeffmark",
    "123 45a6 _x__y_ ١٢٣ ⅷ", "😀👩‍🚀👩🏽‍🚀 ok 🇯🇵", "ΑΣ ΟΔΟΣ İstanbul ŉ ǰ", "e\u0301 e\u0301\u0323 q\u0307\u0323 각 각",
    "a\u200bb\u200cc\u200dd\u2060e\u00adf", "don't we'll I'M you've", "...!?-- $5+3=8 ~`^ «x» “y”", "می‌خواهم नमस्ते สวัสดี",
    "<s>a</s> <mask> <extra>x<extra> <extra_long>", " <mask> x<mask>  y ", "foofoo foo xfoox foo_ foo.", "\x00\x01\x1f\x7f\u2028\u2029\ufffd",
    "▁a ▁ b▁c", "aaaaaaa bbbbbbb abababab", "low lower lowest newer", "#hash ##tag", "    leading", "trailing    ",
]
RANGES = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x400), (0x590, 0x700), (0x900, 0x980), (0xE00, 0xE80),
          (0x1100, 0x1200), (0x2000, 0x2070), (0x2100, 0x2200), (0x2460, 0x2500), (0x3000, 0x3100), (0x4E00, 0x4F00),
          (0xAC00, 0xAD00), (0xFB00, 0xFB50), (0xFE00, 0xFE10), (0xFF00, 0xFFF0), (0x1F300, 0x1F650), (0x20000, 0x20100)]
COMMON = "  \t\n,.;:!?_-<>/()'\"&0123456789abcdefgABCeo▁"
PIECES = ["<mask>", "<extra>", "foo", " ", "  ", "<s>", "</s>", "lower", "low", "ab", "don't", "'ll"]


def random_text(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.randint(1, 24)):
        kind = rng.random()
        if kind < 0.55:
            parts.append(rng.choice(COMMON))
        elif kind < 0.7:
            parts.append(rng.choice(PIECES))
        else:
            low, high = rng.choice(RANGES)
            parts.append(chr(rng.randrange(low, high)))
    return "".join(parts)


def byte_tokens() -> dict[str, int]:
    return {f"<0x{byte:02X}>": byte for byte in range(256)}


def showing(normalizer=None, pre_tokenizer=None) -> dict:
    """A tokenizer whose ids are the bytes of the pieces, each ended by a `|`."""
    vocab = {**byte_tokens(), "<unk>": 256}
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
             "end_of_word_suffix": "|", "fuse_unk": False, "byte_fallback": True, "ignore_merges": False,
             "vocab": vocab, "merges": []}
    return whole(model, normalizer=normalizer, pre_tokenizer=pre_tokenizer)


def whole(model: dict, added=(), **stages) -> dict:
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added), "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": None, **stages, "model": model}


def added(id: int, content: str, **flags) -> dict:
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": False, **flags}


def merges_of(words: list[str], prefix: str = "", suffix: str = "") -> tuple[dict[str, int], list[str]]:
    """A vocabulary of characters and of the words that merges make, from the left to the right."""
    vocab: dict[str, int] = {}
    merges: list[str] = []
    for word in words:
        symbols = [(prefix if i else "") + c + (suffix if i == len(word) - 1 else "") for i, c in enumerate(word)]
        for symbol in symbols:
            vocab.setdefault(symbol, len(vocab))
        while len(symbols) > 1:
            left, right = symbols[0], symbols[1]
            joined = left + right[len(prefix):]
            if f"{left} {right}" not in merges:
                merges.append(f"{left} {right}")
            vocab.setdefault(joined, len(vocab))
            symbols = [joined] + symbols[2:]
    return vocab, merges


def bpe(words=("low", "lower", "ab", "abab", "aa", "bb", "foo", "1girl", "don"), **options) -> dict:
    prefix, suffix = options.get("continuing_subword_prefix") or "", options.get("end_of_word_suffix") or ""
    vocab, merges = merges_of(list(words), prefix, suffix)
    if options.get("byte_fallback"):
        for token in byte_tokens():
            if not (options.pop("few_bytes", False) and token > "<0xA0>"):
                vocab.setdefault(token, len(vocab))
    options.pop("few_bytes", None)
    if options.get("unk_token"):
        vocab.setdefault(options["unk_token"], len(vocab))
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **options, "vocab": vocab, "merges": merges}


def unigram(pieces=("▁", "a", "b", "ab", "abab", "▁low", "low", "er", "e", "r", "w", "初音", "ミク", "1", "girl", " ", "n"), **options) -> dict:
    vocab = [["<unk>", 0.0]] + [[piece, -1.5 - 0.37 * (i % 7) - 0.1 * len(piece)] for i, piece in enumerate(pieces)]
    if options.get("byte_fallback"):
        vocab += [[token, -9.0] for token in byte_tokens()]
    return {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False, **options}


WORDS = {"type": "WhitespaceSplit"}
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
EXPRESSIONS = [r"\d+|_", r"\s+", r"\w+", r"[^\w\s]", r" {2,}", r"(?<=a)b", r"\p{Han}+|\p{L}", r"a*", GPT4]


def kinds() -> dict[str, dict]:
    found: dict[str, dict] = {}
    for name, config in {
        "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
        "lowercase": {"type": "Lowercase"}, "strip_accents": {"type": "StripAccents"}, "nmt": {"type": "Nmt"},
        "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
        "strip_left": {"type": "Strip", "strip_left": True, "strip_right": False},
        "strip_right": {"type": "Strip", "strip_left": False, "strip_right": True},
        "prepend": {"type": "Prepend", "prepend": "▁"}, "byte_level": {"type": "ByteLevel"},
        "replace_text": {"type": "Replace", "pattern": {"String": "  "}, "content": "$&"},
        "replace_regex": {"type": "Replace", "pattern": {"Regex": r"\s{2,}|[aeiou]"}, "content": "_"},
        "replace_nothing": {"type": "Replace", "pattern": {"String": "a"}, "content": ""},
        "sequence": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
    }.items():
        found[f"normalizer/{name}"] = showing(normalizer=config)
    for clean in (True, False):
        for han in (True, False):
            for accents in (None, True, False):
                for lower in (True, False):
                    config = {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": han,
                              "strip_accents": accents, "lowercase": lower}
                    found[f"normalizer/bert {clean} {han} {accents} {lower}"] = showing(normalizer=config)
    for behavior in BEHAVIORS:
        found[f"pre_tokenizer/punctuation {behavior}"] = showing(pre_tokenizer={"type": "Punctuation", "behavior": behavior})
        for invert in (False, True):
            for pattern in [{"String": " "}, {"String": "aa"}, {"String": ""}] + [{"Regex": e} for e in EXPRESSIONS]:
                config = {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
                found[f"pre_tokenizer/split {json.dumps(pattern)} {behavior} {invert}"] = showing(pre_tokenizer=config)
    for name, config in {
        "bert": {"type": "BertPreTokenizer"}, "whitespace": {"type": "Whitespace"}, "whitespace_split": WORDS,
        "delimiter": {"type": "CharDelimiterSplit", "delimiter": "_"},
        "digits": {"type": "Digits", "individual_digits": False}, "digits apart": {"type": "Digits", "individual_digits": True},
        "fixed_length": {"type": "FixedLength", "length": 3},
        "sequence": {"type": "Sequence", "pretokenizers": [WORDS, {"type": "Punctuation", "behavior": "MergedWithPrevious"},
                                                          {"type": "Digits", "individual_digits": True}]},
        "words, metaspace first": {"type": "Sequence", "pretokenizers": [
            WORDS, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}]},
    }.items():
        found[f"pre_tokenizer/{name}"] = showing(pre_tokenizer=config)
    for prefix in (True, False):
        for regex in (True, False):
            config = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}
            found[f"pre_tokenizer/byte_level {prefix} {regex}"] = showing(pre_tokenizer=config)
            words = {"type": "Sequence", "pretokenizers": [WORDS, config]}
            found[f"pre_tokenizer/words, byte_level {prefix} {regex}"] = showing(pre_tokenizer=words)
    for scheme in ("always", "first", "never"):
        for cut in (True, False):
            config = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}
            found[f"pre_tokenizer/metaspace {scheme} {cut}"] = showing(pre_tokenizer=config)
            tokens = [added(257, "<mask>"), added(258, "<extra>", lstrip=True, rstrip=True)]
            found[f"pre_tokenizer/metaspace {scheme} {cut}, added tokens"] = {
                **showing(pre_tokenizer=config), "added_tokens": tokens}
            strip = {"type": "Strip", "strip_left": True, "strip_right": True}
            found[f"pre_tokenizer/metaspace {scheme} {cut}, stripped"] = showing(strip, config)

    for fuse in (True, False):
        for fallback in (True, False):
            for few in (True, False) if fallback else (False,):
                options = {"unk_token": "<unk>", "fuse_unk": fuse, "byte_fallback": fallback, "few_bytes": few}
                found[f"model/bpe {fuse} {fallback} {few}"] = whole(bpe(**options))
                found[f"model/bpe {fuse} {fallback} {few}, words"] = whole(bpe(**options), pre_tokenizer=WORDS)
    found["model/bpe without unknown"] = whole(bpe(), pre_tokenizer=WORDS)
    found["model/bpe prefix"] = whole(bpe(unk_token="<unk>", continuing_subword_prefix="##"), pre_tokenizer=WORDS)
    found["model/bpe suffix"] = whole(bpe(unk_token="<unk>", end_of_word_suffix="</w>"), pre_tokenizer=WORDS)
    found["model/bpe prefix and suffix"] = whole(
        bpe(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>", byte_fallback=True), pre_tokenizer=WORDS)
    ignoring = bpe(unk_token="<unk>", ignore_merges=True)
    ignoring["vocab"]["peace"] = len(ignoring["vocab"])
    found["model/bpe ignore_merges"] = whole(ignoring, pre_tokenizer=WORDS)
    pairs = bpe(unk_token="<unk>")
    pairs["merges"] = [merge.split(" ") for merge in pairs["merges"]]
    found["model/bpe merges in pairs"] = whole(pairs, pre_tokenizer=WORDS)
    for fallback in (True, False):
        found[f"model/unigram {fallback}"] = whole(unigram(byte_fallback=fallback))
        meta = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
        found[f"model/unigram {fallback}, metaspace"] = whole(unigram(byte_fallback=fallback), pre_tokenizer=meta)
    words = ["[UNK]", "low", "##er", "##est", "a", "##a", "b", "##b", "new", "##w", "1", "##girl", "blue", "_", "##_", "h", "##air", "<", ">"]
    piece = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 12,
             "vocab": {word: i for i, word in enumerate(words)}}
    bert = {"type": "BertPreTokenizer"}
    found["model/wordpiece"] = whole(piece, pre_tokenizer=bert)
    found["model/wordpiece words"] = whole({**piece, "max_input_chars_per_word": 4}, pre_tokenizer=WORDS)
    level = {"type": "WordLevel", "vocab": {"<unk>": 0, "low": 1, "lower": 2, ",": 3, "1girl": 4, "blue_hair": 5}, "unk_token": "<unk>"}
    found["model/wordlevel"] = whole(level, pre_tokenizer=bert)
    found["model/wordlevel words"] = whole(level, pre_tokenizer=WORDS)

    for flag in ("single_word", "lstrip", "rstrip", "normalized", "special"):
        for other in ("lstrip", "normalized", "single_word"):
            flags = {flag: True, other: True}
            tokens = [added(257, "foo", **flags), added(258, "<mask>", **flags), added(259, "<extra>", **flags),
                      added(260, "<extra_long>", **flags), added(261, "Café", **flags), added(262, "ab", **flags)]
            lower = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "NFD"}]}
            found[f"added/{flag} {other}"] = {**showing(), "added_tokens": tokens}
            found[f"added/{flag} {other}, lowercase"] = {**showing(lower, WORDS), "added_tokens": tokens}
    found["added/ids of the vocabulary"] = whole(
        bpe(unk_token="<unk>"), [added(2, "low"), added(999, "zz"), added(500, "yy")], pre_tokenizer=WORDS)

    special = [added(257, "<s>", special=True), added(258, "</s>", special=True)]
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [257, 65], "tokens": ["<s>", "A"]},
                                   "</s>": {"id": "</s>", "ids": [258], "tokens": ["</s>"]}}}
    pair = {"sep": ["</s>", 258], "cls": ["<s>", 257]}
    byte = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    for name, config in {
        "template": template, "bert": {"type": "BertProcessing", **pair}, "byte_level": byte,
        "roberta": {"type": "RobertaProcessing", **pair, "trim_offsets": True, "add_prefix_space": True},
        "sequence": {"type": "Sequence", "processors": [byte, template]},
    }.items():
        found[f"post_processor/{name}"] = {**showing(), "added_tokens": special, "post_processor": config}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", default=OUT)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    texts = HAND + [random_text(rng) for _ in range(options.texts)]
    cases = []
    for name, definition in kinds().items():
        try:
            tokenizer = Tokenizer.from_str(json.dumps(definition))
        except Exception as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        ids = [tokenizer.encode(text).ids for text in texts]
        # Byte by byte, so that the file stays small.
        cases.append({"name": name, "tokenizer": definition, "ids": [" ".join(map(str, i)) for i in ids]})
    made = {"made with": f"tokenizers {tokenizers.__version__}", "texts": texts, "cases": cases}
    content = json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n"
    with open(options.out, "wb") as file:
        file.write(gzip.compress(content.encode(), mtime=0))


if __name__ == "__main__":
    main()
