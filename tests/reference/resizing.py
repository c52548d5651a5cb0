"""Makes tests/fixtures/image/lanczos.json: pictures that Pillow resized.

From: Pillow's `Image.resize(size, Image.Resampling.LANCZOS)`.
Run:  python tests/reference/resizing.py
"""

import json
import random

from PIL import Image

from _shared import FIXTURES

SIZES = [((7, 5), (12, 9)), ((16, 9), (5, 4)), ((6, 6), (6, 11)), ((1, 1), (3, 2)), ((20, 3), (7, 3))]

if __name__ == "__main__":
    dice = random.Random(71)
    cases = []
    for before, after in SIZES:
        data = bytes(dice.choice([0, 255, dice.randrange(256)]) for _ in range(3 * before[0] * before[1]))
        resized = Image.frombytes("RGB", before, data).resize(after, Image.Resampling.LANCZOS)
        cases.append({"from": before, "to": after, "data": list(data), "resized": list(resized.tobytes())})
    path = FIXTURES / "image" / "lanczos.json"
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
