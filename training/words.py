"""Writes models/demo/words.json: the words that the demo model knows, in English and Chinese, by the
element of a prompt and the attribute that they belong to.

From: the tables of scene.py and prompts.py, which every training prompt is made from.
Run:  python training/words.py

    {
      "format": 1,
      "groups": [
        {
          "scope": "character" | "general",   a block <character_N>, or <general_tags>
          "element": "appearance",            the XML element within it
          "attribute": "hair_color",          one value of an attribute excludes the others
          "en": "hair colour", "zh": "发色",   what the attribute is called
          "words": [
            {
              "tag": "black_hair",            as it stands in XML and in lists of tags
              "en": "black hair", "zh": "黑发", what it means
              "also": []                      tags that say the same, or what comes with it
            }
          ]
        }
      ],
      "largestSize": 512,                     the longest side of the training's pictures, in pixels
      "sentenceWords": ["a", "and"]           every word of its English sentences, in lower case; a
                                              hyphen is as good as a space between two
    }

Tags may also be written with spaces. Names (`<n>`) are not listed: any name will do, none has a look.
"""

import json
import re

from captions import DEMO
from prompts import (
    ATMOSPHERES,
    EFFECT_TAGS,
    EXPRESSION_TAGS,
    HAIR_STYLE_TAGS,
    OBJECTS,
    PLACE_TAGS,
    PLAIN_ATMOSPHERES,
    POSE_TAGS,
    POSITION_TAGS,
    QUALITY,
    SKIN_TAGS,
    STYLE_TAGS,
    clothing_tags,
    sentence_words,
)
from scene import (
    ACCESSORY_COLORS,
    CLOTHING,
    CLOTHING_COLORS,
    EYE_COLORS,
    GENDERS,
    HAIR_COLORS,
    SIMPLE_BACKGROUNDS,
)

FORMAT = 1
# The largest of render_dataset.py's shapes.
LARGEST_SIZE = 512

COLORS_ZH = {
    "black": "黑", "brown": "棕", "blonde": "金", "red": "红", "pink": "粉", "purple": "紫",
    "blue": "蓝", "green": "绿", "white": "白", "orange": "橙", "yellow": "黄", "grey": "灰",
}  # fmt: skip
GARMENTS_ZH = {
    "school_uniform": "校服", "hoodie": "连帽衫", "dress": "连衣裙", "kimono": "和服",
    "shirt": "衬衫", "coat": "大衣", "skirt": "裙子", "jacket": "外套",
}  # fmt: skip
ZH = {
    "1girl": "女孩", "1boy": "男孩",
    "long_hair": "长发", "short_hair": "短发", "bob_cut": "波波头", "twintails": "双马尾",
    "ponytail": "马尾", "twin_braids": "双麻花辫", "double_bun": "丸子头", "drill_hair": "钻头卷发",
    "pale_skin": "白皙的皮肤", "tan": "小麦色皮肤", "dark_skin": "深色皮肤",
    "cat_ears": "猫耳", "glasses": "眼镜", "straw_hat": "草帽", "hair_bow": "蝴蝶结发饰",
    "beret": "贝雷帽", "witch_hat": "女巫帽",
    "smile": "微笑", "open_mouth": "张嘴笑", "sad": "悲伤", "angry": "生气", "surprised": "惊讶",
    "closed_eyes": "闭着眼睛笑", "wink": "眨眼", "blush": "脸红",
    "standing": "站立", "waving": "挥手", "arms_up": "举起双手", "hands_on_hips": "双手叉腰",
    "arms_behind_back": "双手背在身后", "holding_book": "拿着书", "holding_flower": "拿着花",
    "left": "左边", "center": "中间", "right": "右边",
    "solo": "单人", "2girls": "两个女孩", "2boys": "两个男孩", "1girl, 1boy": "一个女孩和一个男孩",
    "anime_style": "动漫风格", "flat_color": "平涂", "pastel_colors": "粉彩", "watercolor": "水彩",
    "monochrome": "黑白",
    "blue_sky": "蓝天", "night_sky": "夜空", "sunset": "日落", "meadow": "草地",
    "cherry_blossoms": "樱花", "beach": "海滩", "snow": "雪地", "indoors": "室内", "forest": "森林",
    "city": "城市",
    "calm": "平静", "dreamy": "梦幻", "mysterious": "神秘", "nostalgic": "怀旧", "romantic": "浪漫",
    "peaceful": "安宁", "cheerful": "欢快", "bright": "明亮", "energetic": "活力", "quiet": "安静",
    "cozy": "温馨",
    "masterpiece": "杰作", "best_quality": "最高质量", "high_resolution": "高分辨率",
    "detailed": "细节丰富", "highres": "高分辨率", "absurdres": "超高分辨率",
    "book": "书", "flower": "花", "heart": "爱心", "bubbles": "泡泡", "musical_note": "音符",
    "sparkle": "闪光", "petals": "花瓣",
    "full_body": "全身", "upper_body": "上半身", "looking_at_viewer": "看向观众", "chibi": "Q版",
}  # fmt: skip
EN = {
    "1girl": "a girl", "1boy": "a boy", "tan": "tanned skin", "2girls": "two girls",
    "2boys": "two boys", "open_mouth": "laughing, mouth open", "wink": "winking",
    "closed_eyes": "smiling, eyes closed", "solo": "one character", "hair_bow": "a bow in the hair",
    "high_resolution": "high resolution", "absurdres": "very high resolution",
    "highres": "high resolution",
}  # fmt: skip


