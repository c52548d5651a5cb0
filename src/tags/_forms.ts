/**
 * The usual forms of Danbooru's tags and the element of a prompt that each belongs into. Words are
 * written with spaces; a tag belongs to the first form that fits.
 *
 * The forms follow the tag groups of Danbooru's wiki ("Tag group:Hair color", "Tag group:Attire",
 * "Tag group:Posture" …) in words of our own; what many tags share is said by their ending.
 */
import { CHARACTER_ELEMENTS, type ElementName } from "../prompt/mod.ts";

/** Elements of a character; the others are of the picture. */
const OF_CHARACTER: ReadonlySet<string> = new Set(CHARACTER_ELEMENTS);

/** Whether what a form says is said of a character. */
export const isOfCharacter = (element: ElementName): boolean => OF_CHARACTER.has(element);

/** What a character has but once, so that two of a kind are two characters'. */
export type TagSlot = "hair color" | "eye color" | "skin" | "hair length";

/** Where a tag belongs. */
export interface TagForm {
  readonly element: ElementName;
  readonly slot?: TagSlot;
}

const words = (text: string) => new Set(text.split(",").map((word) => word.trim()));
const endingIn = (text: string) =>
  new RegExp(`(?:^|[ -])(?:${text.split(",").map((word) => word.trim()).join("|")})$`);

const COLORS = "aqua|black|blonde|blue|brown|cyan|dark blue|dark green|green|grey|gray|lavender|" +
  "light blue|light brown|light green|light purple|multicolored|orange|pink|platinum blonde|" +
  "purple|red|silver|teal|two-tone|violet|white|yellow|golden|gradient|rainbow|streaked";

const LENGTHS = words(
  "very short hair, short hair, medium hair, long hair, very long hair, " +
    "absurdly long hair",
);

const HAIR = words(
  `twintails, low twintails, short twintails, ponytail, high ponytail, side ponytail,
 low ponytail, short ponytail, braid, braids, twin braids, single braid, side braid, french braid,
 crown braid, braided ponytail, hair bun, single hair bun, double bun, bun, bob cut, hime cut,
 pixie cut, undercut, bangs, blunt bangs, swept bangs, parted bangs, asymmetrical bangs, ahoge,
 drill hair, twin drills, ringlets, sidelocks, hair over one eye, hair between eyes, hair intakes,
 dreadlocks, afro, mohawk, one side up, two side up, half updo, wolf cut, antenna hair, bald`,
);

const BODY = words(`tan, tanned, freckles, mole, mole under eye, mole under mouth, beard, mustache,
 stubble, fang, fangs, skin fang, heterochromia, slit pupils, pointy ears, elf, halo, wings, tail,
 horns, muscular, muscular male, muscular female, abs, petite, tall, short, chibi, loli, shota,
 mature female, mature male, old, old man, old woman, child, aged down, aged up, kemonomimi mode,
 monster girl, furry, makeup, lipstick, eyeshadow, eyeliner, tattoo, scar, scar on face, eyelashes,
 thick eyebrows, cleavage, flat chest, collarbone, midriff, navel, thighs, bare shoulders, barefoot,
 dark-skinned female, dark-skinned male, colored skin, curvy, plump, slim, pale, third eye,
 androgynous, robot, mecha musume, vampire, demon girl, demon boy, angel, fox girl, cat girl,
 wolf girl, dragon girl, bunny girl, dog girl, mermaid, fairy, slime girl, ghost`);
const BODY_ENDING = endingIn(
  `hair, eyes, eye, skin, ears, ear, tail, tails, wings, wing, horns, horn,
 breasts, chest, eyebrows, pupils, sclera, teeth, nails, fingernails, bangs, braid, braids, ponytail,
 twintails, sidelocks, streaks, highlights, facial mark, birthmark, tattoo, makeup, lips, beard, legs`,
);

