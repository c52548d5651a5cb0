"""Writes what `deno task eval` works from: 500 held-out scenes of two characters as prompts, and
pictures of them that show what is right.

From: scene.py, prompts.py, renderer.py.
Run:  python training/eval_set.py [--renders FOLDER]

bench/eval/prompts.jsonl      a line for each scene: its XML prompt, its flat tags, the seed of the
                              noise, and what the character on either side looks like
bench/eval/ground_truth.png   the first 48 scenes as they should look, so that the checker's own error
                              can be measured without Python
FOLDER                        all 500, one PNG each; the checker's error on them is measured by
                              deno run --allow-read --allow-write=bench/eval \\
                                bench/eval/validate_checker.ts FOLDER
"""

import argparse
import json
import random
import re
from pathlib import Path

import numpy as np
from PIL import Image
from prompts import SYNONYM, tag_prompt, xml_prompt
from renderer import render
from scene import sample_scene

EVAL = Path(__file__).resolve().parent.parent / "bench" / "eval"
SEED = 20261124
SCENES = 500
PICTURE_SIZE = 256
SHEET_SCENES = 48
SHEET_COLUMNS = 8
# Colours in steps of eight make the sheet half as large. The checker has to bear more than that.
SHEET_COLOR_STEP = 8


class Terse(random.Random):
    """Chance that never says a synonym: each tag once, and no tag that another implies."""

    def random(self):
        return SYNONYM + (1 - SYNONYM) * super().random()


def scenes():
    """(id, scene, the renderer's seed, chance for the prompts) of every scene, always the same."""
    rng = random.Random(SEED)
    for number in range(SCENES):
        scene = sample_scene(rng, characters=2, split="eval")
        yield f"{number:03d}", scene, rng.getrandbits(31), Terse(rng.getrandbits(64))


def measured(character):
    """What the checker measures. Skin that no tag names is fair."""
    worn = ["cat_ears", "glasses"]
    return {
        "hair": character.hair_color.removesuffix("_hair"),
        "eyes": character.eye_color.removesuffix("_eyes"),
        "clothing": character.clothing_color,
        "skin": character.skin.removesuffix("_skin"),
        "worn": [kind for kind in worn if character.accessory(kind)] + ["hat"] * bool(character.hat),
    }


def tags_in_order(scene, rng, ordered):
    """Flat tags: either those of the left character before those of the right one, or in no order."""
    while True:
        text = tag_prompt(scene, rng)
        if goes_through_characters(text, scene) == ordered:
            return text


def goes_through_characters(text, scene):
    """Whether all tags of the left character come before those of the right one, as far as they are
    not tags of both."""
    tags = text.split(", ")
    left, right = sorted(scene.characters, key=lambda c: c.position != "left")
    left_tags, right_tags = telling_tags(left), telling_tags(right)
    last_of_left = max(tags.index(tag) for tag in left_tags - right_tags)
    first_of_right = min(tags.index(tag) for tag in right_tags - left_tags)
    return last_of_left < first_of_right


def telling_tags(character):
    """Tags that a complete prompt has for this character."""
    garment = character.clothing
    if garment == "school_uniform":
        garment = "jacket" if character.gender == "1boy" else "skirt"
    return {
        character.hair_color,
        character.hair_style,
        character.eye_color,
        f"{character.clothing_color}_{garment}",
        character.expression,
        character.pose,
    }


def nothing_of_looks(xml):
    """What is left of XML without looks: genders, places and how many there are. All else is the
    model's choice. `deno task eval` leaves out the same."""
    kept = re.findall(r"</?(?:character_\d|general_tags)>\n*|<(?:gender|position|count)>.*\n", xml)
    return re.sub(r"center_(left|right)", r"\1", "".join(kept))


def record(number, scene, rng):
    ordered = int(number) % 2 == 0
    return {
        "id": number,
        "seed": int(number) + 1,
        "xml": xml_prompt(scene, rng),
        "tags": tags_in_order(scene, rng, ordered),
        "ordered": ordered,
        **{character.position: measured(character) for character in scene.characters},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--renders", type=Path, help="also writes all pictures into this folder")
    options = parser.parse_args()
    if options.renders:
        options.renders.mkdir(parents=True, exist_ok=True)
    lines, sheet = [], []
    for number, scene, seed, rng in scenes():
        lines.append(json.dumps(record(number, scene, rng), separators=(",", ":")))
        if options.renders or len(sheet) < SHEET_SCENES:
            picture = render(scene, PICTURE_SIZE, PICTURE_SIZE, seed)
            if len(sheet) < SHEET_SCENES:
                sheet.append(picture)
            if options.renders:
                Image.fromarray(picture).save(options.renders / f"{number}.png")
    EVAL.mkdir(parents=True, exist_ok=True)
    (EVAL / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [
        np.concatenate(sheet[start : start + SHEET_COLUMNS], axis=1)
        for start in range(0, SHEET_SCENES, SHEET_COLUMNS)
    ]
    fine = np.concatenate(rows, axis=0) / SHEET_COLOR_STEP
    coarse = np.clip(np.round(fine) * SHEET_COLOR_STEP, 0, 255).astype(np.uint8)
    Image.fromarray(coarse).save(EVAL / "ground_truth.png", optimize=True)


if __name__ == "__main__":
    main()
