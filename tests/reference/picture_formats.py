"""Makes tests/fixtures/image/formats: pictures of every kind that decodePicture reads.

- PNGs of each colour type, depth and order of rows, written here from the form that the PNG
  specification gives; their pixels are the ones that were put in, checked with Pillow.
- JPEG, WebP and AVIF by Pillow, in each EXIF orientation, with and without alpha; the pixels are
  Pillow's own after `ImageOps.exif_transpose`.
- Pictures with texts in EXIF as other programs write them: AUTOMATIC1111's web UI (piexif's
  UserComment), ComfyUI's WebP (Make and Model), and a UserComment in the other byte order.

Run from the repository's root, with Pillow, NumPy and piexif:

    python tests/reference/picture_formats.py

Versions: requirements.txt beside this file.
"""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import piexif
import piexif.helper
from PIL import Image, ImageOps

OUT = Path("tests/fixtures/image/formats")
WIDTH, HEIGHT = 19, 11
SEED = 5

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

expected: dict[str, dict] = {}


def record(name: str, rgb: np.ndarray, alpha: np.ndarray | None, tolerance: int = 0) -> None:
    expected[name] = {
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "rgb": base64.b64encode(rgb.astype(np.uint8).tobytes()).decode(),
        "tolerance": tolerance,
    }
    if alpha is not None:
        expected[name]["alpha"] = base64.b64encode(alpha.astype(np.uint8).tobytes()).decode()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples: np.ndarray, depth: int) -> bytes:
    """A row of samples as bytes, the first in the highest bits."""
    flat = samples.reshape(-1)
    if depth == 16:
        return flat.astype(">u2").tobytes()
    bits = np.unpackbits(flat.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:]
    return np.packbits(bits.reshape(-1)).tobytes()