def word(tag, also=(), en=None, zh=None):
    en = en or EN.get(tag) or tag.replace("_", " ")
    return {"tag": tag, "en": en, "zh": zh or ZH[tag], "also": list(also)}


def colored(color, thing, zh):
    """`red_bow` and the like."""
    return word(f"{color}_{thing}", zh=f"{COLORS_ZH[color]}色{zh}")


def of_table(table):
    """Of tables that give each value its tag and what may stand beside it."""
    return [word(tag, also) for tag, also in table.values()]


def hair(tag):
    return word(tag, zh=f"{COLORS_ZH[tag.removesuffix('_hair')]}发")


def eyes(tag):
    return word(tag, zh=f"{COLORS_ZH[tag.removesuffix('_eyes')]}色眼睛")


def backdrop(tag):
    color = tag.removesuffix("_background")
    return word(tag, ["simple_background"], zh=f"{COLORS_ZH[color]}色背景")


def garments():
    return [word(kind, details(kind), zh=GARMENTS_ZH[kind]) for kind in CLOTHING]


def details(kind):
    """What a garment may have, without what depends on its colour."""
    of_red, of_blue = (
        [tag for gender in GENDERS for tag in clothing_tags(kind, color, gender)[1]]
        for color in ("red", "blue")
    )
    return [tag for tag in dict.fromkeys(of_red) if tag in of_blue and tag != kind]


def colored_garments():
    kinds = [kind for kind in CLOTHING if kind != "school_uniform"]
    # A uniform's colour is that of its skirt or its jacket.
    kinds += ["skirt", "jacket"]
    return [colored(color, kind, GARMENTS_ZH[kind]) for kind in kinds for color in CLOTHING_COLORS]


