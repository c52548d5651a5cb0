"""Makes the SentencePiece models of tests/fixtures/tokenizer and the ids that Python gives to texts.

- `bpe_gemma.spiece.model`: BPE with byte fallback, set up as Gemma 3's.
- `unigram_xlmr.spiece.model`: Unigram, set up as XLM-RoBERTa's, with SentencePiece's own ids. Its
  `normalizer_spec` is left out, for it is 240 KB of the character map that `nmt_nfkc.charsmap.gz`
  holds: the test appends it.
- `unigram_xlmr_reindexed.spiece.model`: the same with <s>, <pad>, </s>, <unk> as its first pieces and
  <mask> as its last, so that SentencePiece's ids are the encoder's, as ComfyUI needs them.
- `sentencepiece_ids.json`: for the texts of `reference_ids.json`, the ids of the tokenizers that
  transformers' GemmaConverter and XLMRobertaConverter make of the first two, and sentencepiece's
  where they are others. For the re-indexed model they are its raw ids, as ComfyUI takes them.

Run from the repository's root, after tokenizer_ids.py:

    python tests/reference/sentencepiece_models.py

Versions: requirements.txt beside this file.
"""

import copy
import gzip
import io
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import sentencepiece
import transformers
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer, sentencepiece_model_pb2
from tokenizers import processors
from transformers.convert_slow_tokenizer import (
    GemmaConverter,
    GemmaSentencePieceExtractor,
    XLMRobertaConverter,
)

from tokenizer_ids import CORPUS, OUT, special, write_json

FAIRSEQ = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
GEMMA_SYMBOLS = [
    "<mask>", "<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁",
    "<b>", "</b>", "<table>",
]  # fmt: skip
LINES = [line for text in CORPUS for line in text.splitlines() if line.strip()]

# transformers 5.23.0 reads this attribute of the extractor and does not set it.
GemmaSentencePieceExtractor.sp = property(
    lambda self: SentencePieceProcessor(model_proto=self.proto.SerializeToString())
)


def train(lines: list[str], **options):
    trained = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=trained,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())


def train_bpe():
    return train(
        # One emoji is withheld, so that byte fallback has work to do.
        [line for line in LINES if "😀" not in line],
        model_type="bpe",
        vocab_size=1000,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        user_defined_symbols=GEMMA_SYMBOLS,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
    )


def train_unigram():
    return train(
        LINES,
        model_type="unigram",
        vocab_size=370,
        character_coverage=0.98,
        normalization_rule_name="nmt_nfkc",
    )


def reindexed(proto):
    result = copy.deepcopy(proto)
    pieces = {piece.piece: piece for piece in proto.pieces[:3]}
    del result.pieces[:]
    for name in FAIRSEQ:
        piece = result.pieces.add(piece=name, score=0, type=3)
        if name in pieces:
            piece.CopyFrom(pieces[name])
    result.pieces.extend(proto.pieces[3:])
    result.pieces.add(piece="<mask>", score=0, type=3)
    return result


def converted(converter, proto, ids, **original):
    with tempfile.NamedTemporaryFile(suffix=".model") as file:
        file.write(proto.SerializeToString())
        file.flush()
        return converter(
            SimpleNamespace(vocab_file=file.name, convert_tokens_to_ids=ids.get, **original)
        ).converted()


# The converters leave out the special tokens, which transformers' fast tokenizers then add.


def convert_gemma(proto):
    names = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"}
    result = converted(GemmaConverter, proto, {}, **names)
    result.add_special_tokens([special(name) for name in ("<bos>", "<eos>", "<unk>", "<pad>")])
    result.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)]
    )
    return result


def convert_xlmr(proto):
    result = converted(XLMRobertaConverter, proto, FAIRSEQ)
    result.add_special_tokens([*map(special, FAIRSEQ), special("<mask>", lstrip=True)])
    return result


def compare(tokenizer, encode, texts) -> dict:
    ids = {name: tokenizer.encode(text).ids for name, text in texts.items()}
    own = {name: encode(text) for name, text in texts.items()}
    others = {name: own[name] for name in texts if own[name] != ids[name]}
    print(f"sentencepiece gives other ids to {len(others)} of {len(texts)}: {', '.join(others)}")
    return {"vocabSize": tokenizer.get_vocab_size(), "ids": ids, "sentencepiece": others}


def write_model(name: str, proto) -> None:
    (OUT / name).write_bytes(proto.SerializeToString())


def main() -> None:
    texts = json.loads((OUT / "reference_ids.json").read_text(encoding="utf-8"))["texts"]

    bpe = train_bpe()
    write_model("bpe_gemma.spiece.model", bpe)
    gemma = SentencePieceProcessor(model_proto=bpe.SerializeToString(), add_bos=True)

    unigram = train_unigram()
    xlmr = SentencePieceProcessor(model_proto=unigram.SerializeToString())
    own_ids = reindexed(unigram)
    comfyui = SentencePieceProcessor(
        model_proto=own_ids.SerializeToString(), add_bos=True, add_eos=True
    )

    def fairseq(text: str) -> list[int]:
        body = [FAIRSEQ["<unk>"] if i == xlmr.unk_id() else i + 1 for i in xlmr.encode(text)]
        return [FAIRSEQ["<s>"], *body, FAIRSEQ["</s>"]]

    for text in texts.values():
        assert comfyui.encode(text) == fairseq(text), text
    for proto, name in ((unigram, "unigram_xlmr"), (own_ids, "unigram_xlmr_reindexed")):
        spec = proto.normalizer_spec
        stored = gzip.decompress((OUT / "nmt_nfkc.charsmap.gz").read_bytes())
        assert spec.precompiled_charsmap == stored
        assert spec.add_dummy_prefix and spec.remove_extra_whitespaces
        bare = copy.deepcopy(proto)
        bare.ClearField("normalizer_spec")
        write_model(f"{name}.spiece.model", bare)

    write_json(
        "sentencepiece_ids.json",
        {
            "madeWith": {
                "transformers": transformers.__version__,
                "sentencepiece": sentencepiece.__version__,
            },
            "bpe_gemma": compare(convert_gemma(bpe), gemma.encode, texts),
            "unigram_xlmr": compare(convert_xlmr(unigram), fairseq, texts),
        },
    )


if __name__ == "__main__":
    main()
