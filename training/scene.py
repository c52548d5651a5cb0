"""What a picture shows, as data: one or two chibi characters, a background, a style.

Nothing is drawn here and no prompt is written here. Attribute values are Danbooru tags wherever a
tag exists, so that a value can go into a prompt as it stands.

`sample_scene` combines attributes freely, with one rule: some combinations of hair colour, eye
colour, clothing and clothing colour are held out. They never occur on a character of the training
split, and every character of the evaluation split has one of them.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, replace
from typing import Literal

Split = Literal["train", "eval"]

GENDERS = ("1girl", "1boy")

HAIR_COLORS = (
    "black_hair",
    "brown_hair",
    "blonde_hair",
    "red_hair",
    "pink_hair",
    "purple_hair",
    "blue_hair",
    "green_hair",
    "white_hair",
    "orange_hair",
)

HAIR_STYLES = (
    "long_hair",
    "short_hair",
    "bob_cut",
    "twintails",
    "ponytail",
    "twin_braids",
    "double_bun",
    "drill_hair",
)
HAIR_STYLES_OF_BOYS = ("short_hair", "bob_cut", "long_hair", "ponytail")

EYE_COLORS = ("blue_eyes", "green_eyes", "red_eyes", "brown_eyes", "purple_eyes", "yellow_eyes")

SKINS = ("fair_skin", "tan", "dark_skin")

CLOTHING = ("school_uniform", "hoodie", "dress", "kimono", "shirt", "coat")
CLOTHING_OF_BOYS = ("school_uniform", "hoodie", "kimono", "shirt", "coat")

CLOTHING_COLORS = ("red", "blue", "green", "yellow", "purple", "pink", "white", "black")

EXPRESSIONS = (
    "smile",
    "open_mouth",
    "sad",
    "angry",
    "surprised",
    "closed_eyes",
    "wink",
    "blush",
)

POSES = (
    "standing",
    "waving",
    "arms_up",
    "hands_on_hips",
    "arms_behind_back",
    "holding_book",
    "holding_flower",
)

HATS = ("beret", "witch_hat", "straw_hat")
ACCESSORIES = ("cat_ears", "glasses", "hair_bow", *HATS)
# The accessories whose tag names a colour: `red_hair_bow` is not a tag, `red_bow` is.
COLORED_ACCESSORIES = ("hair_bow", "beret", "witch_hat")
ACCESSORY_COLORS = ("red", "blue", "green", "yellow", "purple", "pink", "white", "black")

POSITIONS = ("left", "center", "right")

SIMPLE_BACKGROUNDS = (
    "white_background",
    "grey_background",
    "pink_background",
    "blue_background",
    "green_background",
    "yellow_background",
    "purple_background",
)
PLACES = (
    "blue_sky",
    "night_sky",
    "sunset",
    "meadow",
    "cherry_blossoms",
    "beach",
    "snow",
    "indoors",
)
# Places that came later. Only training scenes have them, so that the evaluation's stay what they were.
NEW_PLACES = ("forest", "city")
BACKGROUNDS = (*SIMPLE_BACKGROUNDS, *PLACES, *NEW_PLACES)

COLOR_STYLES = ("anime_style", "flat_color", "pastel_colors", "watercolor")
STYLES = (*COLOR_STYLES, "monochrome")

# Small things that float around the characters.
EFFECTS = ("sparkle", "heart", "petals", "bubbles", "musical_note")

FRAMINGS = ("full_body", "upper_body")

# Invented. A name has no look of its own: it tells two characters apart, nothing more.
NAMES = (
    "aneli bokko celwyn dorri elmira fenno gisla hanabel ivarin jolka kesmi lumette marlo nerisse "
    "odwin pelka quilla rosvar sennet tovi umbrel velora wimsy xandri yorune zephka arlune bivvy "
    "corvel dessa ennik faluma grista hollin irvane jessamy"
).split()

# The colour of eyes that nobody named.
EYES_OF_HAIR = {
    "black_hair": "brown_eyes",
    "brown_hair": "green_eyes",
    "blonde_hair": "blue_eyes",
    "red_hair": "red_eyes",
    "pink_hair": "purple_eyes",
    "purple_hair": "purple_eyes",
    "blue_hair": "blue_eyes",
    "green_hair": "yellow_eyes",
    "white_hair": "blue_eyes",
    "orange_hair": "brown_eyes",
}

# How often an attribute of an ordinary scene is what goes without saying.
ORDINARY = 0.5

# One combination in this many is kept out of training.
HELD_OUT_ONE_IN = 16


@dataclass(frozen=True)
class Accessory:
    """Something worn on the head. `color` is None where the thing has a colour of its own."""

    kind: str
    color: str | None = None


@dataclass(frozen=True)
class Character:
    """One character. Every field is always drawn; a prompt may say less."""

    name: str | None
    gender: str
    hair_color: str
    hair_style: str
    eye_color: str
    skin: str
    clothing: str
    clothing_color: str
    expression: str
    accessories: tuple[Accessory, ...]
    position: str
    pose: str

    def accessory(self, kind: str) -> Accessory | None:
        """The accessory of that kind, or None."""
        return next((a for a in self.accessories if a.kind == kind), None)

    @property
    def hat(self) -> Accessory | None:
        """The hat, whatever its kind, or None."""
        return next((a for a in self.accessories if a.kind in HATS), None)

    @property
    def eyes_visible(self) -> bool:
        """Whether a viewer can tell the colour of the eyes."""
        return self.expression != "closed_eyes"


@dataclass(frozen=True)
class Scene:
    """One picture. The order of `characters` is that of the prompt, not of the places."""

    characters: tuple[Character, ...]
    background: str
    style: str
    effect: str | None
    framing: str


def held_out(character: Character) -> bool:
    """Whether this combination of attributes is kept for evaluation and never trained on."""
    combination = "|".join(
        (
            character.hair_color,
            character.eye_color,
            character.clothing,
            character.clothing_color,
        )
    )
    return zlib.crc32(combination.encode()) % HELD_OUT_ONE_IN == 0


def sample_scene(
    rng: random.Random, *, characters: int | None = None, split: Split = "train"
) -> Scene:
    """Draws a scene at random.

    `characters` is 1 or 2, or None for either. In the evaluation split every character is held
    out, two characters differ in hair, eye and clothing colour, eyes are open (their colour is one
    of the things measured), and the style has colours.
    """
    if characters not in (None, 1, 2):
        raise ValueError(f"a scene has 1 or 2 characters, not {characters}")
    if split not in ("train", "eval"):
        raise ValueError(f'split is "train" or "eval", not {split!r}')
    if characters is None:
        characters = rng.choice((1, 2))
    people = _sample_characters(rng, characters, split)
    upper_body = characters == 1 and people[0].position == "center" and rng.random() < 0.35
    return Scene(
        characters=people,
        background=_sample_background(rng),
        style=_sample_style(rng, split),
        effect=rng.choice(EFFECTS) if rng.random() < 0.2 else None,
        framing="upper_body" if upper_body else "full_body",
    )


def contrasted(scene: Scene, rng: random.Random) -> Scene:
    """A training scene of two, made harder to mix up: exactly one of them wears a hat, cat ears or
    glasses; winks and the rarer styles are more frequent."""
    kind = rng.choice(("hat", "cat_ears", "glasses"))
    wearer = rng.randrange(2)
    people = []
    for number, character in enumerate(scene.characters):
        kinds = HATS if kind == "hat" else (kind,)
        worn = [a for a in character.accessories if a.kind not in kinds]
        if number == wearer:
            if kind != "glasses":
                worn = [a for a in worn if a.kind == "glasses"]
            chosen = rng.choice(kinds)
            color = rng.choice(ACCESSORY_COLORS) if chosen in COLORED_ACCESSORIES else None
            worn.insert(0, Accessory(chosen, color))
        expression = character.expression
        if expression == "closed_eyes" and rng.random() < 0.6:
            expression = "wink"
        people.append(replace(character, accessories=tuple(worn), expression=expression))
    style = rng.choices(STYLES, (8, 3, 3, 3, 1))[0]
    return replace(scene, characters=tuple(people), style=style)


def ordinary(scene: Scene, rng: random.Random) -> Scene:
    """A training scene of which each attribute, one time in two, is what nobody would have to say:
    prompts.py seldom leaves anything else unsaid. What is left unsaid then has one answer that is
    likely, instead of many between which a picture would be mixed. Some are in one of the new places.
    """
    rare = scene.effect, scene.style, scene.framing
    usual = None, "anime_style", "full_body"
    effect, style, framing = (
        plain if rng.random() < ORDINARY else strange for plain, strange in zip(usual, rare)
    )
    background = scene.background
    if background in PLACES and rng.random() < len(NEW_PLACES) / (len(PLACES) + len(NEW_PLACES)):
        background = rng.choice(NEW_PLACES)
    alone = len(scene.characters) == 1
    people = tuple(_ordinary_character(character, alone, rng) for character in scene.characters)
    if any(character.position != "center" for character in people):
        framing = "full_body"
    return Scene(people, background, style, effect, framing)


def demanding(scene: Scene, rng: random.Random) -> Scene:
    """A training scene in which a character blushes, wears glasses on darker skin or holds a flower:
    what strong guidance spoils first, and what is rare otherwise."""
    kind = rng.choice(("blush", "glasses", "flower"))
    wearer = rng.randrange(len(scene.characters))
    character = scene.characters[wearer]
    changes = {}
    if kind == "blush" or rng.random() < 0.3:
        changes["expression"] = "blush"
    if kind == "flower" or rng.random() < 0.15:
        changes["pose"] = "holding_flower"
    if kind == "glasses" or rng.random() < 0.15:
        changes["skin"] = rng.choice(("tan", "tan", "dark_skin"))
        if not character.accessory("glasses"):
            changes["accessories"] = (*character.accessories, Accessory("glasses"))
    people = list(scene.characters)
    people[wearer] = replace(character, **changes)
    return replace(scene, characters=tuple(people))


def _ordinary_character(character: Character, alone: bool, rng: random.Random) -> Character:
    plain = {
        "skin": "fair_skin",
        "expression": "smile",
        "pose": "standing",
        "accessories": (),
        "eye_color": EYES_OF_HAIR[character.hair_color],
    }
    if alone:
        plain["position"] = "center"
    chosen = {name: value for name, value in plain.items() if rng.random() < ORDINARY}
    changed = replace(character, **chosen)
    return replace(changed, eye_color=character.eye_color) if held_out(changed) else changed


def _sample_characters(rng: random.Random, count: int, split: Split) -> tuple[Character, ...]:
    names: list[str | None] = list(rng.sample(NAMES, count))
    if rng.random() < 0.4:
        names = [None] * count
    if count == 1:
        position = rng.choices(POSITIONS, (1, 2, 1))[0]
        return (_sample_character(rng, names[0], position, split),)
    places = ["left", "right"]
    if rng.random() < 0.5:
        places.reverse()
    first = _sample_character(rng, names[0], places[0], split)
    while True:
        second = _sample_character(rng, names[1], places[1], split)
        if split == "train" or _tell_apart(first, second):
            return (first, second)


def _sample_character(
    rng: random.Random, name: str | None, position: str, split: Split
) -> Character:
    while True:
        gender = rng.choices(GENDERS, (7, 3))[0]
        boy = gender == "1boy"
        character = Character(
            name=name,
            gender=gender,
            hair_color=rng.choice(HAIR_COLORS),
            hair_style=rng.choices(HAIR_STYLES_OF_BOYS, (5, 2, 1, 2))[0]
            if boy
            else rng.choice(HAIR_STYLES),
            eye_color=rng.choice(EYE_COLORS),
            skin=rng.choices(SKINS, (7, 2, 2))[0],
            clothing=rng.choice(CLOTHING_OF_BOYS if boy else CLOTHING),
            clothing_color=rng.choice(CLOTHING_COLORS),
            expression=rng.choice(EXPRESSIONS),
            accessories=_sample_accessories(rng, boy),
            position=position,
            pose=rng.choice(POSES),
        )
        evaluated = split == "eval"
        if held_out(character) == evaluated and (character.eyes_visible or not evaluated):
            return character


def _sample_accessories(rng: random.Random, boy: bool) -> tuple[Accessory, ...]:
    """At most one thing on top of the head (ears, a bow or a hat), and glasses beside it."""
    accessories = []
    if rng.random() < 0.5:
        on_top = ("cat_ears", *HATS) if boy else ("cat_ears", "hair_bow", *HATS)
        weights = (3, 1, 1, 1) if boy else (3, 3, 1, 1, 1)
        kind = rng.choices(on_top, weights)[0]
        color = rng.choice(ACCESSORY_COLORS) if kind in COLORED_ACCESSORIES else None
        accessories.append(Accessory(kind, color))
    if rng.random() < 0.22:
        accessories.append(Accessory("glasses"))
    return tuple(accessories)


def _tell_apart(first: Character, second: Character) -> bool:
    return (
        first.hair_color != second.hair_color
        and first.eye_color != second.eye_color
        and first.clothing_color != second.clothing_color
    )


def _sample_background(rng: random.Random) -> str:
    return rng.choice(SIMPLE_BACKGROUNDS if rng.random() < 0.45 else PLACES)


def _sample_style(rng: random.Random, split: Split) -> str:
    if split == "eval":
        return rng.choices(COLOR_STYLES, (6, 1, 1, 1))[0]
    return rng.choices(STYLES, (12, 2, 2, 2, 1))[0]