const CLOTHES = words(
  `school uniform, serafuku, sailor collar, uniform, military uniform, gym uniform,
 maid, maid headdress, nurse, nude, naked, swimsuit, one-piece swimsuit, school swimsuit, bikini,
 underwear, bra, panties, lingerie, casual, formal, armor, pauldrons, gauntlets, glasses, sunglasses,
 goggles, monocle, eyepatch, mask, mouth mask, blindfold, jewelry, earrings, necklace, bracelet, ring,
 choker, collar, scarf, tie, bowtie, hood, hood up, hood down, hair ornament, hairclip, hairband,
 headband, headphones, headset, tiara, crown, veil, beret, beanie, gloves, boots, shoes, sneakers,
 sandals, socks, thighhighs, kneehighs, pantyhose, tights, leggings, apron, obi, sash, cape, cloak,
 poncho, robe, kimono, yukata, hakama, haori, hanfu, cheongsam, china dress, leotard, bodysuit,
 sleeveless, off shoulder, strapless, detached sleeves, frills, lace, zettai ryouiki, bag, backpack,
 handbag, randoseru, watch, wristwatch, belt, buttons, zipper, suspenders, garter straps, pocket,
 fur trim, plaid, striped, polka dot, lolita fashion, gothic lolita, japanese clothes,
 chinese clothes, traditional clothes, pajamas, barrette, hair scrunchie, scrunchie, hair tie,
 haori, tabi, geta, costume, jester cap, animal costume, santa costume, bandages, bandaid`,
);
const CLOTHES_ENDING = endingIn(
  `dress, shirt, t-shirt, blouse, skirt, miniskirt, pants, jeans, shorts,
 jacket, coat, trench coat, hoodie, sweater, turtleneck, vest, cardigan, blazer, suit, top, crop top,
 tank top, uniform, swimsuit, bikini, bra, panties, underwear, leotard, bodysuit, kimono, yukata,
 hakama, robe, apron, cape, cloak, armor, helmet, hat, cap, hood, headwear, headdress, beret, crown,
 tiara, ribbon, ribbons, bow, bows, bowtie, necktie, tie, scarf, collar, choker, necklace, pendant,
 earrings, earring, ring, bracelet, gloves, glove, mittens, sleeves, cuffs, socks, stockings,
 thighhighs, kneehighs, pantyhose, tights, leggings, legwear, boots, shoes, sneakers, sandals, heels,
 footwear, glasses, eyewear, sunglasses, goggles, mask, eyepatch, hairband, headband, hairclip,
 hairpin, ornament, headphones, belt, sash, bag, backpack, handbag, buttons, clothes, clothing,
 costume, outfit, trim, frills, lace, neckerchief, neckwear, neckline, overalls, jumpsuit, tuxedo,
 gown, shawl, poncho, sarong, bandana, corset, garter, camisole, parka, raincoat, tunic, plaid`,
);

const EXPRESSIONS = words(`smile, light smile, smiling, grin, smirk, smug, laughing, happy, joyful,
 sad, crying, tears, teary-eyed, angry, annoyed, frown, pout, scowl, surprised, shocked, scared,
 nervous, worried, embarrassed, shy, blush, light blush, full-face blush, flustered, expressionless,
 serious, bored, sleepy, tired, confused, disgust, determined, excited, drunk, crazy, evil smile,
 seductive smile, open mouth, closed mouth, parted lips, closed eyes, half-closed eyes, one eye closed,
 wink, tongue out, tongue, wide-eyed, jitome, tsurime, tareme, sweat, sweatdrop, anger vein, ahegao,
 drooling, clenched teeth, v-shaped eyebrows, furrowed brow, raised eyebrows, wavy mouth, cat mouth,
 chestnut mouth, triangle mouth, no mouth, gloom, nose blush, winking, cheerful smile`);
