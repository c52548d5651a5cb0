"""A synthetic language of prompts: upstream's XML elements filled with Danbooru tags, and plain
sentences. The small tokenizers are trained on it. Not run by itself."""

import random

COLOURS = """aqua black blonde blue brown cream crimson dark_blue gold green grey light_blue
light_brown light_green navy orange pale_pink pink platinum_blonde purple red silver teal violet
white yellow multicolored two-tone""".split()

# Things that take a colour in front: `blue_hair`, `white_shirt`.
COLOURED = """hair eyes shirt skirt dress ribbon bow jacket coat hat sweater scarf gloves thighhighs
pantyhose socks shoes boots necktie bowtie neckerchief sailor_collar hoodie cardigan vest pants
shorts kimono cape apron belt choker hairband headband flower background sky lips nails""".split()

HAIR = """long_hair short_hair very_long_hair medium_hair twintails ponytail side_ponytail braid
twin_braids single_braid bob_cut hime_cut ahoge bangs blunt_bangs sidelocks hair_between_eyes
hair_over_one_eye drill_hair hair_bun double_bun messy_hair wavy_hair curly_hair straight_hair
multi-tied_hair low_ponytail high_ponytail gradient_hair streaked_hair hair_intakes""".split()

BODY = """chibi tareme tsurime heterochromia glasses freckles mole_under_eye fang pointy_ears
animal_ears cat_ears fox_ears rabbit_ears wolf_ears cat_tail fox_tail tail horns halo wings
angel_wings demon_wings elf dark_skin pale_skin slit_pupils petite tall muscular beard scar
eyepatch eyelashes long_eyelashes hair_ornament hairclip hair_flower hair_bow hair_ribbon""".split()

CLOTHING = """school_uniform serafuku sailor_collar pleated_skirt miniskirt long_skirt short_sleeves
long_sleeves sleeveless puffy_sleeves wide_sleeves detached_sleeves bare_shoulders bare_arms
off_shoulder collared_shirt t-shirt blouse sweater_vest turtleneck hoodie blazer cardigan
track_jacket armor gauntlets cloak cape maid maid_headdress apron kimono yukata obi hakama
miko china_dress wedding_dress evening_gown sundress swimsuit frills lace ribbon_trim
ribbon-trimmed_bow jewelry earrings necklace bracelet ring mary_janes sneakers high_heels
sandals barefoot kneehighs loose_socks striped plaid polka_dot mini_hat witch_hat beret
baseball_cap straw_hat crown tiara mask fingerless_gloves bow_legwear""".split()

EXPRESSIONS = """smile light_smile happy grin laughing open_mouth closed_mouth :d :o >_< ^_^ blush
embarrassed shy angry sad crying tears pout surprised serious expressionless sleepy smug wink
one_eye_closed closed_eyes frown nervous confident determined tongue_out""".split()

ACTIONS = """standing sitting kneeling lying on_back running walking jumping dancing singing reading
writing eating drinking cooking sleeping waving peace_sign v arms_up arms_behind_back crossed_arms
hand_on_hip hand_up hands_together holding holding_book holding_sword holding_umbrella
holding_briefcase holding_flower holding_cup holding_microphone holding_staff pointing stretching
head_tilt leaning_forward looking_at_viewer looking_back looking_up looking_down looking_away
hugging holding_hands playing_guitar fishing swimming flying fighting_stance""".split()

POSITIONS = """center left right center_left center_right top bottom foreground background_left
background_right""".split()

STYLES = """anime_style digital_art watercolor oil_painting sketch lineart flat_color cel_shading
pixel_art monochrome greyscale pastel_colors ink_wash retro_anime realistic painterly
chromatic_aberration film_grain""".split()

BACKGROUNDS = """simple_background white_background gradient_background outdoors indoors classroom
library bedroom kitchen cafe rooftop city street alley forest meadow flower_field beach ocean
river lake mountain snow desert castle ruins shrine temple garden train_station spaceship night
night_sky starry_sky full_moon sunset sunrise cloudy_sky rain cherry_blossoms autumn_leaves
fireworks window bookshelf""".split()

ATMOSPHERES = """cheerful calm melancholic mysterious romantic dramatic dreamy gloomy cozy festive
epic lonely peaceful tense nostalgic energetic""".split()

LIGHTING = """soft_lighting backlighting rim_light sunlight moonlight candlelight neon_lights
lens_flare light_rays dappled_sunlight shadow bloom""".split()

QUALITY = """masterpiece best_quality high_resolution absurdres highres detailed very_aesthetic
intricate_details sharp_focus newest""".split()

