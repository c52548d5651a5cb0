"""Prompts that describe a scene: XML, flat tag lists and English sentences.

`drop` is the probability with which each attribute is left unsaid. With 0 everything that can be
seen is said; which synonyms stand beside it, and in what order, is chance. What nobody expects (a
hat, a wink, eyes that do not go with the hair) is left unsaid five times less often: what is unsaid
then has a likely answer, and only one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from scene import (
    ACCESSORY_COLORS,
    BACKGROUNDS,
    CLOTHING_COLORS,
    EYE_COLORS,
    EYES_OF_HAIR,
    GENDERS,
    HAIR_COLORS,
    NAMES,
    SIMPLE_BACKGROUNDS,
    Accessory,
    Character,
    Scene,
)

Rng = random.Random

# How often a synonym or a detail that the attribute implies is named as well.
SYNONYM = 0.3

# How much less often something unexpected is left unsaid.
UNEXPECTED = 0.2

HAIR_STYLE_TAGS = {
    "long_hair": ("long_hair", ("very_long_hair", "straight_hair")),
    "short_hair": ("short_hair", ("messy_hair",)),
    "bob_cut": ("bob_cut", ("medium_hair",)),
    "twintails": ("twintails", ("long_hair", "hair_tie")),
    "ponytail": ("ponytail", ("high_ponytail", "long_hair")),
    "twin_braids": ("twin_braids", ("braid", "long_hair")),
    "double_bun": ("double_bun", ("hair_bun",)),
    "drill_hair": ("drill_hair", ("twin_drills", "ringlets")),
}
SKIN_TAGS = {"fair_skin": "pale_skin", "tan": "tan", "dark_skin": "dark_skin"}
EXPRESSION_TAGS = {
    "smile": ("smile", ("happy", "closed_mouth", "light_smile")),
    "open_mouth": ("open_mouth", (":d", "happy", "smile")),
    "sad": ("sad", ("frown", "tears", "crying")),
    "angry": ("angry", ("frown", "v-shaped_eyebrows")),
    "surprised": ("surprised", (":o", "wide-eyed")),
    "closed_eyes": ("closed_eyes", ("happy", "^_^", "smile")),
    "wink": ("wink", ("one_eye_closed", "smile")),
    "blush": ("blush", ("embarrassed", "wavy_mouth", "shy")),
}
POSE_TAGS = {
    "standing": ("standing", ()),
    "waving": ("waving", ("hand_up",)),
    "arms_up": ("arms_up", ("cheering",)),
    "hands_on_hips": ("hands_on_hips", ()),
    "arms_behind_back": ("arms_behind_back", ()),
    "holding_book": ("holding_book", ("holding", "reading")),
    "holding_flower": ("holding_flower", ("holding",)),
}
OBJECTS = {"holding_book": "book", "holding_flower": "flower"}
POSITION_TAGS = {
    "left": ("left", "center_left"),
    "center": ("center",),
    "right": ("right", "center_right"),
}
PLACE_TAGS = {
    "blue_sky": ("blue_sky", ("sky", "cloud", "day", "outdoors")),
    "night_sky": ("night_sky", ("starry_sky", "night", "crescent_moon", "stars")),
    "sunset": ("sunset", ("evening", "sun", "orange_sky", "outdoors")),
    "meadow": ("meadow", ("grass", "field", "flowers", "hill", "outdoors")),
    "cherry_blossoms": ("cherry_blossoms", ("spring", "tree", "falling_petals", "outdoors")),
    "beach": ("beach", ("ocean", "sand", "summer", "outdoors")),
    "snow": ("snow", ("winter", "snowing", "pine_tree", "outdoors")),
    "indoors": ("indoors", ("room", "window", "curtains", "wooden_floor")),
    "forest": ("forest", ("trees", "woods", "nature", "outdoors")),
    "city": ("city", ("cityscape", "street", "building", "outdoors")),
}
STYLE_TAGS = {
    "anime_style": ("anime_style", ("digital_art", "cel_shading")),
    "flat_color": ("flat_color", ("minimalist",)),
    "pastel_colors": ("pastel_colors", ("soft_colors",)),
    "watercolor": ("watercolor", ("traditional_media",)),
    "monochrome": ("monochrome", ("greyscale",)),
}
EFFECT_TAGS = {
    "sparkle": "sparkle",
    "heart": "heart",
    "petals": "petals",
    "bubbles": "bubbles",
    "musical_note": "musical_note",
}
ATMOSPHERES = {
    "night_sky": ("calm", "dreamy", "mysterious"),
    "sunset": ("nostalgic", "romantic", "calm"),
    "meadow": ("peaceful", "cheerful", "bright"),
    "blue_sky": ("bright", "cheerful", "dreamy"),
    "cherry_blossoms": ("romantic", "peaceful", "dreamy"),
    "beach": ("energetic", "cheerful", "bright"),
    "snow": ("calm", "peaceful", "quiet"),
    "indoors": ("cozy", "calm", "quiet"),
    "forest": ("mysterious", "peaceful", "quiet"),
    "city": ("bright", "energetic", "cheerful"),
}
PLAIN_ATMOSPHERES = ("cheerful", "calm", "bright")
QUALITY = ("masterpiece", "best_quality", "high_resolution", "detailed", "highres", "absurdres")
CHARACTER_ELEMENTS = (
    "n",
    "gender",
    "appearance",
    "clothing",
    "expression",
    "action",
    "position",
)
GENERAL_ELEMENTS = ("count", "style", "background", "atmosphere", "quality", "objects", "other")


def xml_prompt(scene: Scene, rng: Rng, drop: float = 0.0) -> str:
    """The scene in upstream's XML, one element a line, in its canonical layout."""
    blocks = []
    for number, character in enumerate(scene.characters, 1):
        elements = _character_elements(character, rng, drop)
        if character.name and not _dropped(rng, drop):
            elements["n"] = [character.name]
        elif rng.random() < 0.5:
            elements["n"] = [f"$character_{number}$"]
        if not _dropped(rng, _unless(character.gender == "1girl", drop)):
            elements["gender"] = [character.gender]
        central = character.position == "center"
        if not _dropped(rng, drop if central else drop / 2 * _alone(scene)):
            elements["position"] = [rng.choice(POSITION_TAGS[character.position])]
        blocks.append(_block(f"character_{number}", CHARACTER_ELEMENTS, elements))
    general = _general_elements(scene, rng, drop)
    blocks.append(_block("general_tags", GENERAL_ELEMENTS, general))
    return "\n\n".join(block for block in blocks if block)


