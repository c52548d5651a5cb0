"""Makes tests/fixtures/upscaler: small networks that enlarge pictures, with what PyTorch makes of them.

From: spandrel (chaiNNer's and ComfyUI's loader of such networks), which finds the network from the names
      and shapes of its tensors, as users' files have them.
Run:  python tests/reference/upscalers.py

io.safetensors has `run0.image` [1, 3, H, W] in 0…1 and `run0.enlarged`.
"""

import shutil

import spandrel
import torch
from spandrel.architectures.ESRGAN.__arch import RRDB

from _shared import FIXTURES, check_every_weight_matters, draw_weights, fan_in, generator, write_json, write_tensors

BLOCK = RRDB.B.RRDB

CASES = {
    "rrdb_x4": {"seed": 601, "features": 8, "growth": 4, "blocks": 2, "fold": 1},
    "rrdb_x2": {"seed": 602, "features": 6, "growth": 3, "blocks": 1, "fold": 2, "prefix": "params_ema."},
    "srvgg_x4": {"seed": 603, "features": 8, "layers": 3, "scale": 4},
    "srvgg_x2_bf16": {"seed": 604, "features": 6, "layers": 2, "scale": 2, "prefix": "params.", "bf16": True},
    # Names of ESRGAN's authors.
    "rrdb_esrgan_x4": {"seed": 605, "features": 6, "growth": 4, "blocks": 1, "fold": 1, "bf16": True, "names": "esrgan"},
    # Names of the trainers from before, with which the number of enlargements varies.
    "rrdb_old_x4": {"seed": 606, "features": 6, "growth": 4, "blocks": 2, "fold": 1, "bf16": True, "names": "old"},
    "rrdb_old_x2": {"seed": 607, "features": 6, "growth": 4, "blocks": 1, "fold": 1, "bf16": True, "names": "old", "ups": 1},
    "rrdb_old_x1": {"seed": 608, "features": 6, "growth": 4, "blocks": 1, "fold": 1, "bf16": True, "names": "old", "ups": 0},
    "rrdb_old_x8": {"seed": 609, "features": 6, "growth": 4, "blocks": 1, "fold": 1, "bf16": True, "names": "old", "ups": 3},
    "rrdb_old_folded_x2": {"seed": 610, "features": 6, "growth": 4, "blocks": 1, "fold": 2, "bf16": True, "names": "old"},
    # A file that has the weights and their average: the average counts.
    "rrdb_average_x1": {"seed": 611, "features": 6, "growth": 4, "blocks": 1, "fold": 4, "bf16": True, "prefix": "params_ema.", "beside": "params."},
}


def names_of(case):
    """How a layer is called: by its place, for `blocks` blocks and `ups` enlargements."""
    style = case.get("names", "basicsr")
    blocks, ups = case["blocks"], case.get("ups", 2)
    if style == "basicsr":
        return {"first": "conv_first", "dense": "body.{}.rdb{}.conv{}", "body": "conv_body", "up": "conv_up{}", "hr": "conv_hr", "last": "conv_last"}
    if style == "esrgan":
        return {"first": "conv_first", "dense": "RRDB_trunk.{}.RDB{}.conv{}", "body": "trunk_conv", "up": "upconv{}", "hr": "HRconv", "last": "conv_last"}
    # A list: first, blocks, (enlarging, convolution, activation) each time, convolution, activation, last.
    at = 2 + 3 * ups
    return {
        "first": "model.0",
        "dense": "model.1.sub.{}.RDB{}.conv{}.0",
        "body": f"model.1.sub.{blocks}",
        "up": ["", *(f"model.{2 + 3 * i + 1}" for i in range(ups))],
        "hr": f"model.{at}",
        "last": f"model.{at + 2}",
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
    g, names = case["growth"], names_of(case)
    conv(names["first"], 3 * case["fold"] ** 2, n)
    for block in range(case["blocks"]):
        for rdb in (1, 2, 3):
            for i in range(1, 6):
                conv(names["dense"].format(block, rdb, i), n + (i - 1) * g, n if i == 5 else g)
    for i in range(1, case.get("ups", 2) + 1):
        conv(names["up"][i] if isinstance(names["up"], list) else names["up"].format(i), n, n)
    conv(names["body"], n, n)
    conv(names["hr"], n, n)
    conv(names["last"], n, 3)
    return shapes


def centre_and_spread(name, shape):
    if name.endswith(".bias"):
        return 0.0, 0.2
    if len(shape) == 1:
        return 0.2, 0.2  # slopes
    return 0.0, 1.5 / fan_in(shape) ** 0.5


def load(weights):
    """The network as spandrel finds it in a file of these tensors."""
    # It takes the width by which dense blocks grow for granted; small networks have a smaller one.
    convolutions = [value for name, value in weights.items() if name.endswith(("rdb1.conv1.weight", "RDB1.conv1.weight", "RDB1.conv1.0.weight"))]
    growth = {"gc": convolutions[0].shape[0]} if convolutions else {}
    RRDB.B.RRDB = lambda **options: BLOCK(**(options | growth))
    descriptor = spandrel.ModelLoader().load_from_state_dict({name: value.float() for name, value in weights.items()})
    assert descriptor.input_channels == descriptor.output_channels == 3
    return descriptor


@torch.no_grad()
def run(weights, image):
    return load(weights).model.float()(image)


if __name__ == "__main__":
    for name, case in CASES.items():
        weights = draw_weights(shapes_of(case), case["seed"], centre_and_spread)
        if case.get("bf16"):
            weights = {key: value.bfloat16() for key, value in weights.items()}
        image = torch.rand((1, 3, 16, 20), generator=generator(case["seed"] + 1000))
        enlarged = run(weights, image)
        check_every_weight_matters(weights, lambda changed: run(weights | changed, image))
        folder = FIXTURES / "upscaler" / name
        shutil.rmtree(folder, ignore_errors=True)
        stored = {case.get("prefix", "") + key: value for key, value in weights.items()}
        if "beside" in case:
            stored |= {case["beside"] + key: value * 0.9 for key, value in weights.items()}
        write_tensors(folder / "model.safetensors", stored)
        write_tensors(folder / "io.safetensors", {"run0.image": image, "run0.enlarged": enlarged})
        facts = load(weights)
        kind = {"ESRGAN": "RRDBNet", "RealESRGAN Compact": "SRVGGNetCompact"}[facts.architecture.name]
        write_json(folder / "io.json", {"kind": kind, "scale": facts.scale})
        print(name, kind, facts.scale, float(enlarged.std()))
