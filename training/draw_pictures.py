"""Draws pictures with published weights in PyTorch: many at once on a GPU, with the toolkit's noise.

From: a model folder, prompts of bench/eval/prompts.jsonl or of a file with one prompt a line.
Run:  python training/draw_pictures.py eval --out FOLDER --kind xml
      python training/draw_pictures.py sheet --prompts training/newcomer.txt --out sheet.png

`eval` writes <id>-<kind>.png for each scene, which `deno task eval --measure FOLDER` measures. `sheet`
writes one picture of all, the seed of each being the number of its line. --save-latents FILE keeps
latents instead, and --latents FILE draws what it kept, on another machine.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from captions import DEMO, CaptionTokenizers
from configs import sizes
from eval_set import EVAL, nothing_of_looks
from import_run import networks_of, weights
from networks import TinyAutoencoder
from PIL import Image
from runs import pick_device
from sampling import noise_of, sample
from train_diffusion import Painter

# Pictures of 256 × 256 that are drawn at once.
BATCH = {"cuda": 256, "cpu": 8}
USUAL_PIXELS = 256 * 256


def load(folder, device):
    """The three networks and the autoencoder of a model folder."""
    painter, autoencoder = Painter(sizes()), TinyAutoencoder(sizes()["tiny"])
    painter.load_state_dict(networks_of(folder))
    autoencoder.load_state_dict(weights(folder / "vae" / "model.safetensors"), strict=False)
    return painter.eval().to(device), autoencoder.eval().to(device)


def in_batches(rows, size, device):
    most = max(1, BATCH[device.type] * USUAL_PIXELS // (size[0] * size[1]))
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def latents_of(painter, prompts, seeds, size, device, **sampling):
    tokenizers, made = CaptionTokenizers(), []
    for places in in_batches(range(len(prompts)), size, device):
        noise = noise_of([seeds[i] for i in places], size)
        texts = [prompts[i] for i in places]
        made.append(sample(painter, tokenizers, texts, noise, **sampling).cpu())
    return torch.cat(made)


@torch.no_grad()
def pictures_of(autoencoder, latents, size, device):
    """uint8 [N, H, W, 3]."""
    made = []
    for part in in_batches(latents, size, device):
        decoded = autoencoder.decode(part.float().to(device)).clamp(-1, 1)
        made.append(((decoded + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu())
    return torch.cat(made).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["eval", "sheet"])
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--kind", default="xml", choices=["xml", "tags", "unsaid"])
    parser.add_argument("--prompts", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--size", type=int, nargs=2, default=[256, 256])
    parser.add_argument("--shown", type=int, help="width on a sheet")
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--save-latents", type=Path)
    parser.add_argument("--latents", type=Path)
    options = parser.parse_args()
    device, size = pick_device(), tuple(options.size)
    if options.what == "eval":
        lines = [json.loads(line) for line in open(EVAL / "prompts.jsonl", encoding="utf-8")]
        lines = [line | {"unsaid": nothing_of_looks(line["xml"])} for line in lines]
        rows = [(line["id"], line["seed"], line[options.kind]) for line in lines]
    else:
        lines = options.prompts.read_text(encoding="utf-8").splitlines()
        rows = [(str(n), n, line.replace("\\n", "\n")) for n, line in enumerate(lines, 1) if line]
    names, seeds, prompts = zip(*rows[: options.limit])
    painter, autoencoder = load(options.model, device)
    if options.latents:
        latents = torch.from_numpy(np.load(options.latents)["latents"])
    else:
        sampling = {"steps": options.steps, "guidance": options.guidance}
        latents = latents_of(painter, prompts, seeds, size, device, **sampling)
    if options.save_latents:
        np.savez_compressed(options.save_latents, latents=latents.half().numpy())
        return
    pictures = pictures_of(autoencoder, latents, size, device)
    if options.what == "eval":
        options.out.mkdir(parents=True, exist_ok=True)
        for name, picture in zip(names, pictures):
            Image.fromarray(picture).save(options.out / f"{name}-{options.kind}.png")
        return
    shown = options.shown or size[0]
    small = (shown, shown * size[1] // size[0])
    cells = [np.asarray(Image.fromarray(p).resize(small, Image.LANCZOS)) for p in pictures]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % options.columns)
    rows = [
        np.concatenate(cells[start : start + options.columns], axis=1)
        for start in range(0, len(cells), options.columns)
    ]
    Image.fromarray(np.concatenate(rows)).save(options.out, quality=92)


if __name__ == "__main__":
    main()
