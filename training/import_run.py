"""Makes a run's folder of the published weights, to train on from them.

From: models/demo.
Run:  python training/import_run.py --run FOLDER
The optimizer's state is not published: learning begins with a warm-up, at step 0.
"""

import argparse
from pathlib import Path

import torch
from captions import DEMO
from safetensors.torch import load_file

# Where the encoder was before it was published with its decoder.
OLD_ENCODER = Path(__file__).resolve().parent / "encoder.safetensors"
NETWORKS = {
    "next-dit": ("", "next_dit."),
    "transformer": ("model.", "transformer."),
    "clip_model": ("model.", "clip_model."),
}


def weights(path):
    return {name: value.float() for name, value in load_file(path).items()}


def networks_of(model):
    """The weights of a model folder's three networks, as `Painter` names them."""
    return {
        own + name.removeprefix(prefix): value
        for folder, (prefix, own) in NETWORKS.items()
        for name, value in weights(model / folder / "model.safetensors").items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=DEMO)
    options = parser.parse_args()
    options.run.mkdir(parents=True, exist_ok=True)
    autoencoder = weights(options.model / "vae" / "model.safetensors")
    if OLD_ENCODER.exists():
        autoencoder = weights(OLD_ENCODER) | autoencoder
    torch.save(autoencoder, options.run / "autoencoder.pt")
    torch.save(weights(options.model / "vae-kl" / "model.safetensors"), options.run / "kl_autoencoder.pt")
    model = networks_of(options.model)
    averaged = {name: value.clone() for name, value in model.items()}
    state = {"step": 0, "elapsed": 0.0, "samples": 0, "model": model, "averaged": averaged}
    torch.save(state, options.run / "diffusion.pt")


if __name__ == "__main__":
    main()
