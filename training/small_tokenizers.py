"""Small tokenizers of the two kinds that the text encoders use, trained on given texts: BPE with
bytes for what it has not seen, as Gemma's, and Unigram, as XLM-RoBERTa's. Not run by itself.

Both give a `tokenizer.json` and the `tokenizer_config.json` that stands beside it, as dictionaries.
"""

import io
import json

import sentencepiece
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

SPACE = "▁"  # what both kinds write for a space

GEMMA_SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
GEMMA_TURNS = ["<start_of_turn>", "<end_of_turn>"]
XLM_R_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
XLM_R_MASK = "<mask>"
SCORE_DIGITS = 5

# Merges stay inside words, lines and tags; Gemma's own were learned in the same way.
PIECES = r"[▁_]?[A-Za-z]+|[▁_]?[0-9]|\n+|▁|[^A-Za-z0-9\n▁_]+|_"


def _added(token_id, content):
    return {
        "id": token_id,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _special(token, token_id):
    return {"id": token, "ids": [token_id], "tokens": [token]}


def gemma_like(texts, vocab_size, pieces=PIECES):
    """Ids: the special tokens, the two turn marks, 256 bytes, then what was learned.

    `pieces` matches what merges may not cross while they are learned, with ▁ for spaces.
    """
    fixed = GEMMA_SPECIAL + GEMMA_TURNS + [f"<0x{byte:02X}>" for byte in range(256)]
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", SPACE)
    learner.pre_tokenizer = pre_tokenizers.Split(Regex(pieces), "isolated")
    trainer = trainers.BpeTrainer(vocab_size=vocab_size - len(fixed), show_progress=False)
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())["model"]
    tokens = sorted(learned["vocab"], key=learned["vocab"].get)
    vocab = {token: i for i, token in enumerate(fixed + tokens)}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(vocab[t], t) for t in GEMMA_SPECIAL + GEMMA_TURNS],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<bos>", "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {"<bos>": _special("<bos>", vocab["<bos>"])},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": learned["merges"],
        },
    }
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "GemmaTokenizerFast",
    }
    return tokenizer, config


def xlm_r_like(texts, vocab_size):
    """Ids: `<s>`, `<pad>`, `</s>`, `<unk>`, what was learned, `<mask>` last."""
    # SentencePiece itself, because its training gives the same result every time.
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for text in texts for line in text.split("\n") if line),
        model_writer=model,
        model_type="unigram",
        vocab_size=vocab_size - 1,
        hard_vocab_limit=False,
        character_coverage=1.0,
        split_by_unicode_script=False,
        normalization_rule_name="nfkc",
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        num_threads=1,
        minloglevel=2,
    )
    learned = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    vocab = [[learned.id_to_piece(i), learned.get_score(i)] for i in range(learned.vocab_size())]
    vocab = [[piece, round(score, SCORE_DIGITS)] for piece, score in vocab] + [[XLM_R_MASK, 0.0]]
    ids = {piece: i for i, (piece, _) in enumerate(vocab)}
    start, end = {"id": "<s>", "type_id": 0}, {"id": "</s>", "type_id": 0}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    post_processor = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": start}, first, {"SpecialToken": end}],
        "pair": [
            {"SpecialToken": start},
            first,
            {"SpecialToken": end},
            {"SpecialToken": end},
            second,
            {"SpecialToken": end},
        ],
        "special_tokens": {t: _special(t, ids[t]) for t in ("<s>", "</s>")},
    }
    metaspace = {
        "type": "Metaspace",
        "replacement": SPACE,
        "prepend_scheme": "always",
        "split": True,
    }
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(ids[t], t) for t in [*XLM_R_SPECIAL, XLM_R_MASK]],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace],
        },
        "post_processor": post_processor,
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False},
    }
    config = {
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": XLM_R_MASK,
        "clean_up_tokenization_spaces": True,
        "model_max_length": 8194,
        "tokenizer_class": "XLMRobertaTokenizer",
    }
    return tokenizer, config


def load(tokenizer):
    return Tokenizer.from_str(json.dumps(tokenizer))