def tag_prompt(scene: Scene, rng: Rng, drop: float = 0.0) -> str:
    """The scene as a flat list of tags.
    Half of the lists go through the characters from left to right; the others are in no order at
    all, each tag once, as on an image board.
    """
    general = _general_elements(scene, rng, drop)
    people = [
        _shuffled(_joined(_character_elements(character, rng, drop).values()), rng)
        for character in sorted(scene.characters, key=lambda c: c.position != "left")
    ]
    count = general.pop("count", [])
    quality = general.pop("quality", [])
    rest = _shuffled(_joined(general.values()), rng)
    if rng.random() < 0.5:
        tags = [*count, *_joined(people), *rest]
    else:
        tags = [*count, *_shuffled(dict.fromkeys([*_joined(people), *rest]), rng)]
    tags = [*quality, *tags] if rng.random() < 0.5 else [*tags, *quality]
    if not tags:
        tags = count_tags(scene)[:1]
    text = ", ".join(tags)
    return text.replace("_", " ") if rng.random() < 0.25 else text


def sentence_prompt(scene: Scene, rng: Rng, drop: float = 0.0) -> str:
    """The scene in one to four short English sentences."""
    places = _places(scene, rng, drop)
    sentences = []
    two = len(scene.characters) == 2
    for character in scene.characters:
        unsaid = drop / 2 * _alone(scene)
        where = None if _dropped(rng, unsaid) else rng.choice(WHERE[character.position])
        if not two and character.position == "center" and rng.random() < 0.7:
            where = None
        sentences.append(_sentence(character, where, rng, drop))
    if places:
        if two:
            verb = rng.choice(("They stand", "The two are", "Both are"))
            sentences.append(f"{verb} {places}.")
        elif rng.random() < 0.5:
            sentences[0] = sentences[0][:-1] + f" {places}."
        else:
            verb = "She is" if scene.characters[0].gender == "1girl" else "He is"
            sentences.append(f"{verb} {places}.")
    if scene.style != "anime_style" or rng.random() < 0.4:
        if not _dropped(rng, _unless(scene.style == "anime_style", drop)):
            sentences.append(rng.choice(STYLE_SENTENCES[scene.style]))
    return " ".join(sentences)


