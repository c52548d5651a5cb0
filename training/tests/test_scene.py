"""The split: what training may see, and what evaluation needs."""

import random

import pytest

from scene import EYE_COLORS, HAIR_COLORS, contrasted, held_out, sample_scene


def scenes(count, **options):
    rng = random.Random(7)
    return [sample_scene(rng, **options) for _ in range(count)]


def test_no_training_character_has_a_held_out_combination():
    assert not any(held_out(c) for scene in scenes(3000) for c in scene.characters)


def test_every_evaluation_character_has_one():
    assert all(held_out(c) for s in scenes(500, split="eval") for c in s.characters)


def test_characters_of_an_evaluation_pair_can_be_told_apart():
    for scene in scenes(300, characters=2, split="eval"):
        first, second = scene.characters
        assert first.hair_color != second.hair_color
        assert first.eye_color != second.eye_color
        assert first.clothing_color != second.clothing_color
        assert {first.position, second.position} == {"left", "right"}
        assert scene.style != "monochrome"


def test_each_single_value_occurs_in_training():
    people = [c for scene in scenes(2000) for c in scene.characters]
    assert {c.hair_color for c in people} == set(HAIR_COLORS)
    assert {c.eye_color for c in people} == set(EYE_COLORS)


def test_the_same_seed_gives_the_same_scene():
    assert sample_scene(random.Random(5)) == sample_scene(random.Random(5))


def test_more_than_two_characters_are_refused():
    with pytest.raises(ValueError, match="1 or 2"):
        sample_scene(random.Random(0), characters=3)


def test_in_a_contrasted_scene_one_character_wears_what_the_other_does_not():
    rng = random.Random(3)
    for scene in scenes(300, characters=2):
        first, second = (
            {a.kind for a in c.accessories} for c in contrasted(scene, rng).characters
        )
        only_one = first ^ second
        assert only_one & {"cat_ears", "glasses", "beret", "witch_hat", "straw_hat"}


def test_a_contrasted_scene_stays_out_of_evaluation():
    rng = random.Random(4)
    made = [contrasted(scene, rng) for scene in scenes(1000, characters=2)]
    assert not any(held_out(c) for scene in made for c in scene.characters)