OBJECTS = """briefcase book sword umbrella guitar microphone cat dog bird butterfly rabbit teddy_bear
cup teapot cake apple strawberry bouquet rose sunflower lantern balloon bicycle bench phone camera
headphones clock letter map telescope musical_note bubbles petals feathers snowflakes stars""".split()

NAMES = """$character_1$ $character_2$ miku rin luka alice marisa reimu sakura yuki hana kaede aoi
akari haruka chihiro natsume shiro kuro lily rose erika""".split()

OTHER = """alternate_costume upper_body full_body cowboy_shot portrait close-up from_above from_below
from_side dutch_angle depth_of_field blurry_background text signature border sparkle reflection
wind floating_hair petals_in_wind""".split()

SENTENCES = [
    "A girl with long {colour} hair and {colour2} eyes is {action} in a quiet {place}.",
    "Two friends are {action} together under the {colour} sky, {mood} and full of light.",
    "An anime illustration of a boy wearing a {colour} jacket, {action} near the {place}.",
    "The {place} at night with {colour} lanterns, soft light and a {mood} feeling.",
    "Close-up portrait of a young woman, {colour} dress, {colour2} ribbon, gentle smile.",
    "1girl, solo, {colour} hair, {colour2} eyes, {action}, {place}, masterpiece, best quality",
]

NEGATIVE = "low_quality, worst_quality, blurry, bad_anatomy, bad_hands, extra_fingers, watermark"

SYSTEM_XML = (
    "You are an assistant designed to generate high-quality anime images based on xml format "
    "prompts. <Prompt Start> "
)
SYSTEM_PLAIN = (
    "You are an assistant designed to generate high-quality anime images with the highest degree "
    "of image-text alignment based on textual prompts. <Prompt Start> "
)


def _some(rng, words, least, most):
    return rng.sample(words, rng.randint(least, most))


def _coloured(rng, count):
    return [f"{rng.choice(COLOURS)}_{rng.choice(COLOURED)}" for _ in range(count)]


def _element(name, words):
    return f"<{name}>{', '.join(words)}</{name}>"


def _character(rng, number):
    lines = [
        f"<character_{number}>",
        _element("n", [rng.choice(NAMES)]),
        _element("gender", [rng.choice(["1girl", "1boy", "1other"])]),
        _element("appearance", _coloured(rng, 2) + _some(rng, HAIR, 1, 4) + _some(rng, BODY, 0, 3)),
        _element("clothing", _some(rng, CLOTHING, 2, 6) + _coloured(rng, rng.randint(1, 5))),
        _element("expression", _some(rng, EXPRESSIONS, 1, 3)),
        _element("action", _some(rng, ACTIONS, 1, 3)),
        _element("position", [rng.choice(POSITIONS)]),
        f"</character_{number}>",
    ]
    return "\n".join(lines)


def xml_prompt(rng):
    """One element a line, no indentation, an empty line between the elements at the top."""
    characters = rng.randint(1, 3)
    count = ["1girl, solo", "2girls, multiple_girls", "3girls, multiple_girls"][characters - 1]
    general = [
        "<general_tags>",
        _element("count", [count]),
        _element("style", _some(rng, STYLES, 1, 2)),
        _element("background", _some(rng, BACKGROUNDS, 1, 3)),
        _element("atmosphere", _some(rng, ATMOSPHERES, 1, 2)),
        _element("lighting", _some(rng, LIGHTING, 1, 2)),
        _element("quality", _some(rng, QUALITY, 2, 4)),
        _element("objects", _some(rng, OBJECTS, 1, 4)),
        _element("other", _some(rng, OTHER, 1, 3)),
        "</general_tags>",
    ]
    parts = [_character(rng, number + 1) for number in range(characters)]
    return "\n\n".join([*parts, "\n".join(general)])


def plain_prompt(rng):
    return rng.choice(SENTENCES).format(
        colour=rng.choice(COLOURS).replace("_", " "),
        colour2=rng.choice(COLOURS).replace("_", " "),
        action=rng.choice(ACTIONS).replace("_", " "),
        place=rng.choice(BACKGROUNDS).replace("_", " "),
        mood=rng.choice(ATMOSPHERES),
    )


def prompts(count, seed):
    """Four XML prompts to one plain, the same for the same seed."""
    rng = random.Random(seed)
    made = [plain_prompt(rng) if i % 5 == 4 else xml_prompt(rng) for i in range(count)]
    return [*made, NEGATIVE, SYSTEM_XML, SYSTEM_PLAIN]
