"""Makes tests/fixtures/image: PNGs written by Pillow with their pixels, and bytes by diffusers.

- `pillow_*.png` and `pillow.json`: small pictures in several modes, with texts in all three of PNG's
  forms; the pixels are Pillow's own conversion to RGB.
- `vae_image_processor.json`: float32 values and the bytes that diffusers' VaeImageProcessor makes of
  them, among them values that fall exactly between two bytes.

Run from the repository's root:

    python tests/reference/pictures.py

With a path, it reads that PNG instead and prints its size, the SHA-256 of its pixels, and its texts,
to see that Pillow understands what the toolkit writes:

    python tests/reference/pictures.py success_output.png

Versions: requirements.txt beside this file.
"""

import argparse
import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image, PngImagePlugin

OUT = Path("tests/fixtures/image")
SEED = 11
MODES = ("RGB", "RGBA", "L", "LA", "P")
WIDTH, HEIGHT = 13, 7

TEXTS = {"plain": "1girl, blue_hair\nlove & peace", "latin": "café ÿ", "unicode": "初音ミク 👩‍👩‍👧 ♪"}


def picture() -> Image.Image:
    """Gradients and noise, so that Pillow uses several of PNG's filters."""
    rng = np.random.default_rng(SEED)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([rows * 30, columns * 19, (rows + columns) * 12, 255 - rows * 20], axis=-1)
    pixels[2] = rng.integers(0, 256, size=(WIDTH, 4))
    return Image.fromarray(pixels.astype(np.uint8), "RGBA")


def texts() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("plain", TEXTS["plain"])
    info.add_text("latin", TEXTS["latin"], zip=True)
    info.add_itxt("unicode", TEXTS["unicode"], lang="ja", tkey="題")
    info.add_itxt("unicode, zipped", TEXTS["unicode"], zip=True)
    return info


def write_pictures() -> None:
    expected = {"texts": TEXTS | {"unicode, zipped": TEXTS["unicode"]}, "pixels": {}}
    for mode in MODES:
        # A palette must come of a picture without alpha.
        image = picture().convert("RGB").quantize(16) if mode == "P" else picture().convert(mode)
        image.save(OUT / f"pillow_{mode.lower()}.png", pnginfo=texts())
        pixels = image.convert("RGB").tobytes()
        expected["pixels"][mode.lower()] = base64.b64encode(pixels).decode()
    expected |= {"width": WIDTH, "height": HEIGHT}
    (OUT / "pillow.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


def ties() -> list[float]:
    """float32 values that the processor puts exactly between two bytes."""
    candidates = torch.linspace(-1, 1, 2_000_001)
    scaled = (candidates * 0.5 + 0.5).clamp(0, 1).numpy() * 255
    found = candidates[torch.from_numpy(scaled % 1 == 0.5)].tolist()
    return found[:: max(1, len(found) // 64)]


def write_bytes() -> None:
    generator = torch.Generator().manual_seed(SEED)
    values = [
        *ties(),
        *(torch.randn(256, generator=generator) * 0.8).tolist(),
        *[-1.0, 0.0, 1.0, -7.5, 9.0, float("-inf"), float("inf"), 1e-40, -1e-9],
    ]
    values += [0.0] * (-len(values) % 6)
    # Two pictures of one row.
    tensor = torch.tensor(values).reshape(2, 3, 1, -1)
    images = VaeImageProcessor().postprocess(tensor, output_type="pil")
    fixture = {
        "values": [str(value) for value in values],
        "dims": list(tensor.shape),
        "pixels": [list(image.tobytes()) for image in images],
    }
    (OUT / "vae_image_processor.json").write_text(json.dumps(fixture) + "\n", encoding="utf-8")


def describe(path: str) -> None:
    image = Image.open(path)
    image.load()
    digest = hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
    print(json.dumps({"mode": image.mode, "size": image.size, "sha256": digest, "text": image.text}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("png", nargs="?")
    arguments = parser.parse_args()
    if arguments.png:
        describe(arguments.png)
        return
    OUT.mkdir(parents=True, exist_ok=True)
    write_pictures()
    write_bytes()


if __name__ == "__main__":
    main()