def plain_sentence(scene: Scene, rng: Rng, drop: float = 0.0) -> str:
    """The scene as people type it: all of it in one sentence, or in short ones about `she`; with or
    without a capital and a full stop. Of two characters without a place the left one comes first.
    """
    if len(scene.characters) == 1:
        text = _about_one(scene.characters[0], rng, drop)
    else:
        text = _about_two(scene, rng, drop)
    places = _places(scene, rng, drop)
    if places:
        text += rng.choice((" ", ", ", " ")) + places
    if scene.style != "anime_style" and not _dropped(rng, drop * UNEXPECTED):
        style = rng.choice(STYLE_SENTENCES[scene.style]).rstrip(".")
        text += rng.choice((". ", ", ")) + style
    text = text.replace("..", ".")
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + "." if rng.random() < 0.5 else text


def _about_one(character: Character, rng: Rng, drop: float) -> str:
    text = _person(character, rng, drop, alone=True)
    where = rng.choice(WHERE[character.position])
    if not _dropped(rng, max(drop, 0.7) if character.position == "center" else drop * UNEXPECTED):
        text += f" {where}"
    return text


def _about_two(scene: Scene, rng: Rng, drop: float) -> str:
    left, right = sorted(scene.characters, key=lambda c: c.position != "left")
    order = [left, right]
    unsaid = _dropped(rng, max(drop, 0.4))
    if not unsaid:
        rng.shuffle(order)
    genders = {character.gender for character in order}
    if len(genders) == 1 and rng.random() < 0.4:
        both = "two girls" if genders == {"1girl"} else "two boys"
        people = [_person(character, rng, drop, instead="one") for character in order]
        if rng.random() < 0.5:
            people[1] = "the other" + people[1].removeprefix("one")
        lead = both + rng.choice((", ", ": "))
    else:
        people, lead = [_person(character, rng, drop) for character in order], ""
    join = rng.choice((" and ", " and ", ", ", " next to "))
    if not unsaid:
        places = [rng.choice(WHERE[character.position]) for character in order]
        if rng.random() < 0.3 and not lead:
            people = [f"{place} {person}" for place, person in zip(places, people)]
            join = rng.choice((" and ", ", "))
        else:
            people = [f"{person} {place}" for place, person in zip(places, people)]
    return lead + people[0] + join + people[1]


