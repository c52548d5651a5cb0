"""Prompts: the layout of the XML, what they must say, and that the vocabulary is whole."""

import random
import re
import xml.etree.ElementTree as ElementTree

from prompts import (
    plain_sentence,
    sample_prompt,
    sentence_prompt,
    tag_prompt,
    vocabulary,
    xml_prompt,
)
from scene import EYES_OF_HAIR, sample_scene


def pairs(count):
    rng = random.Random(3)
    return [sample_scene(rng, characters=2, split="eval") for _ in range(count)]


def test_the_xml_is_laid_out_as_upstream_shows_it():
    # One element a line, no indentation, a blank line between the top-level elements.
    rng = random.Random(1)
    for scene in pairs(50):
        blocks = xml_prompt(scene, rng).split("\n\n")
        assert [b.split("\n")[0] for b in blocks] == [
            "<character_1>", "<character_2>", "<general_tags>",
        ]  # fmt: skip
        for block in blocks:
            for line in block.split("\n")[1:-1]:
                assert re.fullmatch(r"<(\w+)>[^<>]+</\1>", line)


def test_an_xml_prompt_says_everything_of_the_right_character():
    rng = random.Random(2)
    for scene in pairs(200):
        root = ElementTree.fromstring(f"<all>{xml_prompt(scene, rng)}</all>")
        for number, character in enumerate(scene.characters, 1):
            element = root.find(f"character_{number}")
            appearance = element.findtext("appearance").split(", ")
            assert {character.hair_color, character.hair_style, character.eye_color} <= set(
                appearance
            )
            assert f"{character.clothing_color}_" in element.findtext("clothing")
            assert character.position in element.findtext("position")
            assert character.gender == element.findtext("gender")


def test_flat_tags_name_both_hair_colours_and_no_place():
    rng = random.Random(4)
    for scene in pairs(200):
        tags = tag_prompt(scene, rng).replace(" ", "_").split(",_")
        assert {c.hair_color for c in scene.characters} <= set(tags)
        assert not {"left", "right", "center_left", "center_right"} & set(tags)


def test_sentences_name_the_colours():
    rng = random.Random(5)
    for scene in pairs(200):
        text = sentence_prompt(scene, rng)
        for character in scene.characters:
            assert character.clothing_color in text
            assert character.hair_color.removesuffix("_hair") in text


def test_every_word_is_in_the_vocabulary():
    known, rng = set(vocabulary()), random.Random(6)
    for _ in range(4000):
        text = sample_prompt(sample_scene(rng), rng)
        for word in re.split(r"[\s,]+", re.sub(r"(</?\w+>)", r" \1 ", text)):
            for part in (word, word.rstrip(".:")):
                if part in known or not part or set(part.split("-")) <= known:
                    break
            else:
                raise AssertionError((word, text))


def test_a_plain_sentence_without_places_names_the_left_one_first():
    rng, found = random.Random(7), 0
    for scene in pairs(300):
        text = plain_sentence(scene, rng)
        assert text.count(". She") + text.count(". He") == 0
        if "left" in text or "right" in text:
            continue
        found += 1
        left, right = sorted(scene.characters, key=lambda c: c.position != "left")
        first, second = (c.hair_color.removesuffix("_hair") for c in (left, right))
        where = [re.search(rf"{color} (?:hair|bob|twin|pony|drill|braids)|{color}.haired", text)
                 for color in (first, second)]  # fmt: skip
        assert where[0] and where[1] and where[0].start() < where[1].start(), text
    assert found > 50


def test_what_nobody_expects_is_seldom_left_unsaid():
    rng, hats, missing, eyes, silent = random.Random(9), 0, 0, 0, 0
    for _ in range(3000):
        scene = sample_scene(rng, characters=1)
        text = xml_prompt(scene, rng, 0.85).replace(" ", "_")
        character = scene.characters[0]
        if character.hat:
            hats, missing = hats + 1, missing + (character.hat.kind not in text)
        if character.eyes_visible and character.eye_color == EYES_OF_HAIR[character.hair_color]:
            eyes, silent = eyes + 1, silent + (character.eye_color not in text)
    assert missing / hats < 0.25 and silent / eyes > 0.75
