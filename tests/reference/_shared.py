"""What the reference scripts have in common: weights drawn from a seed, a check that each of them
matters, and the form in which a case is stored. Not run by itself."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"

# A tensor that moves the output by less than this (relative norm, when half of the tensor's own
# spread is added to it at random) would leave a path of the architecture untested.
LEAST_INFLUENCE = 2e-4


def generator(seed):
    return torch.Generator(device="cpu").manual_seed(seed)


def normal(gen, shape, spread=1.0, centre=0.0):
    return centre + spread * torch.randn(shape, generator=gen)


def draw_weights(shapes, seed, centre_and_spread):
    """Draws a value for every name of `shapes`, in the order of the names.

    `centre_and_spread(name, shape)` says around what and how widely.
    """
    gen = generator(seed)
    weights = {}
    for name in sorted(shapes):
        centre, spread = centre_and_spread(name, shapes[name])
        weights[name] = normal(gen, tuple(shapes[name]), spread, centre)
    return weights


def shapes_of(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def fan_in(shape):
    inputs = 1
    for extent in shape[1:]:
        inputs *= extent
    return inputs


def relative(out, expected):
    return ((out - expected).norm() / expected.norm()).item()


def check_every_weight_matters(weights, run, unused=(), cancelling=()):
    """Moves one tensor after another and demands that the output of `run(weights)` follows.

    `unused` are beginnings of names that the architecture is known to ignore; those must not move
    the output at all. `cancelling` are ends of names that the mathematics cancels, such as the bias
    of keys without positions: they are not looked at.
    """
    before = run(weights)
    assert torch.isfinite(before).all(), "the reference's output is not finite"
    gen = generator(1)
    for name, value in weights.items():
        if name.endswith(tuple(cancelling)):
            continue
        noise = torch.randn(value.shape, generator=gen).to(value.dtype)
        spread = value.float().std().item() if value.numel() > 1 else value.abs().item()
        moved = {**weights, name: value + 0.5 * spread * noise}
        influence = relative(run(moved), before)
        if name.startswith(tuple(unused)):
            assert influence == 0, f"{name} was thought unused but moves the output by {influence}"
        else:
            assert influence > LEAST_INFLUENCE, f"{name} moves the output by only {influence}"


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tensors(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: t.detach().contiguous() for name, t in tensors.items()}, path)
    path.chmod(0o644)  # safetensors leaves its files to their owner alone


def write_case(folder, config, weights, tensors, facts):
    """Writes `config.json` and `model.safetensors` as a checkpoint would have them, and beside them
    `io.safetensors` (float32 inputs and expected outputs) with `io.json` saying what they are."""
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", weights)
    write_tensors(folder / "io.safetensors", {k: t.float() for k, t in tensors.items()})
    write_json(folder / "io.json", facts)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.relative_to(FIXTURES)}: {size / 1024:.0f} KiB")