def _person(
    character: Character, rng: Rng, drop: float, *, instead: str | None = None, alone: bool = False
) -> str:
    """`a blue-haired girl in a red dress, smiling`; `instead` stands for `a girl`."""
    girl = character.gender == "1girl"
    noun = "girl" if girl else "boy"
    noun = rng.choice((noun, noun, f"cute {noun}", f"anime {noun}", f"chibi {noun}"))
    text = instead or _an(f"a {noun}")
    traits = _traits(character, rng, drop)
    color = character.hair_color.removesuffix("_hair")
    if not instead and f"{color} hair" in traits and rng.random() < 0.4:
        traits.remove(f"{color} hair")
        text = _an(f"a {color}{rng.choice('- ')}haired {noun}")
    clothes = _clothes(character, rng, drop)
    deeds = []
    if not _dropped(rng, _unless(character.expression == "smile", drop)):
        deeds.append(rng.choice(EXPRESSION_WORDS[character.expression]))
    if not _dropped(rng, _unless(character.pose == "standing", drop)):
        deeds.append(rng.choice(POSE_WORDS[character.pose]))
    if alone and rng.random() < 0.25:
        return _about_her(text, "she" if girl else "he", traits, clothes, deeds, rng)
    if traits:
        text += f" with {_listed(traits)}"
    if clothes:
        text += rng.choice((" wearing ", " in ", ", wearing ")) + _listed(clothes)
    if deeds:
        text += rng.choice((", ", " ", " who is ")) + _listed(deeds)
    return text


def _about_her(
    text: str, she: str, traits: list[str], clothes: list[str], deeds: list[str], rng: Rng
) -> str:
    """`a girl. She has red hair. She wears a blue dress.`"""
    parts = []
    if traits:
        parts.append(f"{she} has {_listed(traits)}")
    if clothes:
        parts.append(f"{she} {rng.choice(('wears', 'is wearing'))} {_listed(clothes)}")
    if deeds:
        parts.append(f"{she} is {_listed(deeds)}")
    return ". ".join([text, *(part[0].upper() + part[1:] for part in parts)])


def sample_prompt(scene: Scene, rng: Rng) -> str:
    """A prompt for training: XML more often than the others, often with nearly all left out.
    An XML prompt is the only kind that begins with `<`.
    """
    drop = rng.choices((0.0, 0.1, 0.3, 0.6, 0.85, 0.95), (6, 3, 3, 3, 3, 2))[0]
    kinds = xml_prompt, tag_prompt, sentence_prompt, plain_sentence
    return rng.choices(kinds, (9, 5, 2, 4))[0](scene, rng, drop)


def vocabulary() -> list[str]:
    """Every tag, word and mark that a prompt can contain, sorted."""
    words: set[str] = {*NAMES, *GENDERS, *QUALITY, *PLAIN_ATMOSPHERES, *sentence_words()}
    words |= {"$character_1$", "$character_2$", "chibi", "looking_at_viewer"}
    for table in (HAIR_STYLE_TAGS, EXPRESSION_TAGS, POSE_TAGS, PLACE_TAGS, STYLE_TAGS):
        for tag, synonyms in table.values():
            words |= {tag, *synonyms}
    for values in (*POSITION_TAGS.values(), *ATMOSPHERES.values()):
        words |= set(values)
    words |= {*SKIN_TAGS.values(), *OBJECTS.values(), *EFFECT_TAGS.values()}
    words |= {*HAIR_COLORS, *EYE_COLORS, *BACKGROUNDS, "simple_background"}
    words |= {"full_body", "upper_body", "solo", "2girls", "2boys", "multiple_girls"}
    words |= {"multiple_boys"}
    for color in CLOTHING_COLORS:
        for kind, gender in _KINDS:
            said, unsaid = clothing_tags(kind, color, gender)
            words |= {*said, *unsaid}
    for kind in ("cat_ears", "glasses", "straw_hat"):
        words |= set(_joined(_accessory_tags(Accessory(kind))))
    for kind in ("hair_bow", "beret", "witch_hat"):
        for color in ACCESSORY_COLORS:
            words |= set(_joined(_accessory_tags(Accessory(kind, color))))
    words |= {word for tag in tuple(words) for word in tag.replace("_", " ").split()}
    for element in ("character_1", "character_2", "general_tags", *CHARACTER_ELEMENTS):
        words |= {f"<{element}>", f"</{element}>"}
    for element in GENERAL_ELEMENTS:
        words |= {f"<{element}>", f"</{element}>"}
    return sorted(words)


