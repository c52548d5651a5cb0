"""Writes a run's networks as checkpoints in the formats of the real ones: bfloat16 safetensors and
config.json.

From: the run's folder (averaged weights of train_diffusion.py, the decoders of
      train_autoencoder.py), the tokenizers in models/demo.
Run:  python training/export.py --run FOLDER --out models/demo [--share 0.65]
Writes next-dit/, transformer/, clip_model/ and vae/ (AutoencoderTiny), and vae-kl/ (AutoencoderKL)
when it is trained; both with encoder and decoder. With --share the three networks go only so far of
the way from what models/demo has now to what the run has learned.
"""

import argparse
import json
from pathlib import Path

import torch
from captions import DEMO, TOKENIZER_FOLDERS, vocabulary_size
from configs import sizes
from import_run import networks_of
from safetensors.torch import save_file

MODEL_PREFIX = "model."


def write_model(folder, config, weights):
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    weights = {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    count = sum(value.numel() for value in weights.values())
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.name}: {count / 1e6:.2f} M parameters, {size / 1e6:.2f} MB")


def part(weights, prefix, replacement=""):
    return {
        replacement + name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DEMO)
    parser.add_argument("--share", type=float, default=1.0, help="of the way from models/demo")
    parser.add_argument("--toy", action="store_true")
    options = parser.parse_args()
    config = sizes(options.toy)
    vocabulary = {
        name: {"vocab_size": vocabulary_size(DEMO / folder)}
        for name, folder in TOKENIZER_FOLDERS.items()
    }

    def load(name):
        return torch.load(options.run / name, map_location="cpu", weights_only=False)

    state = load("diffusion.pt")
    print(f"after {state['step']} steps")
    averaged = state["averaged"]
    if options.share != 1:
        published = networks_of(DEMO)
        averaged = {
            name: published[name].lerp(value, options.share) for name, value in averaged.items()
        }
    write_model(options.out / "next-dit", config["diffusion"], part(averaged, "next_dit."))
    write_model(
        options.out / "transformer",
        config["text_encoder"] | vocabulary["gemma"],
        part(averaged, "transformer.", MODEL_PREFIX),
    )
    write_model(
        options.out / "clip_model",
        config["clip_model"] | vocabulary["jina"],
        part(averaged, "clip_model.", MODEL_PREFIX),
    )
    tiny = load("autoencoder.pt")
    write_model(options.out / "vae", config["tiny"], tiny)
    if (options.run / "kl_autoencoder.pt").exists():
        write_model(options.out / "vae-kl", config["kl"], load("kl_autoencoder.pt"))


if __name__ == "__main__":
    main()
