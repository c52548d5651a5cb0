"""Makes tests/fixtures/upscaler: small networks that enlarge pictures, with what PyTorch makes of them.

From: the formulas of ESRGAN's residual-in-residual dense blocks (arXiv 1809.00219) and of Real-ESRGAN's
      compact network, written here with PyTorch's own operators, under the names of their weights.
Run:  python tests/reference/upscalers.py

io.safetensors has `run0.image` [1, 3, H, W] in 0…1 and `run0.enlarged`.
"""

import shutil

import torch
import torch.nn.functional as F

from _shared import FIXTURES, check_every_weight_matters, draw_weights, fan_in, generator, write_json, write_tensors

CASES = {
    "rrdb_x4": {"seed": 601, "features": 8, "growth": 4, "blocks": 2, "fold": 1},
    "rrdb_x2": {"seed": 602, "features": 6, "growth": 3, "blocks": 1, "fold": 2, "prefix": "params_ema."},
    "srvgg_x4": {"seed": 603, "features": 8, "layers": 3, "scale": 4},
    "srvgg_x2_bf16": {"seed": 604, "features": 6, "layers": 2, "scale": 2, "prefix": "params.", "bf16": True},
}


def shapes_of(case):
    shapes = {}

    def conv(name, inputs, outputs):
        shapes[f"{name}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"{name}.bias"] = (outputs,)

    n = case["features"]
    if "layers" in case:
        for layer in range(case["layers"] + 1):
            conv(f"body.{2 * layer}", 3 if layer == 0 else n, n)
            shapes[f"body.{2 * layer + 1}.weight"] = (n,)
        conv(f"body.{2 * case['layers'] + 2}", n, 3 * case["scale"] ** 2)
        return shapes
    g = case["growth"]
    conv("conv_first", 3 * case["fold"] ** 2, n)
    for block in range(case["blocks"]):
        for rdb in (1, 2, 3):
            for i in range(1, 6):
                conv(f"body.{block}.rdb{rdb}.conv{i}", n + (i - 1) * g, n if i == 5 else g)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        conv(name, n, n)
    conv("conv_last", n, 3)
    return shapes


def centre_and_spread(name, shape):
    if name.endswith(".bias"):
        return 0.0, 0.2
    if len(shape) == 1:
        return 0.2, 0.2  # slopes
    return 0.0, 1.5 / fan_in(shape) ** 0.5


def run(case, weights, image):
    def conv(x, name):
        return F.conv2d(x, weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float(), padding=1)

    if "layers" in case:
        x = image
        for layer in range(case["layers"] + 1):
            x = F.prelu(conv(x, f"body.{2 * layer}"), weights[f"body.{2 * layer + 1}.weight"].float())
        x = conv(x, f"body.{2 * case['layers'] + 2}")
        x = F.pixel_shuffle(x, case["scale"])
        return x + F.interpolate(image, scale_factor=case["scale"], mode="nearest")

    def lrelu(x):
        return F.leaky_relu(x, 0.2)

    x = image if case["fold"] == 1 else F.pixel_unshuffle(image, case["fold"])
    first = conv(x, "conv_first")
    body = first
    for block in range(case["blocks"]):
        before = body
        for rdb in (1, 2, 3):
            inner = [body]
            for i in range(1, 5):
                inner.append(lrelu(conv(torch.cat(inner, 1), f"body.{block}.rdb{rdb}.conv{i}")))
            body = conv(torch.cat(inner, 1), f"body.{block}.rdb{rdb}.conv5") * 0.2 + body
        body = body * 0.2 + before
    x = first + conv(body, "conv_body")
    for name in ("conv_up1", "conv_up2"):
        x = lrelu(conv(F.interpolate(x, scale_factor=2, mode="nearest"), name))
    return conv(lrelu(conv(x, "conv_hr")), "conv_last")


if __name__ == "__main__":
    for name, case in CASES.items():
        weights = draw_weights(shapes_of(case), case["seed"], centre_and_spread)
        if case.get("bf16"):
            weights = {key: value.bfloat16() for key, value in weights.items()}
        image = torch.rand((1, 3, 14, 22), generator=generator(case["seed"] + 1000))
        enlarged = run(case, weights, image)
        check_every_weight_matters(weights, lambda changed: run(case, weights | changed, image))
        folder = FIXTURES / "upscaler" / name
        shutil.rmtree(folder, ignore_errors=True)
        stored = {case.get("prefix", "") + key: value for key, value in weights.items()}
        write_tensors(folder / "model.safetensors", stored)
        write_tensors(folder / "io.safetensors", {"run0.image": image, "run0.enlarged": enlarged})
        scale = case.get("scale", 4 // case.get("fold", 1))
        write_json(folder / "io.json", {"kind": "SRVGGNetCompact" if "layers" in case else "RRDBNet", "scale": scale})
        print(name, float(enlarged.std()))