# Tags


def _character_elements(character: Character, rng: Rng, drop: float) -> dict[str, list[str]]:
    """The tags of one character by element, without name, gender and position."""

    def said(tags: Iterable[str], expected: bool = True) -> list[str]:
        return [] if _dropped(rng, _unless(expected, drop)) else list(tags)

    hair, hair_synonyms = HAIR_STYLE_TAGS[character.hair_style]
    appearance = [
        *said([character.hair_color]),
        *said([hair, *_some(hair_synonyms, rng)]),
        *_some(["chibi"], rng),
    ]
    if character.eyes_visible or rng.random() < 0.2:
        appearance += said([character.eye_color], _usual_eyes(character))
    if character.skin != "fair_skin" or rng.random() < 0.15:
        appearance += said([SKIN_TAGS[character.skin]], character.skin == "fair_skin")
    main, details = clothing_tags(character.clothing, character.clothing_color, character.gender)
    clothing = said([*main, *_some(details, rng)])
    for accessory in character.accessories:
        tags, synonyms = _accessory_tags(accessory)
        target = appearance if accessory.kind == "cat_ears" else clothing
        target += said([*tags, *_some(synonyms, rng)], expected=False)
    expression, expression_synonyms = EXPRESSION_TAGS[character.expression]
    pose, pose_synonyms = POSE_TAGS[character.pose]
    action = said([pose, *_some(pose_synonyms, rng)], character.pose == "standing")
    if character.pose != "standing":
        action += _some(["standing"], rng)
    action += _some(["looking_at_viewer"], rng, 0.15)
    elements = {
        "appearance": appearance,
        "clothing": clothing,
        "expression": said(
            [expression, *_some(expression_synonyms, rng)], character.expression == "smile"
        ),
        "action": action,
    }
    return {name: _shuffled(tags, rng) for name, tags in elements.items()}


_KINDS = tuple(
    (kind, gender)
    for kind in ("school_uniform", "hoodie", "dress", "kimono", "shirt", "coat")
    for gender in GENDERS
)


def clothing_tags(kind: str, color: str, gender: str) -> tuple[list[str], list[str]]:
    """What must be said of the clothes, and what may be."""
    if kind == "school_uniform" and gender == "1boy":
        return ["school_uniform", f"{color}_jacket"], ["blazer", "necktie", "grey_pants"]
    if kind == "school_uniform":
        return (
            ["school_uniform", f"{color}_skirt"],
            [f"{color}_sailor_collar", "serafuku", "pleated_skirt", "white_shirt", "short_sleeves"],
        )
    details = {
        "hoodie": ["hoodie", "long_sleeves", "grey_shorts"],
        "dress": ["dress", "puffy_sleeves", "white_collar"],
        "kimono": ["kimono", "wide_sleeves", "obi", "japanese_clothes"],
        "shirt": ["shirt", "collared_shirt", "short_sleeves", "grey_shorts"],
        "coat": ["coat", "long_sleeves", "belt", "buttons"],
    }
    return [f"{color}_{kind}"], details[kind]


def _accessory_tags(accessory: Accessory) -> tuple[list[str], list[str]]:
    color = accessory.color
    match accessory.kind:
        case "hair_bow":
            return ["hair_bow", f"{color}_bow"], ["bow"]
        case "beret" | "witch_hat":
            return [accessory.kind, f"{color}_hat"], ["hat"]
        case "straw_hat":
            return ["straw_hat"], ["hat"]
        case "cat_ears":
            return ["cat_ears"], ["animal_ears"]
        case _:
            return ["glasses"], ["round_eyewear"]


