"""Trains the tokenizers of the two text encoders on the prompt language.

From: prompts of scenes drawn as for training (scene.py, prompts.py), and the vocabulary.
Run:  python training/train_tokenizers.py
Writes tokenizer.json and tokenizer_config.json to models/demo/transformer and clip_model.
"""

import argparse
import json
import random
import statistics
from pathlib import Path

from captions import DEMO, SYSTEM_PLAIN, SYSTEM_XML, CaptionTokenizers, with_system_prompt
from prompts import sample_prompt, vocabulary, xml_prompt
from scene import sample_scene
from small_tokenizers import gemma_like, load, xlm_r_like

SEED = 20261123
PROMPTS = 6000
MOST_GEMMA_TOKENS = 1792
MOST_JINA_TOKENS = 1280

# What the learner sees as one word: an XML tag with the line's end behind it; a comma; a Danbooru
# tag, or a word with the space before it; a run of marks.
PIECES = "|".join(
    [
        r"</[a-z0-9_]+>\n*",
        r"<[a-z0-9_]+>\n?",
        r",▁",
        r"▁?[A-Za-z0-9']+(?:_[A-Za-z0-9]+)*",
        r"\n+|▁|[^A-Za-z0-9\n▁<]+|<",
    ]
)


def training_prompts(count, seed):
    rng = random.Random(seed)
    made = [sample_prompt(sample_scene(rng), rng) for _ in range(count)]
    # Every tag often enough to become one token, whatever the drawing of scenes left out.
    words = [*vocabulary()]
    for _ in range(40):
        rng.shuffle(words)
        made.extend([", ".join(words), " ".join(words)])
    return made


def join(contents, text):
    """Adds the merges, of the lowest rank, that make one token of a text that is always the same."""
    model = contents["model"]
    whole, *others = load(contents).encode(text, add_special_tokens=False).tokens
    for other in others:
        model["merges"].append([whole, other])
        whole += other
        model["vocab"].setdefault(whole, len(model["vocab"]))


def write(folder, tokenizer):
    contents, config = tokenizer
    folder.mkdir(parents=True, exist_ok=True)
    compact = json.dumps(contents, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact + "\n", encoding="utf-8")
    indented = json.dumps(config, ensure_ascii=False, indent=2)
    (folder / "tokenizer_config.json").write_text(indented + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=DEMO)
    options = parser.parse_args()
    prompts = training_prompts(PROMPTS, SEED)
    gemma = gemma_like([with_system_prompt(text) for text in prompts], MOST_GEMMA_TOKENS, PIECES)
    for system in (SYSTEM_XML, SYSTEM_PLAIN):
        join(gemma[0], system.rstrip())
    write(options.out / "transformer", gemma)
    jina = xlm_r_like(prompts, MOST_JINA_TOKENS)
    write(options.out / "clip_model", jina)
    tokenizers = CaptionTokenizers(options.out)
    rng = random.Random(SEED + 1)
    two = [xml_prompt(sample_scene(rng, characters=2), rng, 0.0) for _ in range(500)]
    for name, texts in {"prompts": prompts[:500], "two characters, XML": two}.items():
        ids = [tokenizers.encode(text) for text in texts]
        for encoder, lengths in zip(("Gemma", "Jina"), ([len(x) for x in y] for y in zip(*ids))):
            print(f"{name}, {encoder}: mean {statistics.mean(lengths):.0f}, most {max(lengths)}")
    for name, (contents, _) in {"Gemma": gemma, "Jina": jina}.items():
        ids = [load(contents).encode(word, add_special_tokens=False).ids for word in vocabulary()]
        whole = sum(len(row) <= 1 + (name == "Jina") for row in ids)
        print(f"{name}: {len(contents['model']['vocab'])} tokens, {whole} of {len(ids)} words whole")


if __name__ == "__main__":
    main()
