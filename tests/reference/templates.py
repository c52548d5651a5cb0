"""Makes tests/fixtures/templates/combinations.json: what the Python package dynamicprompts makes of
templates, one after the other, with the wildcards in tests/fixtures/templates/wildcards.

Run from the repository's root:

    python tests/reference/templates.py

Versions: requirements.txt beside this file.
"""

import itertools
import json
import logging
from pathlib import Path

from dynamicprompts.generators import CombinatorialPromptGenerator
from dynamicprompts.wildcards import WildcardManager

FIXTURES = Path("tests/fixtures/templates")
MOST = 60

TEMPLATES = """
a {b|c} d
{ red | green } x
{2$$a|b|c}
{2$$ and $$a|b|c}
{1-2$$a|b|c}
{-2$$a|b}
{0-1$$a|b}
{0$$a|b}
{2-$$a|b|c}
{3-1$$a|b|c}
{4$$a|b|c}
{0.5::a|2::b| c}
{.5::a|1.::b}
{a||b}
{a|}
{}
{|}
x {a|{b|c}} y
{a|b}{a|b}
{2$$a|a|b}
{{a|b}|{c|d}} {e|f}
{2$${a|b}|c}
a {b|c}, {d|e}.
{1-3$$, $$a|b}
{2$$ | $$a|b}
{2$$, $$a|}
{3$$, $$a||b}
{2$$, $$, a|b}
{2$$a,|b}
x{0.5:: a|2::b }y
{ {a|b} c | d }
<n>{miku|rin}</n>
1girl, {red|blue}_hair, smile
__colour__ eyes
{2$$__colour__}
{2$$ and $$__colour__}
{__colour__}
{__colour__|black}
{2$$__colour__|x}
__pattern__
{2$$__pattern__}
__clothing__
__artists/finnish__
__artists/*__
__artists/**__
__artists/alone__
__sub/weather*__
__weather-cold__
__sub/animals/small__
__sub/big__
__numbers__
__sub/weather-[cw]*__
__weather-????__
__season__
__season(season=winter)__
${season=winter}__season__
${season={a|b}}__season__
${s={a|b}}${s} ${s}
${s=red} ${s}, ${s}
${s:q} z
${s:{a|b}} z
${s?=a}${s}
${x={a|b}}{${x}|c}
${x=__colour__}${x}
%{x ... y$$in{1|2}}
%{a {big|small} ... house$$red}
%{before…after$$x}
__drink__ and __drink__
{@a|b} {c|d|e}
{c|d|e|f} {@a|b}
__@drink__ {1|2|3}
__${kind:colour}__
${kind=drink}__${kind}__
__co${x:lour}__
""".strip().split("\n")


def main() -> None:
    logging.disable(logging.CRITICAL)
    wildcards = WildcardManager(FIXTURES / "wildcards")
    made = {}
    for template in TEMPLATES:
        generator = CombinatorialPromptGenerator(wildcards)
        made[template] = [str(prompt) for prompt in itertools.islice(generator.generate(template, MOST), MOST)]
    (FIXTURES / "combinations.json").write_text(
        json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