def _general_elements(scene: Scene, rng: Rng, drop: float) -> dict[str, list[str]]:
    elements: dict[str, list[str]] = {}
    if not _dropped(rng, drop / 2 * _alone(scene)):
        elements["count"] = count_tags(scene)
        if drop and rng.random() < 0.5 and elements["count"] != ["1girl", "1boy"]:
            elements["count"] = elements["count"][:1]
    style, style_synonyms = STYLE_TAGS[scene.style]
    # The usual style is often taken for granted; an unusual one is a wish.
    if not _dropped(rng, max(drop, 0.3) if scene.style == "anime_style" else drop * UNEXPECTED):
        elements["style"] = [style, *_some(style_synonyms, rng)]
    if not _dropped(rng, drop):
        elements["background"] = _background_tags(scene.background, rng)
    if rng.random() < 0.4 * (1 - drop):
        choices = ATMOSPHERES.get(scene.background, PLAIN_ATMOSPHERES)
        elements["atmosphere"] = [rng.choice(choices)]
    if rng.random() < 0.6 * (1 - drop):
        elements["quality"] = rng.sample(QUALITY, rng.randint(1, 3))
    objects = [OBJECTS[c.pose] for c in scene.characters if c.pose in OBJECTS]
    objects = [] if _dropped(rng, max(drop, 0.4)) else list(dict.fromkeys(objects))
    unsaid = drop * UNEXPECTED
    if scene.effect in ("heart", "bubbles", "musical_note") and not _dropped(rng, unsaid):
        objects.append(EFFECT_TAGS[scene.effect])
    elements["objects"] = objects
    other = []
    if scene.effect in ("sparkle", "petals") and not _dropped(rng, unsaid):
        other.append(EFFECT_TAGS[scene.effect])
    # Upper bodies are the exception and are asked for; full bodies are mostly taken for granted.
    if not _dropped(rng, unsaid if scene.framing == "upper_body" else max(drop, 0.6)):
        other.append(scene.framing)
    elements["other"] = _shuffled(other, rng)
    return elements


def _background_tags(background: str, rng: Rng) -> list[str]:
    if background in SIMPLE_BACKGROUNDS:
        return _shuffled([background, *_some(["simple_background"], rng, 0.6)], rng)
    tag, synonyms = PLACE_TAGS[background]
    return _shuffled([tag, *_some(synonyms, rng)], rng)


def count_tags(scene: Scene) -> list[str]:
    """How many there are, and of which gender."""
    genders = [character.gender for character in scene.characters]
    if len(genders) == 1:
        return [genders[0], "solo"]
    girls = genders.count("1girl")
    if girls == 2:
        return ["2girls", "multiple_girls"]
    return ["2boys", "multiple_boys"] if girls == 0 else ["1girl", "1boy"]


def _block(name: str, order: Sequence[str], elements: dict[str, list[str]]) -> str:
    lines = [f"<{key}>{', '.join(elements[key])}</{key}>" for key in order if elements.get(key)]
    return "\n".join((f"<{name}>", *lines, f"</{name}>")) if lines else ""


def _dropped(rng: Rng, probability: float) -> bool:
    return rng.random() < probability


def _unless(expected: bool, drop: float) -> float:
    """How often something is left unsaid."""
    return drop if expected else drop * UNEXPECTED


def _alone(scene: Scene) -> float:
    """A second character, and who stands where, is seldom left unsaid."""
    return 1.0 if len(scene.characters) == 1 else 2 * UNEXPECTED


def _usual_eyes(character: Character) -> bool:
    return character.eye_color == EYES_OF_HAIR[character.hair_color]


def _some(tags: Iterable[str], rng: Rng, probability: float = SYNONYM) -> list[str]:
    return [tag for tag in tags if rng.random() < probability]


def _shuffled(tags: Iterable[str], rng: Rng) -> list[str]:
    result = list(tags)
    rng.shuffle(result)
    return result


def _joined(lists: Iterable[Iterable[str]]) -> list[str]:
    return [tag for tags in lists for tag in tags]


# English

