"""Trains the demo's adapters (LoRA), beside the published weights, and writes them in PEFT's format.

From: models/demo; pictures that it has drawn first, with render_dataset.py.
Run:  python training/train_adapters.py --data FOLDER
Writes models/demo/loras/<name>/adapter_config.json and adapter_model.safetensors.

A style changes every picture, the empty prompt's too. A character changes only pictures whose prompts
have her name: all else is to stay what it was, which the published weights say themselves, for the
usual training pictures. The guidance that suits the demo suits its adapters as well: `train_diffusion`'s
softening, with SHARE of the velocity's difference from the empty prompt's.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from adapters import ADAPTERS, NAME
from captions import DEMO
from configs import sizes
from import_run import weights
from networks import TinyAutoencoder
from runs import autocast, pick_device
from safetensors.torch import save_file
from torch import nn
from train_diffusion import BATCH, EMPTY_PROMPTS, Draws, Gradients, Library
from train_diffusion import importance, mixture, published

SEED = 17
RANK, ALPHA = 8, 8
# Of the layers that see text and picture together, and of the one before that sees the picture alone.
MODULES = ("attention.qkv", "attention.out", "feed_forward.w2")
BLOCKS = ("layers.", "noise_refiner.")
PICTURES = 12288
RATE, WARM_UP = 2e-3, 50
# How much of what a prompt adds the published weights have, by the training that softened guidance.
SHARE = 0.675
EMA = 0.99
LOG_STEPS = 100
# The shards of pictures as they usually are, which no other stage used.
USUAL_FIRST = 60000


class Thin(nn.Module):
    """Two thin matrices beside a linear layer: x · Aᵀ · Bᵀ · ALPHA / RANK."""

    def __init__(self, layer):
        super().__init__()
        self.lora_A = nn.Linear(layer.in_features, RANK, bias=False)
        self.lora_B = nn.Linear(RANK, layer.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return self.lora_B(self.lora_A(x)) * (ALPHA / RANK)


class Adapter(nn.Module):
    """The thin matrices of all adapted modules, under their names; `weight` 0 is as if there were none."""

    def __init__(self, network):
        super().__init__()
        self.weight, self.thin, self.names = 1.0, nn.ModuleList(), []
        for name, module in network.named_modules():
            if name.startswith(BLOCKS) and name.endswith(MODULES):
                thin = Thin(module)
                self.names.append(name)
                self.thin.append(thin)
                module.register_forward_hook(self.hook(thin))

    def hook(self, thin):
        def add(_module, inputs, output):
            return output + self.weight * thin(inputs[0]) if self.weight else output

        return add

    def tensors(self):
        """By PEFT's names."""
        return {
            f"base_model.model.{name}.{side}.weight": getattr(thin, side).weight
            for name, thin in zip(self.names, self.thin)
            for side in ("lora_A", "lora_B")
        }