def groups():
    """Every group, in the order in which an XML prompt has their elements."""
    moods = dict.fromkeys([*PLAIN_ATMOSPHERES, *(x for row in ATMOSPHERES.values() for x in row)])
    objects = [*OBJECTS.values(), *(EFFECT_TAGS[x] for x in ("heart", "bubbles", "musical_note"))]
    rows = [
        ("gender", "gender", "gender", "性别", map(word, GENDERS)),
        ("appearance", "hair_color", "hair colour", "发色", map(hair, HAIR_COLORS)),
        ("appearance", "hair_style", "hair style", "发型", of_table(HAIR_STYLE_TAGS)),
        ("appearance", "eye_color", "eye colour", "瞳色", map(eyes, EYE_COLORS)),
        ("appearance", "skin", "skin", "肤色", map(word, SKIN_TAGS.values())),
        ("appearance", "ears", "ears", "耳朵", [word("cat_ears", ["animal_ears"])]),
        ("appearance", "proportions", "proportions", "体型", [word("chibi")]),
        ("clothing", "garment", "clothes", "服装", garments()),
        (
            "clothing",
            "garment_color",
            "clothes with their colour",
            "服装及颜色",
            colored_garments(),
        ),
        ("clothing", "glasses", "glasses", "眼镜", [word("glasses", ["round_eyewear"])]),
        (
            "clothing",
            "headwear",
            "on the head",
            "头饰",
            [
                *(word(tag, ["hat"]) for tag in ("straw_hat", "beret", "witch_hat")),
                word("hair_bow", ["bow"]),
            ],
        ),
        (
            "clothing",
            "headwear_color",
            "colour of hat or bow",
            "帽子或蝴蝶结的颜色",
            [
                *(colored(color, "hat", "帽子") for color in ACCESSORY_COLORS),
                *(colored(color, "bow", "蝴蝶结") for color in ACCESSORY_COLORS),
            ],
        ),
        ("expression", "expression", "expression", "表情", of_table(EXPRESSION_TAGS)),
        ("action", "pose", "pose", "姿势", of_table(POSE_TAGS)),
        ("action", "gaze", "gaze", "视线", [word("looking_at_viewer")]),
        (
            "position",
            "position",
            "place in the picture",
            "位置",
            [word(tags[0], tags[1:]) for tags in POSITION_TAGS.values()],
        ),
    ]
    general = [
        (
            "count",
            "count",
            "how many",
            "人数",
            [
                *map(word, GENDERS),
                word("solo"),
                word("2girls", ["multiple_girls"]),
                word("2boys", ["multiple_boys"]),
            ],
        ),
        ("style", "style", "style", "风格", of_table(STYLE_TAGS)),
        (
            "background",
            "background",
            "background",
            "背景",
            [*map(backdrop, SIMPLE_BACKGROUNDS), *of_table(PLACE_TAGS)],
        ),
        ("atmosphere", "atmosphere", "atmosphere", "氛围", map(word, moods)),
        ("quality", "quality", "quality", "质量", map(word, QUALITY)),
        ("objects", "objects", "things", "物品", map(word, objects)),
        (
            "other",
            "effect",
            "around the characters",
            "周围的效果",
            [word(EFFECT_TAGS[x]) for x in ("sparkle", "petals")],
        ),
        ("other", "framing", "how much is seen", "取景", map(word, ("full_body", "upper_body"))),
    ]
    return [
        {
            "scope": scope,
            "element": element,
            "attribute": attribute,
            "en": en,
            "zh": zh,
            "words": list(words),
        }
        for scope, table in (("character", rows), ("general", general))
        for element, attribute, en, zh, words in table
    ]


def words_of_sentences():
    """In lower case, without the marks of sentences."""
    tags = (*HAIR_COLORS, *EYE_COLORS, *SIMPLE_BACKGROUNDS, *CLOTHING_COLORS, *CLOTHING)
    texts = {text.lower() for text in sentence_words()} | {tag.replace("_", " ") for tag in tags}
    return sorted({part for text in texts for part in re.findall(r"[\w']+", text)})


def main():
    contents = {
        "format": FORMAT,
        "groups": groups(),
        "largestSize": LARGEST_SIZE,
        "sentenceWords": words_of_sentences(),
    }
    text = json.dumps(contents, ensure_ascii=False, indent=1)
    # A word a line: the file is read by people too.
    text = re.sub(r"\{\s+(\"tag\": [^{}]*?)\s+\}", lambda m: "{ " + joined(m[1]) + " }", text)
    text = re.sub(r"(\"sentenceWords\": )(\[[^\]]*\])", lambda m: m[1] + joined(m[2]), text)
    (DEMO / "words.json").write_text(text + "\n", encoding="utf-8")


def joined(lines):
    return re.sub(r"\s*\n\s*", " ", lines).replace("[ ", "[").replace(" ]", "]")


if __name__ == "__main__":
    main()