WHERE = {
    "left": ("on the left", "on the left side"),
    "center": ("in the center", "in the middle"),
    "right": ("on the right", "on the right side"),
}
HAIR_WORDS = {
    "long_hair": ("long {} hair",),
    "short_hair": ("short {} hair",),
    "bob_cut": ("{} hair in a bob cut", "a {} bob cut"),
    "twintails": ("{} twintails", "{} hair in twintails"),
    "ponytail": ("{} hair in a ponytail", "a {} ponytail"),
    "twin_braids": ("{} twin braids", "two {} braids"),
    "double_bun": ("{} hair in two buns", "{} hair in a double bun"),
    "drill_hair": ("{} drill hair", "{} hair in drills"),
}
SKIN_WORDS = {"fair_skin": "pale skin", "tan": "tanned skin", "dark_skin": "dark skin"}
EXPRESSION_WORDS = {
    "smile": ("smiling", "smiling gently"),
    "open_mouth": ("laughing with an open mouth", "laughing"),
    "sad": ("looking sad", "crying"),
    "angry": ("looking angry", "frowning angrily"),
    "surprised": ("looking surprised",),
    "closed_eyes": ("smiling with closed eyes",),
    "wink": ("winking", "smiling with one eye closed"),
    "blush": ("blushing", "looking embarrassed"),
}
POSE_WORDS = {
    "standing": ("standing",),
    "waving": ("waving", "waving a hand"),
    "arms_up": ("raising both arms", "standing with arms up"),
    "hands_on_hips": ("standing with hands on hips",),
    "arms_behind_back": ("standing with arms behind the back",),
    "holding_book": ("holding a book", "reading a book"),
    "holding_flower": ("holding a flower",),
}
PLACE_WORDS = {
    "blue_sky": ("under a blue sky", "above the clouds"),
    "night_sky": ("under the night sky", "under a starry sky"),
    "sunset": ("at sunset", "in front of a sunset"),
    "meadow": ("in a meadow", "on a green meadow"),
    "cherry_blossoms": ("under cherry blossoms", "among cherry blossoms"),
    "beach": ("on a beach", "at the beach"),
    "snow": ("in the snow", "in a snowy landscape"),
    "indoors": ("indoors", "in a room"),
    "forest": ("in a forest", "in the woods", "in the forest"),
    "city": ("in the city", "in a city", "on a street"),
}
SIMPLE_WORDS = ("on a {} background", "in front of a plain {} background")
EFFECT_WORDS = {
    "sparkle": "sparkles",
    "heart": "hearts",
    "petals": "falling petals",
    "bubbles": "bubbles",
    "musical_note": "musical notes",
}
STYLE_SENTENCES = {
    "anime_style": ("Anime style.", "Drawn in anime style."),
    "flat_color": ("Flat colors.", "Drawn in flat colors."),
    "pastel_colors": ("Pastel colors.", "Drawn in soft pastel colors."),
    "watercolor": ("A watercolor painting.", "Painted in watercolor."),
    "monochrome": ("Black and white.", "A monochrome drawing."),
}


def _sentence(character: Character, where: str | None, rng: Rng, drop: float) -> str:
    noun = "girl" if character.gender == "1girl" else "boy"
    if _dropped(rng, drop / 2 * (1 if noun == "girl" else UNEXPECTED)):
        noun = "character"
    subject = rng.choice((f"a {noun}", f"a chibi {noun}", f"a cute {noun}"))
    if character.name and rng.random() < 0.4 * (1 - drop):
        subject = f"{character.name}, {subject}"
    traits, clothes = _traits(character, rng, drop), _clothes(character, rng, drop)
    deeds = []
    if not _dropped(rng, _unless(character.expression == "smile", drop)):
        deeds.append(rng.choice(EXPRESSION_WORDS[character.expression]))
    if not _dropped(rng, _unless(character.pose == "standing", drop)):
        deeds.append(rng.choice(POSE_WORDS[character.pose]))
    rng.shuffle(deeds)
    text = subject
    if traits:
        text += f" with {_listed(traits)}"
    if clothes:
        pattern = rng.choice((", wearing {},", " in {}", " wearing {}"))
        text += pattern.format(_listed(clothes))
    if deeds:
        text += f" is {_listed(deeds)}"
    text = text.rstrip(",")
    if where:
        if rng.random() < 0.4:
            text = f"{where}, {text}"
        else:
            text += f" {where}"
    return text[0].upper() + text[1:] + "."