def filtered(rows: list[bytes], pixel: int, first: int) -> bytes:
    """Each row with the next of PNG's five filters."""
    above = bytes(len(rows[0])) if rows else b""
    out = b""
    for number, row in enumerate(rows):
        kind = (number + first) % 5
        line = bytearray()
        for i, value in enumerate(row):
            a = row[i - pixel] if i >= pixel else 0
            b = above[i]
            c = above[i - pixel] if i >= pixel else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line.append((value - [0, a, b, (a + b) // 2, paeth][kind]) & 255)
        out += bytes([kind]) + bytes(line)
        above = row
    return out


def write_png(name: str, samples: np.ndarray, color: int, depth: int, interlaced: bool,
              between: bytes = b"") -> None:
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    pixel = max(1, CHANNELS[color] * depth // 8)
    data = b""
    for number, (x, y, dx, dy) in enumerate(passes):
        part = samples[y::dy, x::dx]
        if part.size == 0:
            continue
        data += filtered([packed(row, depth) for row in part], pixel, number)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, color, 0, 0, int(interlaced))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + between
    png += chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    (OUT / name).write_bytes(png)
    Image.open(io.BytesIO(png)).load()


def pngs() -> None:
    rng = np.random.default_rng(SEED)
    for color, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            most = 2**depth - 1
            channels = CHANNELS[color]
            samples = rng.integers(0, most + 1, size=(HEIGHT, WIDTH, channels))
            palette = rng.integers(0, 256, size=(2**min(depth, 8), 3))
            between = chunk(b"PLTE", palette.astype(np.uint8).tobytes()) if color == 3 else b""
            eight = np.floor(samples * 255 / most + 0.5)
            alpha = eight[..., -1] if color in (4, 6) else None
            if color == 3:
                rgb = palette[samples[..., 0]]
            elif channels < 3:
                rgb = np.repeat(eight[..., :1], 3, axis=-1)
            else:
                rgb = eight[..., :3]
            for interlaced in (False, True):
                name = f"type{color}_{depth}bit{'_interlaced' if interlaced else ''}.png"
                write_png(name, samples, color, depth, interlaced, between)
                record(name, rgb, alpha)
            if color in (0, 2, 3):
                clear = samples[3, 4]
                if color == 3:
                    alphas = rng.integers(0, 256, size=max(1, len(palette) // 2))
                    trns = chunk(b"tRNS", alphas.astype(np.uint8).tobytes())
                    alpha = np.append(alphas, np.full(256, 255))[samples[..., 0]]
                    # Only the first half has entries; np.append fills the rest.
                    alpha = np.where(samples[..., 0] < len(alphas), alpha, 255)
                else:
                    trns = chunk(b"tRNS", clear.astype(">u2").tobytes())
                    alpha = np.where((samples == clear).all(axis=-1), 0, 255)
                name = f"type{color}_{depth}bit_clear.png"
                write_png(name, samples, color, depth, False, between + trns)
                record(name, rgb, alpha)
    # Narrower than Adam7's passes: some of them are empty.
    for width, height in ((1, 1), (3, 2), (5, 1)):
        samples = rng.integers(0, 256, size=(height, width, 3))
        name = f"small_{width}x{height}_interlaced.png"
        write_png(name, samples, 2, 8, True)
        record(name, samples, None)


def smooth() -> Image.Image:
    """A picture that lossy formats hardly change, different in each corner."""
    rows, columns = np.mgrid[0:24, 0:32]
    pixels = np.stack([columns * 6 + 20, rows * 8 + 20, (columns + rows) * 4], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8), "RGB")


def oriented(number: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif.tobytes()


def pillow(name: str, image: Image.Image, tolerance: int = 3, **options) -> None:
    image.save(OUT / name, **options)
    seen = ImageOps.exif_transpose(Image.open(OUT / name))
    alpha = np.asarray(seen.convert("RGBA"))[..., 3] if seen.mode == "RGBA" else None
    record(name, np.asarray(seen.convert("RGB")), alpha, tolerance)


def others() -> None:
    base = smooth()
    for number in range(1, 9):
        pillow(f"orientation_{number}.jpg", base, quality=95, subsampling=0, exif=oriented(number))
    for number in (2, 5, 6, 8):
        pillow(f"orientation_{number}.webp", base, lossless=True, exif=oriented(number), tolerance=0)
        pillow(f"orientation_{number}.png", base, exif=oriented(number), tolerance=0)
    for number in range(1, 9):
        pillow(f"orientation_{number}.avif", base, quality=95, subsampling="4:4:4", exif=oriented(number))
    grey = base.convert("L")
    pillow("grey.jpg", grey, quality=95)
    pillow("progressive.jpg", base, quality=90, progressive=True, tolerance=6)
    pillow("subsampled.jpg", base, quality=90, subsampling=2, tolerance=8)
    pillow("lossy.webp", base, quality=95, tolerance=8)
    clear = base.copy()
    clear.putalpha(grey)
    pillow("clear.webp", clear, lossless=True, exact=True, tolerance=0)
    pillow("clear.avif", clear, quality=95, subsampling="4:4:4", tolerance=4)
    base.save(OUT / "animated.webp", save_all=True, append_images=[base.rotate(180)], lossless=True)
    Image.new("CMYK", (8, 8), (10, 200, 30, 40)).save(OUT / "cmyk.jpg")


PARAMETERS = (
    "1girl, 初音ミク, café\nNegative prompt: lowres\n"
    "Steps: 28, Sampler: Euler, CFG scale: 5.5, Seed: 1234567890, Size: 832x1216, Model: other"
)
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 7}}})


def texts() -> None:
    base = smooth()
    comment = piexif.helper.UserComment.dump(PARAMETERS, encoding="unicode")
    exif = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}})
    for ending in ("jpg", "webp", "avif"):
        base.save(OUT / f"a1111.{ending}", exif=exif)
    little = b"UNICODE\0" + PARAMETERS.encode("utf-16-le")
    base.save(OUT / "little.jpg", exif=piexif.dump({"Exif": {piexif.ExifIFD.UserComment: little}}))
    comfy = Image.Exif()
    comfy[0x0110] = "prompt:" + GRAPH
    comfy[0x010F] = "workflow:" + json.dumps({"nodes": []})
    base.save(OUT / "comfyui.webp", exif=comfy)
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">a &amp; b</rdf:li></rdf:Alt></dc:description>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    for ending in ("jpg", "webp", "avif"):
        base.save(OUT / f"xmp.{ending}", xmp=xmp.encode())


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    pngs()
    others()
    texts()
    expected_texts = {"parameters": PARAMETERS, "graph": GRAPH}
    (OUT / "expected.json").write_text(
        json.dumps({"pictures": expected, "texts": expected_texts}, ensure_ascii=False, indent=0) + "\n"
    )
