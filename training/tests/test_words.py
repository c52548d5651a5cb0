"""The word list: that it is whole, that the model has met each word, and that the file is of now."""

import json
import random
import re
import xml.etree.ElementTree as ElementTree

from captions import DEMO
from prompts import sample_prompt, vocabulary
from scene import contrasted, sample_scene
from words import groups, words_of_sentences

WORDS = json.loads((DEMO / "words.json").read_text(encoding="utf-8"))


def listed():
    return {tag for group in WORDS["groups"] for w in group["words"] for tag in [w["tag"], *w["also"]]}


def prompts(count):
    rng = random.Random(8)
    for _ in range(count):
        scene = sample_scene(rng)
        yield scene, sample_prompt(contrasted(scene, rng) if len(scene.characters) == 2 else scene, rng)


def test_the_file_is_what_the_tables_of_now_give():
    assert json.loads(json.dumps(groups())) == WORDS["groups"]
    assert words_of_sentences() == WORDS["sentenceWords"]


def test_every_word_of_the_list_is_in_the_training_vocabulary():
    known = set(vocabulary())
    assert listed() <= known, listed() - known
    lower = {part for text in known for part in re.findall(r"[\w']+", text.lower())}
    assert set(WORDS["sentenceWords"]) <= lower


def test_every_tag_of_xml_prompts_is_listed_under_its_element():
    by_element = {}
    for group in WORDS["groups"]:
        tags = by_element.setdefault(group["element"], set())
        tags |= {tag for w in group["words"] for tag in [w["tag"], *w["also"]]}
    # What a garment's colour brings with it.
    by_element["clothing"] |= {tag for tag in vocabulary() if tag.endswith("_sailor_collar")}
    for _, text in prompts(3000):
        if not text.startswith("<"):
            continue
        for element in ElementTree.fromstring(f"<all>{text}</all>").iter():
            if element.tag == "n" or not (element.text or "").strip():
                continue
            for tag in element.text.split(", "):
                assert tag in by_element[element.tag], (element.tag, tag)


def test_every_word_of_sentences_is_listed():
    known = set(WORDS["sentenceWords"])
    for _, text in prompts(6000):
        if text[0].isupper():
            for word in re.findall(r"[\w']+", text.lower()):
                assert word in known, (word, text)
