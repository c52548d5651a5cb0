"""Renders the training pictures, with their captions as token ids, into a folder of shards.

From: scene.py, renderer.py and prompts.py; the tokenizers in models/demo.
Run:  python training/render_dataset.py --out FOLDER --count 131072 --workers 16

A shard depends on its number alone, so the data is the same whatever the number of workers. A
shard's pictures are of one size. `shard-000012.npz` appears when it is complete; other stages
can read what is there while more is being made, and a second run continues where the first ended.
"""

import argparse
import multiprocessing
import os
import random
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

SHARD = 256
SEED = 20261123
# Captions for one picture: each says the same in other words, order and completeness.
CAPTIONS = 8

# Width, height, and how many of 40 shards have that size.
SIZES = [
    ((256, 256), 12),
    ((320, 192), 1),
    ((192, 320), 1),
    ((384, 256), 4),
    ((256, 384), 4),
    ((320, 320), 4),
    ((384, 384), 3),
    ((512, 384), 2),
    ((384, 512), 2),
    ((512, 512), 7),
]
# Of the pictures; the rest have one character.
TWO_CHARACTERS = 0.55
# Of the training pictures of two: those in which one wears what the other does not.
CONTRASTED = 0.5
# Circles in a picture of two: two eyes and a head each.
MARKS = 6


def size_of(shard):
    """The sizes interleaved, so that any stretch of shards has all of them."""
    cycle = [size for size, count in SIZES for _ in range(count)]
    return cycle[(shard * 7) % len(cycle)]


def seed_of(split, shard):
    return SEED + shard + (10_000_000 if split == "eval" else 0)


def scenes_of(split, shard, count, share_demanding=0.0):
    from scene import contrasted, demanding, ordinary, sample_scene

    rng = random.Random(seed_of(split, shard))
    for _ in range(count):
        scene = sample_scene(rng, characters=1 + (rng.random() < TWO_CHARACTERS), split=split)
        if split == "train":
            if len(scene.characters) == 2 and rng.random() < CONTRASTED:
                scene = contrasted(scene, rng)
            scene = ordinary(scene, rng)
            if share_demanding and rng.random() < share_demanding:
                scene = demanding(scene, rng)
        yield scene, rng


def drawn_and_told(job):
    """(the scene that is drawn, its seed's chance, a function that gives a prompt for it) of each."""
    from prompts import sample_prompt

    _, split, shard, count, share_demanding, adapter = job
    if not adapter:
        for scene, rng in scenes_of(split, shard, count, share_demanding):
            yield scene, rng, partial(sample_prompt, scene, rng)
        return
    import adapters

    rng = random.Random(seed_of(split, shard))
    for _ in range(count):
        scene = adapters.sample(adapter, rng)
        yield adapters.drawn(adapter, scene), rng, partial(adapters.caption, adapter, scene, rng)


def make_shard(job):
    folder, split, shard, count = job[:4]
    target = folder / f"shard-{shard:06d}.npz"
    if target.exists():
        return shard
    from captions import CaptionTokenizers
    from renderer import render

    tokenizers = CaptionTokenizers()
    width, height = size_of(shard) if split == "train" else (256, 256)
    pictures = np.empty((count, height, width, 3), dtype=np.uint8)
    marks = np.zeros((count, MARKS, 3), dtype=np.float32)
    ids = {"gemma": [], "jina": []}
    for i, (scene, rng, prompt) in enumerate(drawn_and_told(job)):
        circles = []
        pictures[i] = render(scene, width, height, rng.getrandbits(31), circles)
        marks[i, : len(circles)] = circles
        for _ in range(CAPTIONS):
            gemma, jina = tokenizers.encode(prompt())
            ids["gemma"].append(gemma)
            ids["jina"].append(jina)
    arrays = {"pictures": pictures, "marks": marks}
    for name, rows in ids.items():
        arrays[name] = np.concatenate([np.array(row, dtype=np.uint16) for row in rows])
        arrays[f"{name}_ends"] = np.cumsum([len(row) for row in rows]).astype(np.int32)
    unfinished = folder / f".{target.name}.{os.getpid()}"
    with open(unfinished, "wb") as file:
        np.savez(file, **arrays)
    unfinished.rename(target)
    return shard


def read_shard(path, with_pictures=True):
    """Pictures uint8 [N, H, W, 3] or None; for Gemma and for Jina all ids in a row and the end of
    each caption's, CAPTIONS a picture; circles (x, y, radius) [N, MARKS, 3] around eyes and heads."""
    with np.load(path) as file:
        texts = [(file[name], file[f"{name}_ends"]) for name in ("gemma", "jina")]
        pictures = torch.from_numpy(file["pictures"]) if with_pictures else None
        return pictures, texts, torch.from_numpy(file["marks"])


def drop_pictures(path):
    """Leaves a shard its texts and circles."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "pictures"}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with open(unfinished, "wb") as file:
        np.savez(file, **arrays)
    unfinished.rename(path)


def be_polite():
    """The network's process comes first."""
    os.nice(15)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=512 * SHARD, help="pictures, in full shards")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard: fresh data")
    parser.add_argument("--split", choices=["train", "eval"], default="train")
    parser.add_argument("--shard", type=int, default=SHARD, help="pictures in a shard")
    parser.add_argument("--adapter", help="what this adapter learns from (adapters.py)")
    parser.add_argument("--demanding", type=float, default=0.0, help="share of demanding scenes")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    jobs = [
        (options.out, options.split, shard, options.shard, options.demanding, options.adapter)
        for shard in range(options.first, options.first - (-options.count // options.shard))
    ]
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(options.workers, be_polite) as pool:
        for done, _ in enumerate(pool.imap_unordered(make_shard, jobs), 1):
            seconds = time.monotonic() - start
            if done % 16 == 0 or done == len(jobs):
                pictures = done * options.shard
                print(f"{pictures} pictures, {pictures / seconds:.0f} a second", flush=True)
            if seconds > options.seconds:
                pool.terminate()
                break


if __name__ == "__main__":
    main()
