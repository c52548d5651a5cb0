"""Makes tests/fixtures/image_to_image: what PyTorch makes of a picture, a mask and a prompt.

From: NewBieAI-Lab/NewBie-image-Exp0.1 at commit 709e9a4 (the model with its guidance) and diffusers
      (AutoencoderKL). The loop is that of diffusers' pipelines for flow matching, in float32:
      pipeline_stable_diffusion_3_img2img.py and …_inpaint.py for the start and for the mask, and the
      community's pipeline_flux_differential_img2img.py for masks of grey (there white is kept).
Run:  python tests/reference/image_to_image.py --upstream PATH_TO_CLONE

The transformer and the features are those of tests/fixtures/pipeline/tiny, so that script runs first.
`vae/` is the autoencoder of that folder with both halves. io.json lists `runs`; io.safetensors has, a
run each, `NAME.image` [1, 3, H, W], `NAME.mask` [1, 1, H, W] where there is one, `NAME.noise` and
`NAME.final_latents`.
"""

import argparse
import sys
import warnings
from pathlib import Path

import diffusers
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

import autoencoders
import next_dit
from _shared import FIXTURES, draw_weights, generator, normal, shapes_of, write_json, write_tensors
from _upstream import import_upstream
from pipeline import CASES, SHIFT, TRANSFORMER, VAE

SEED = CASES["tiny"]["seed"]
FACTOR = 8

# Height and width in latents.
RUNS = {
    "half": {"prompt": "xml", "size": (6, 4), "steps": 8, "strength": 0.5, "guidance": 5.0},
    "little": {"prompt": "plain", "size": (4, 6), "steps": 7, "strength": 0.3, "guidance": 3.0},
    "masked": {"prompt": "xml", "size": (6, 4), "steps": 8, "strength": 0.7, "guidance": 5.0, "mask": "binary"},
    "masked_from_noise": {"prompt": "plain", "size": (4, 4), "steps": 5, "strength": 1.0, "guidance": 1.0, "mask": "binary"},
    "midpoint": {"prompt": "xml", "size": (4, 4), "steps": 6, "strength": 0.6, "guidance": 4.0, "mask": "binary", "scheduler": "midpoint"},
    "differential": {"prompt": "plain", "size": (6, 6), "steps": 8, "strength": 0.9, "guidance": 3.0, "mask": "grey"},
}


def build(upstream):
    transformer = next_dit.build(upstream, TRANSFORMER, {})
    transformer.load_state_dict(draw_weights(shapes_of(transformer), SEED, next_dit.centre_and_spread))
    vae = AutoencoderKL.from_config(VAE).eval()
    weights = draw_weights(shapes_of(vae), SEED + 30, autoencoders.centre_and_spread)
    vae.load_state_dict(weights)
    return transformer, vae, weights


def features_of(values, prompt):
    both = [values[f"{prompt}.{prefix}prompt_embeds"] for prefix in ("", "negative_")]
    longest = max(x.shape[1] for x in both)
    mask = torch.zeros(2, longest, dtype=torch.int64)
    padded = torch.zeros(2, longest, both[0].shape[2])
    for i, x in enumerate(both):
        padded[i, : x.shape[1]] = x[0]
        mask[i, : x.shape[1]] = 1
    pooled = torch.cat([values[f"{prompt}.{prefix}pooled"] for prefix in ("", "negative_")])
    return padded, mask, pooled


def sample(transformer, encoded, image_latents, mask, noise, run):
    features, text_mask, pooled = encoded
    steps = run["steps"]
    first = int(max(steps - min(steps * run["strength"], steps), 0))
    times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    times = times / (times + SHIFT - SHIFT * times)
    times = times[first:]

    def velocity(x, t):
        with torch.no_grad():
            return transformer.forward_with_cfg(
                x.repeat(2, 1, 1, 1),
                torch.full((2,), float(t)),
                cap_feats=features,
                cap_mask=text_mask,
                cfg_scale=run["guidance"],
                cfg_trunc=100.0,
                renorm_cfg=1.0,
                clip_text_pooled=pooled,
                clip_img_pooled=None,
            )[:1]

    def noised(t):
        return (1 - t) * noise + t * image_latents

    if mask is not None:
        latent_mask = F.interpolate(mask, scale_factor=1 / FACTOR, mode="nearest")
        assert latent_mask.shape[2:] == noise.shape[2:]
    x = noised(float(times[0]))
    count = len(times) - 1
    for i in range(count):
        t, later = float(times[i]), float(times[i + 1])
        if run.get("scheduler") == "midpoint":
            half = x + (later - t) / 2 * velocity(x, t)
            x = x + (later - t) * velocity(half, (t + later) / 2)
        else:
            x = x + (later - t) * velocity(x, t)
        if run.get("mask") == "binary":
            drawn = (latent_mask >= 0.5).float()
            x = (1 - drawn) * noised(later) + drawn * x
        elif run.get("mask") == "grey" and i < count - 1:
            kept = ((1 - latent_mask) > i / count).float()
            x = noised(later) * kept + x * (1 - kept)
    return x


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream", required=True, help="clone of NewBie-image-Exp0.1")
    upstream, _ = import_upstream(parser.parse_args().upstream)
    transformer, vae, weights = build(upstream)
    values = load_file(FIXTURES / "pipeline" / "tiny" / "io.safetensors")
    stored = load_file(FIXTURES / "pipeline" / "tiny" / "vae" / "diffusion_pytorch_model.safetensors")
    for name, value in stored.items():
        assert torch.equal(weights[name], value), f"{name} is not that of pipeline/tiny"
    folder = FIXTURES / "image_to_image"
    write_json(folder / "vae" / "config.json", VAE)
    write_tensors(folder / "vae" / "diffusion_pytorch_model.safetensors", weights)
    gen = generator(SEED + 2000)
    tensors, facts = {}, []
    for name, run in RUNS.items():
        height, width = (FACTOR * side for side in run["size"])
        image = 2 * torch.rand((1, 3, height, width), generator=gen) - 1
        noise = normal(gen, (1, 16, *run["size"]))
        mask = None
        if run.get("mask"):
            mask = torch.rand((1, 1, height, width), generator=gen)
            tensors[f"{name}.mask"] = mask
        with torch.no_grad():
            mode = vae.encode(image).latent_dist.mode()
        shift = vae.config.shift_factor or 0.0
        image_latents = (mode - shift) * vae.config.scaling_factor
        final = sample(transformer, features_of(values, run["prompt"]), image_latents, mask, noise, run)
        tensors |= {f"{name}.image": image, f"{name}.noise": noise, f"{name}.final_latents": final}
        facts.append({"name": name, **{k: v for k, v in run.items() if k != "size"}})
        print(f"{name}: final latents {final.std():.2f}")
    write_tensors(folder / "io.safetensors", tensors)
    write_json(folder / "io.json", {"runs": facts})


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Cannot import apex")
    diffusers.logging.set_verbosity_error()
    main()
