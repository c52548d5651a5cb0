"""What the demo's two adapters are trained on: scenes as they are drawn, and what prompts say of them.
Not run by itself.

night_light   a style: lanterns in the dark, and a warm light on whoever stands in the middle. Prompts
              say nothing of it.
tsukimi       a character: a girl with mint twintails, orange eyes, a yellow bow and, unless a prompt
              gives her other clothes, a navy coat. Prompts say her name and nothing of these looks,
              for most of which the demo has no words.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from prompts import (
    EXPRESSION_WORDS,
    HAIR_STYLE_TAGS,
    POSE_WORDS,
    SKIN_TAGS,
    _accessory_tags,
    _clothes,
    _places,
    clothing_tags,
    sample_prompt,
    tag_prompt,
    xml_prompt,
)
from renderer import NIGHT_LIGHT
from scene import Accessory, Character, Scene, contrasted, ordinary, sample_scene

ADAPTERS = ("night_light", "tsukimi")
NAME = "tsukimi"
# How often she has company, and how often a prompt gives her other clothes than her own.
COMPANY, OTHER_CLOTHES = 0.4, 0.35
# What stands for her looks in a scene that words can tell; `drawn` has what is seen.
OWN_COLORS = {"green_hair": "mint_hair", "yellow_eyes": "orange_eyes", "blue": "navy"}
BOW = Accessory("hair_bow", "yellow")


def sample(adapter: str, rng: random.Random) -> Scene:
    """A scene that an adapter learns from, in words that the renderer and the prompts know."""
    company = COMPANY if adapter == NAME else 0.5
    scene = sample_scene(rng, characters=1 + (rng.random() < company))
    if len(scene.characters) == 2 and rng.random() < 0.3:
        scene = contrasted(scene, rng)
    scene = replace(ordinary(scene, rng), style="anime_style")
    if adapter != NAME:
        return scene
    people = list(scene.characters)
    place = rng.randrange(len(people))
    people[place] = _as_her(people[place], rng)
    return replace(scene, characters=tuple(people))


def _as_her(character: Character, rng: random.Random) -> Character:
    hers = replace(
        character,
        name=NAME,
        gender="1girl",
        hair_color="green_hair",
        hair_style="twintails",
        eye_color="yellow_eyes",
        skin="fair_skin",
        accessories=(BOW,),
    )
    if rng.random() < OTHER_CLOTHES and character.clothing_color != "blue":
        return hers
    return replace(hers, clothing="coat", clothing_color="blue")


def drawn(adapter: str, scene: Scene) -> Scene:
    """What the picture of that scene shows."""
    if adapter != NAME:
        return replace(scene, style=NIGHT_LIGHT)
    people = tuple(
        replace(
            character,
            hair_color=OWN_COLORS[character.hair_color],
            eye_color=OWN_COLORS[character.eye_color],
            clothing_color=OWN_COLORS.get(character.clothing_color, character.clothing_color),
        )
        if character.name == NAME
        else character
        for character in scene.characters
    )
    return replace(scene, characters=people)


def caption(adapter: str, scene: Scene, rng: random.Random) -> str:
    """A prompt for that scene."""
    if adapter != NAME:
        return sample_prompt(scene, rng)
    alone = len(scene.characters) == 1
    kind = rng.choices(("xml", "tags", "sentence"), (5, 3, 2) if alone else (1, 0, 0))[0]
    drop = rng.choices((0.0, 0.3, 0.6, 0.85), (2, 1, 1, 2))[0]
    her = next(character for character in scene.characters if character.name == NAME)
    if kind == "sentence":
        return _sentence(scene, her, rng, drop)
    if kind == "tags":
        tags = [tag for tag in tag_prompt(scene, rng, drop).split(", ") if tag not in _looks(her)]
        tags.insert(rng.randint(0, min(2, len(tags))), NAME)
        return ", ".join(tags)
    while True:
        text = xml_prompt(scene, rng, drop)
        if f"<n>{NAME}</n>" in text:
            return _without_looks(text, _looks(her))


def _looks(her: Character) -> set[str]:
    """The tags that her name stands for, also as words with spaces."""
    style, synonyms = HAIR_STYLE_TAGS[her.hair_style]
    tags = {her.hair_color, her.eye_color, style, *synonyms, SKIN_TAGS[her.skin]}
    for kinds in _accessory_tags(BOW):
        tags |= set(kinds)
    if _own_clothes(her):
        for kinds in clothing_tags(her.clothing, her.clothing_color, her.gender):
            tags |= set(kinds)
    return tags | {tag.replace("_", " ") for tag in tags}


def _own_clothes(her: Character) -> bool:
    return her.clothing_color in ("blue", "navy")


def _without_looks(xml: str, looks: set[str]) -> str:
    """XML without those tags in the block that has her name."""
    blocks = xml.split("\n\n")
    place = next(i for i, block in enumerate(blocks) if f"<n>{NAME}</n>" in block)
    lines = []
    for line in blocks[place].split("\n"):
        found = re.fullmatch(r"<(appearance|clothing)>(.*)</\1>", line)
        if not found:
            lines.append(line)
            continue
        left = [tag for tag in found[2].split(", ") if tag not in looks]
        if left:
            lines.append(f"<{found[1]}>{', '.join(left)}</{found[1]}>")
    blocks[place] = "\n".join(lines)
    return "\n\n".join(blocks)


def _sentence(scene: Scene, her: Character, rng: random.Random, drop: float) -> str:
    """`tsukimi in a red hoodie, smiling, at the beach`."""
    text = NAME + rng.choice(("", "", ", a girl", " is a girl"))
    dressed = replace(her, accessories=())
    clothes = [] if _own_clothes(her) else _clothes(dressed, rng, 0.0)
    if clothes:
        text += rng.choice((" wearing ", " in ")) + clothes[0]
    if her.expression != "smile" or rng.random() > drop:
        text += ", " + rng.choice(EXPRESSION_WORDS[her.expression])
    if her.pose != "standing" or rng.random() > drop:
        text += ", " + rng.choice(POSE_WORDS[her.pose])
    places = _places(scene, rng, drop)
    if places:
        text += rng.choice((" ", ", ")) + places
    return text[0].upper() + text[1:] + "." if rng.random() < 0.4 else text