def write(folder, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": "models/demo/next-dit",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "r": RANK,
        "target_modules": list(MODULES),
        "exclude_modules": "context_refiner.*",
        "use_rslora": False,
        "use_dora": False,
    }
    text = json.dumps(config, indent=2) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    halves = {name: value.to(torch.bfloat16).contiguous().cpu() for name, value in tensors.items()}
    save_file(halves, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    size = (folder / "adapter_model.safetensors").stat().st_size
    print(f"{folder.name}: {size / 1e3:.0f} kB", flush=True)


class AdapterGradients(Gradients):
    """Of batches of the adapter's own pictures, or, `keeps`, of usual ones that are to stay."""

    def __init__(self, painter, adapter, gradients, lock, device, empty_texts, keeps):
        super().__init__(painter, gradients, lock, device)
        self.adapter, self.empty_texts, self.keeps = adapter, empty_texts, keeps

    def work(self, batch):
        torch._foreach_zero_(self.gradients)
        latents, texts, t, noise = batch.latents, batch.texts(), batch.t, batch.noise
        mixed = mixture(latents, t, noise)
        right = self.before(mixed, t, texts) if self.keeps else self.own(batch, mixed)
        with autocast(self.device):
            velocity = self.painter.velocity(mixed, t, self.painter.encode(*texts))
        weights = importance(batch.marks, *latents.shape[2:])
        loss = ((velocity.float() - right).square() * weights).mean() / weights.mean()
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def before(self, mixed, t, texts):
        """What the published weights say."""
        self.adapter.weight = 0.0
        with autocast(self.device):
            velocity = self.painter.velocity(mixed, t, self.painter.encode(*texts)).float()
        self.adapter.weight = 1.0
        return velocity

    @torch.no_grad()
    def own(self, batch, mixed):
        """The pictures' velocity, softened where there is a prompt."""
        texts = self.empty_texts(len(batch.t))
        with autocast(self.device):
            empty = self.painter.velocity(mixed, batch.t, self.painter.encode(*texts)).float()
        says_nothing = (batch.lengths[:, 0] <= 1).float()[:, None, None, None]
        share = SHARE + (1 - SHARE) * says_nothing
        return empty + share * (batch.latents - batch.noise - empty)


def render(folder, adapter, count, first):
    command = [sys.executable, str(Path(__file__).with_name("render_dataset.py")), "--out", str(folder)]
    command += ["--count", str(count), "--first", str(first)]
    subprocess.run(command + (["--adapter", adapter] if adapter else []), check=True)


def train(name, own, usual, options, device):
    torch.manual_seed(SEED)
    painter = published(sizes(), device)
    adapter = Adapter(painter.next_dit).to(device)
    parameters = list(adapter.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer = torch.optim.AdamW(parameters, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01)
    averaged = [value.detach().clone() for value in parameters]
    gradients = [value.grad for value in parameters]
    is_style = name != NAME
    kinds = [(own, 0.2 if is_style else 0.0, False)]
    if not is_style:
        kinds.append((usual, EMPTY_PROMPTS, True))
    draws = [iter(Draws(one, options.batch, SEED, empty)) for one, empty, _ in kinds]
    works = [
        AdapterGradients(painter, adapter, gradients, one.lock, device, one.empty_texts, keeps)
        for one, _, keeps in kinds
    ]
    losses, start = [[] for _ in kinds], time.monotonic()
    for step in range(options.steps):
        # Two steps for her, one for all that is to stay.
        kind = (step % 3 == 2) * (len(kinds) - 1)
        losses[kind].append(works[kind](kinds[kind][0].batch(*next(draws[kind]))))
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP, 1.4 * (1 - step / options.steps))
        optimizer.step()
        torch._foreach_lerp_(averaged, [p.data for p in parameters], 1 - min(EMA, step / (step + 10)))
        if (step + 1) % LOG_STEPS == 0:
            means = [torch.stack(one).mean().item() for one in losses if one]
            print(name, step + 1, *(f"{m:.4f}" for m in means), f"{time.monotonic() - start:.0f} s", flush=True)
            losses = [[] for _ in kinds]
    for parameter, value in zip(parameters, averaged):
        parameter.data.copy_(value)
    write(options.out / name, adapter.tensors())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="where to draw pictures")
    parser.add_argument("--out", type=Path, default=DEMO / "loras")
    parser.add_argument("--only", choices=ADAPTERS)
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of each adapter")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=BATCH // 2)
    options = parser.parse_args()
    names = [options.only] if options.only else ADAPTERS
    for first, name in enumerate(ADAPTERS):
        if name in names:
            render(options.data / name, name, options.pictures, 20000 * first)
    if NAME in names:
        render(options.data / "usual", None, options.pictures, USUAL_FIRST)
    device = pick_device()
    if device.type == "cuda":  # CUDA graphs cannot be recorded on the first stream
        torch.cuda.set_stream(torch.cuda.Stream())
    autoencoder = TinyAutoencoder(sizes()["tiny"])
    autoencoder.load_state_dict(weights(DEMO / "vae" / "model.safetensors"))
    autoencoder.to(device, memory_format=torch.channels_last).requires_grad_(False)

    def library(folder):
        shelf = Library(options.data / folder, autoencoder, device)
        shelf.grow(sys.maxsize)
        return shelf

    for name in names:
        usual = library("usual") if name == NAME else None
        train(name, library(name), usual, options, device)


if __name__ == "__main__":
    main()