def _traits(character: Character, rng: Rng, drop: float) -> list[str]:
    traits = []
    color = character.hair_color.removesuffix("_hair")
    hair_said, style_said = not _dropped(rng, drop), not _dropped(rng, drop)
    if style_said:
        pattern = rng.choice(HAIR_WORDS[character.hair_style])
        text = pattern.format(color if hair_said else "")
        traits.append(_an(" ".join(text.split())))
    elif hair_said:
        traits.append(f"{color} hair")
    unsaid = drop * UNEXPECTED
    if character.eyes_visible and not _dropped(rng, drop if _usual_eyes(character) else unsaid):
        traits.append(character.eye_color.replace("_", " "))
    if character.skin != "fair_skin" and not _dropped(rng, unsaid):
        traits.append(SKIN_WORDS[character.skin])
    if character.accessory("cat_ears") and not _dropped(rng, unsaid):
        traits.append("cat ears")
    rng.shuffle(traits)
    return traits


def _clothes(character: Character, rng: Rng, drop: float) -> list[str]:
    clothes = []
    if not _dropped(rng, drop):
        kind = character.clothing.replace("_", " ")
        clothes.append(f"a {character.clothing_color} {kind}")
    for accessory in character.accessories:
        if accessory.kind == "cat_ears" or _dropped(rng, drop * UNEXPECTED):
            continue
        if accessory.kind == "glasses":
            clothes.append("glasses")
        else:
            words = " ".join(filter(None, (accessory.color, accessory.kind.replace("_", " "))))
            clothes.append(_an(f"a {words}"))
    return clothes


def _places(scene: Scene, rng: Rng, drop: float) -> str:
    parts = []
    if not _dropped(rng, drop):
        if scene.background in SIMPLE_BACKGROUNDS:
            color = scene.background.removesuffix("_background")
            parts.append(rng.choice(SIMPLE_WORDS).format(color))
        else:
            parts.append(rng.choice(PLACE_WORDS[scene.background]))
    if scene.effect and not _dropped(rng, drop * UNEXPECTED):
        parts.append(f"surrounded by {EFFECT_WORDS[scene.effect]}")
    return ", ".join(parts)


def _an(text: str) -> str:
    """`a orange` becomes `an orange`."""
    return "an " + text[2:] if text[:2] == "a " and text[2] in "aeiou" else text


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def sentence_words() -> set[str]:
    """Every word of the sentences, as often found at their beginning as within."""
    texts = [
        "a an and in on the with wearing is are They stand She He The two Both",
        "girl boy character chibi cute plain surrounded by . ,",
        "anime haired two girls boys one other next to who has wears",
        *("hair eyes skin cat ears glasses beret witch straw hat bow tan pale dark".split()),
        *SKIN_WORDS.values(),
        *EFFECT_WORDS.values(),
        *SIMPLE_WORDS,
    ]
    for table in (WHERE, HAIR_WORDS, EXPRESSION_WORDS, POSE_WORDS, PLACE_WORDS, STYLE_SENTENCES):
        texts += _joined(table.values())
    words = {word for text in texts for word in text.replace("{}", "").split()}
    words |= {word.rstrip(".,") for word in words}
    words |= {word[0].upper() + word[1:] for word in (*NAMES, "a", "an", "on", "in", "two")}
    return {word for word in words if word}
