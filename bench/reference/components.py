"""Makes one file of inputs and outputs of every component, to hold the toolkit's graphs against.

From: a folder of models in the toolkit's layout, or models/demo.
Run:  python bench/reference/components.py MODELS OUT.safetensors [--size 1024] [--caption 256]

Each part is run in float32 (TF32 off) on its weights widened from what the file holds, and in the
type of the toolkit's arithmetic on a GPU: bfloat16, for decoders float16. Tensors are named
`<part>.<tensor>`, outputs end in the type of the arithmetic. All values are float32, token ids and
sizes too, and of the shapes that the toolkit's graphs take:

transformer_text   caption_features, pooled_features, caption_cos, caption_sin → caption_*, pooled_*
transformer_step   latents, timestep, caption, pooled (what transformer_text gave in float32),
                   caption_cos, caption_sin, image_cos, image_sin, caption_length, patch_grid
                   → velocity_*
text_encoder       ids [1, L] → features_*
clip_model         ids [1, L] → pooled_*
vae, vae_kl        latents → image_*

Inputs are drawn on the CPU from a seed, so that they are the same everywhere. On stdout one JSON
object: for each output ‖half − float32‖ / ‖float32‖, PyTorch's own error, and whether it is finite.
"""

import argparse
import gc
import json
import sys
import time
import zlib

import torch
from safetensors.torch import save_file

import models as networks

PARTS = ["transformer_text", "transformer_step", "text_encoder", "clip_model", "vae", "vae_kl"]
FLOAT32 = torch.float32
TIMESTEP = 0.3
# About what trained encoders give.
CAPTION_SPREAD, POOLED_SPREAD = 3.0, 0.8


def normal(name, shape, spread=1.0):
    return spread * torch.randn(shape, generator=generator(name))


def generator(name):
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def token_ids(config, part, length):
    """Not the first few, which are padding and the like."""
    vocabulary = config.get("text_config", config)["vocab_size"]
    return torch.randint(8, vocabulary, (1, length), generator=generator(part))


def half_of(part):
    return networks.PARTS[part][1]


def both_types(options, part, evaluate):
    """{"<output>_<type>": …} of `evaluate(module)` in float32 and the other type, one at a time."""
    outputs = {}
    for dtype in (FLOAT32, half_of(part)):
        start = time.perf_counter()
        module = networks.load(options.models, part, options.device, dtype)
        word = str(dtype).removeprefix("torch.")
        for name, value in evaluate(module).items():
            outputs[f"{name}_{word}"] = value.cpu()
        del module
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        print(f"{part}, {word}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return outputs


def transformer(options):
    """Both graphs' tensors; the step is given the caption that the text part makes in float32."""
    config = networks.config_of(options.models, "transformer")
    length, patch, channels = options.caption, config["patch_size"], config["in_channels"]
    latents = latents_of(options, "transformer_step", channels)
    rows, columns = (extent // patch for extent in latents.shape[2:])
    rope = networks.next_dit_rope(config, length, rows, columns, "cpu")
    tables = {
        f"{name}_{kind}": table[..., i].contiguous()
        for name, table in zip(("caption", "image"), rope)
        for i, kind in enumerate(("cos", "sin"))
    }
    features = (1, length, config["cap_feat_dim"])
    text = {
        "caption_features": normal("caption_features", features, CAPTION_SPREAD),
        "pooled_features": normal("pooled_features", (1, config["clip_text_dim"]), POOLED_SPREAD),
        "caption_cos": tables["caption_cos"],
        "caption_sin": tables["caption_sin"],
    }
    step = {
        "latents": latents,
        "timestep": torch.tensor([TIMESTEP]),
        **tables,
        "caption_length": torch.tensor([length]),
        "patch_grid": torch.tensor([1, rows, columns, patch * patch * channels]),
    }
    here = [table.to(options.device) for table in rope]

    def evaluate(module):
        inputs = [text[name].to(options.device) for name in ("caption_features", "pooled_features")]
        caption, pooled = module.text(*inputs, here[0])
        if "caption" not in step:
            step.update(caption=caption.cpu(), pooled=pooled.cpu())
        inputs = ("latents", "timestep", "caption", "pooled")
        velocity = module.step(*(step[name].to(options.device) for name in inputs), *here)
        return {"caption": caption, "pooled": pooled, "velocity": velocity}

    for name, value in both_types(options, "transformer", evaluate).items():
        (step if name.startswith("velocity") else text)[name] = value
    return {"transformer_text": text, "transformer_step": step}


def text_encoder(options):
    config = networks.config_of(options.models, "text_encoder")
    ids = token_ids(config, "text_encoder", options.caption)
    evaluate = lambda module: {"features": module(ids.to(options.device))}
    return {"text_encoder": {"ids": ids} | both_types(options, "text_encoder", evaluate)}


def clip_model(options):
    config = networks.config_of(options.models, "clip_model")
    ids = token_ids(config, "clip_model", options.caption)
    rope = networks.jina_rope(config, options.caption, options.device)
    evaluate = lambda module: {"pooled": module(ids.to(options.device), rope)}
    return {"clip_model": {"ids": ids} | both_types(options, "clip_model", evaluate)}


def decoder(part):
    def make(options):
        config = networks.config_of(options.models, part)
        latents = latents_of(options, part, config["latent_channels"])
        evaluate = lambda module: {"image": module(latents.to(options.device))}
        return {part: {"latents": latents} | both_types(options, part, evaluate)}

    return make


def latents_of(options, name, channels):
    factor = networks.pixels_per_latent(networks.config_of(options.models, "vae"))
    side = options.size // factor
    return normal(f"{name}.latents", (1, channels, side, side))


MAKERS = {
    "transformer_text": transformer,
    "transformer_step": transformer,
    "text_encoder": text_encoder,
    "clip_model": clip_model,
    "vae": decoder("vae"),
    "vae_kl": decoder("vae_kl"),
}


def errors_of(tensors):
    """Relative errors by `<part>.<output>`."""
    errors = {}
    for name, exact in tensors.items():
        if not name.endswith("_float32"):
            continue
        output = name.removesuffix("_float32")
        halves = [tensors.get(output + end) for end in ("_bfloat16", "_float16")]
        half = next(values for values in halves if values is not None)
        error = ((half.double() - exact.double()).norm() / exact.double().norm()).item()
        finite = bool(half.isfinite().all() and exact.isfinite().all())
        # JSON has no NaN.
        errors[output] = {"relative_error": error if finite else None, "finite": finite}
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", help="folder of models")
    parser.add_argument("out", help="the safetensors file to write")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=1024, help="side of the picture in pixels")
    parser.add_argument("--caption", type=int, default=256, help="tokens of the prompt")
    parser.add_argument("--parts", default=",".join(PARTS), help="with commas; default: all")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}; expected {', '.join(PARTS)}")

    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    tensors = {}
    with torch.inference_mode():
        for make in dict.fromkeys(MAKERS[part] for part in parts):
            for part, values in make(options).items():
                if part in parts:
                    tensors |= {f"{part}.{name}": value.float() for name, value in values.items()}
    tensors = {name: value.clone().contiguous() for name, value in tensors.items()}
    save_file(tensors, options.out)
    print(json.dumps(errors_of(tensors), indent=2))


if __name__ == "__main__":
    main()