const EMOTICON =
  /^(?:>?[:;=x]-?['`]?[)(dop3|<>/\\c]|[>^=o0u;@+x-] ?[_ ]? ?[<^=o0u;@+x-]|\\[om]\/|xd)$/;

const ACTIONS = words(`standing, sitting, kneeling, lying, on back, on stomach, on side, squatting,
 crouching, jumping, running, walking, flying, floating, falling, dancing, singing, sleeping, eating,
 drinking, reading, writing, cooking, fighting, swimming, stretching, leaning, leaning forward,
 leaning back, bent over, arms up, arm up, hand up, hands up, arms behind back, arms behind head,
 hands on hips, hand on hip, hand on own hip, crossed arms, crossed legs, outstretched arm,
 outstretched arms, outstretched hand, spread arms, waving, pointing, peace sign, v, double v,
 thumbs up, salute, praying, own hands together, hand on own chest, hand on own cheek, head rest,
 head tilt, looking at viewer, looking back, looking away, looking down, looking up, looking to the side,
 looking at another, eye contact, profile, from behind pose, hug, hugging, kiss, kissing, holding hands,
 carrying, princess carry, piggyback, wariza, seiza, indian style, all fours, fetal position,
 contrapposto, fighting stance, knees up, leg up, standing on one leg, dynamic pose, pose, cheering,
 finger to mouth, shushing, heart hands, clenched hand, clenched hands, paw pose, hair flip,
 adjusting eyewear, adjusting hair, playing games, playing instrument, selfie, reaching towards viewer`);
const ACTION_START =
  /^(?:holding|looking|hand on|hands on|hand in|hands in|arm around|playing|riding|carrying|wielding|reaching|pointing|sitting|standing|lying|leaning|hugging|adjusting|aiming|pouring|wearing|pulling|grabbing|covering|touching)(?: |$)/;

const POSITIONS = words(`left, right, center, centre, middle, center left, center right, far left,
 far right, on left, on right, on the left, on the right, at left, at right, to the left, to the right,
 left of frame, right of frame, in the center, in the middle, foreground, background left, background right,
 left side, right side, in front, behind`);

const COUNT =
  /^(?:\d+\+?(?:girl|boy|other)s?|solo|solo focus|multiple (?:girls|boys|others)|couple|duo|trio|group|everyone|no humans|male focus|female focus)$/;

const QUALITY = words(`masterpiece, best quality, high quality, great quality, good quality,
 normal quality, amazing quality, very aesthetic, aesthetic, absurdres, highres, high resolution,
 ultra-detailed, highly detailed, extremely detailed, detailed, intricate details, very detailed,
 hi res, 4k, 8k, hdr, uhd, newest, recent, latest, official art, professional, sharp focus,
 beautiful, perfect, incredibly absurdres, ultra high res, best shadow, wallpaper`);
const STYLE = words(`anime style, anime, anime screencap, anime coloring, flat color, flat colors,
 pastel colors, watercolor, watercolor (medium), monochrome, greyscale, sketch, lineart, line art,
 oil painting (medium), painting (medium), painting, traditional media, digital art, digital media,
 cel shading, cel shaded, pixel art, 3d, realistic, photorealistic, semi-realistic, impressionism,
 ukiyo-e, retro artstyle, 1980s (style), 1990s (style), 1990s style, chibi style, comic, manga, 4koma,
 limited palette, spot color, high contrast, low contrast, muted color, vivid colors, colorful,
 partially colored, minimalist, soft colors, game cg, concept art, illustration, cover, poster, fanart,
 ink, pencil, marker (medium), colored pencil (medium), graphite (medium), art nouveau, surreal, sepia`);
const STYLE_ENDING = endingIn(
  "style, artstyle, \\(style\\), \\(medium\\), coloring, theme, palette",
);
const PLACES = words(
  `outdoors, indoors, sky, blue sky, night sky, cloudy sky, starry sky, orange sky,
 cloud, clouds, day, night, sunset, sunrise, evening, morning, dusk, dawn, twilight, rain, snow,
 snowing, beach, ocean, sea, lake, river, water, waterfall, underwater, forest, tree, trees, pine tree,
 bamboo forest, grass, field, flower field, meadow, hill, mountain, mountains, desert, cave, garden,
 park, city, cityscape, town, village, street, alley, road, bridge, building, buildings, skyscraper,
 castle, ruins, temple, shrine, church, torii, house, room, bedroom, classroom, school, kitchen, bathroom,
 library, cafe, restaurant, shop, train, train station, train interior, office, stage, stairs, rooftop,
 balcony, window, curtains, wooden floor, tatami, spring (season), summer, autumn, winter, spring,
 cherry blossoms, falling leaves, autumn leaves, falling petals, moon, full moon, crescent moon, sun,
 star (sky), stars, space, planet, galaxy, aurora, fireworks, festival, scenery, landscape, nature,
 horizon, fog, sand, pool, onsen, battlefield, fantasy, east asian architecture, simple background,
 gradient background, abstract background, transparent background, fire, lightning, wind, crescent, woods`,
);
const PLACE_ENDING = endingIn(
  "background, sky, interior, season, scenery, landscape, architecture",
);
const ATMOSPHERE = words(`cheerful, calm, bright, dreamy, mysterious, nostalgic, romantic, peaceful,
 energetic, quiet, cozy, dark, gloomy, melancholic, melancholy, epic, dramatic, horror, eerie, serene,
 whimsical, warm, cold, tense, lonely, ethereal, magical, festive, playful`);
const LIGHT = words(`backlighting, rim lighting, sunlight, moonlight, sunbeam, light rays, god rays,
 lens flare, dappled sunlight, shadow, shade, silhouette, bloom, glowing, light particles, bokeh,
 chromatic aberration, candlelight, neon lights, cinematic lighting, volumetric lighting, lantern`);
const LIGHT_ENDING = endingIn("lighting, light, lights, sunlight, shadow, shadows, glow");
const VIEWS = words(
  `full body, upper body, lower body, cowboy shot, portrait, close-up, bust, wide shot,
 very wide shot, from above, from below, from side, from behind, from outside, dutch angle, pov,
 fisheye, perspective, foreshortening, depth of field, blurry, blurry background, blurry foreground,
 straight-on, facing viewer, facing away, multiple views, split screen, panorama, vanishing point,
 head out of frame, feet out of frame, out of frame, upside-down, isometric, symmetry, rotated`,
);
const OBJECTS = words(
  `book, flower, flowers, rose, sunflower, lily (flower), bouquet, heart, hearts,
 bubble, bubbles, musical note, umbrella, parasol, sword, katana, gun, rifle, bow (weapon), arrow, staff,
 wand, spear, shield, knife, dagger, scythe, fan, folding fan, phone, smartphone, cellphone, camera,
 laptop, cup, mug, teacup, glass, bottle, food, fruit, apple, cake, ice cream, candy, lollipop, chair,
 table, desk, bed, couch, sofa, pillow, balloon, ball, guitar, piano, violin, microphone, instrument,
 car, bicycle, motorcycle, boat, ship, airplane, cat, dog, bird, butterfly, fish, rabbit, fox, horse,
 dragon, animal, stuffed toy, stuffed animal, teddy bear, doll, gift, box, lamp, candle, clock, mirror,
 key, letter, paper, pen, pencil case, feather, feathers, leaf, petals, crystal, gem, chain, rope, flag`,
);
const OTHER = words(
  `sparkle, sparkles, signature, watermark, artist name, dated, text, english text,
 speech bubble, border, white border, dutch, crossover, cosplay, alternate costume, alternate hairstyle,
 official alternate costume, virtual youtuber, original, absurd, motion lines, motion blur, blood,
 spoken heart, film grain, letterboxed, patterned, no text, censored, uncensored, nsfw, sfw, safe,
 general, sensitive, questionable, explicit, rating safe`,
);

/** Where a tag belongs, or undefined where its form says nothing. The tag is in lower case, with spaces. */
export function formOf(tag: string): TagForm | undefined {
  if (COUNT.test(tag)) return { element: /^1(?:girl|boy|other)$/.test(tag) ? "gender" : "count" };
  if (LENGTHS.has(tag)) return { element: "appearance", slot: "hair length" };
  if (new RegExp(`^(?:${COLORS}) hair$`).test(tag)) {
    return { element: "appearance", slot: "hair color" };
  }
  if (new RegExp(`^(?:${COLORS}) eyes$`).test(tag)) {
    return { element: "appearance", slot: "eye color" };
  }
  if (
    /^(?:dark|pale|tan|tanned|fair|light|white|brown|blue|green|red) skin$|^tan(?:ned)?$/.test(tag)
  ) {
    return { element: "appearance", slot: "skin" };
  }
  if (POSITIONS.has(tag)) return { element: "position" };
  if (EXPRESSIONS.has(tag) || EMOTICON.test(tag)) return { element: "expression" };
  if (QUALITY.has(tag) || /^score \d|^year \d{4}$|^\d{3,4}p$|(?:quality|aesthetic)$/.test(tag)) {
    return { element: "quality" };
  }
  if (STYLE.has(tag) || STYLE_ENDING.test(tag)) return { element: "style" };
  if (/^(?:by |artist: ?|art by )\S|^@\S/.test(tag)) return { element: "artist" };
  if (VIEWS.has(tag)) return { element: "perspective" };
  if (OTHER.has(tag) || /^rating:/.test(tag)) return { element: "other" };
  if (CLOTHES.has(tag)) return { element: "clothing" };
  if (HAIR.has(tag) || BODY.has(tag)) return { element: "appearance" };
  if (ACTIONS.has(tag) || ACTION_START.test(tag)) return { element: "action" };
  if (PLACES.has(tag) || PLACE_ENDING.test(tag)) return { element: "background" };
  if (ATMOSPHERE.has(tag)) return { element: "atmosphere" };
  if (LIGHT.has(tag) || LIGHT_ENDING.test(tag)) return { element: "lighting" };
  if (OBJECTS.has(tag)) return { element: "objects" };
  if (CLOTHES_ENDING.test(tag)) return { element: "clothing" };
  if (BODY_ENDING.test(tag)) return { element: "appearance" };
  return undefined;
}
