"""Makes models/demo: the four models in the real formats, small, with random weights.

From: the architectures of the references (upstream's NextDiT_CLIP, transformers' Gemma 3, ComfyUI's
      jina_clip_2.py, diffusers' AutoencoderTiny) for names and shapes; tokenizers trained on the
      synthetic prompts of prompt_language.py. Everything follows from one seed.
Run:  python training/random_demo.py --upstream PATH_TO_CLONE --comfyui-file PATH_TO/jina_clip_2.py
      (the Python environment is that of tests/reference/README.md)
"""

import argparse
import json
import shutil
import sys
import warnings
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderTiny

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "reference"))

import gemma3
import jina_clip
import next_dit
from _shared import draw_weights, fan_in, generator, shapes_of, write_json, write_tensors
from _upstream import import_upstream
from prompt_language import prompts
from small_tokenizers import gemma_like, xlm_r_like

SEED = 20251207
DEMO = ROOT / "models" / "demo"
TEXTS = 2000
MOST_GEMMA_TOKENS = 3072
MOST_XLM_R_TOKENS = 2048

TRANSFORMER = {
    "patch_size": 2,
    "in_channels": 16,
    "dim": 128,
    "n_layers": 6,
    "n_refiner_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 2,
    "multiple_of": 64,
    "ffn_dim_multiplier": 0.75,
    "norm_eps": 1e-5,
    "qk_norm": True,
    "cap_feat_dim": 128,
    "axes_dims": [8, 12, 12],
    "axes_lens": [1024, 512, 512],
    "clip_text_dim": 128,
}
# What the pipeline draws unless asked for another size, in latents: diffusers' key, not upstream's.
SAMPLE_SIZE = 32

# vocab_size is added when the tokenizer is known.
TEXT_ENCODER = {
    "architectures": ["Gemma3TextModel"],
    "model_type": "gemma3_text",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 32,
    "rms_norm_eps": 1e-6,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    "rope_theta": 1000000.0,
    "rope_local_base_freq": 10000.0,
    "sliding_window": 128,
    "sliding_window_pattern": 3,
}

CLIP_MODEL = {
    "architectures": ["XLMRobertaModel"],
    "model_type": "xlm-roberta",
    "type_vocab_size": 1,
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 384,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "position_embedding_type": "rotary",
    "rotary_emb_base": 20000.0,
}

VAE = {
    "_class_name": "AutoencoderTiny",
    "act_fn": "relu",
    "in_channels": 3,
    "out_channels": 3,
    "encoder_block_out_channels": [64, 64, 64, 64],
    "decoder_block_out_channels": [64, 64, 64, 64],
    "num_encoder_blocks": [1, 3, 3, 3],
    "num_decoder_blocks": [3, 3, 3, 1],
    "latent_channels": 16,
    "latent_magnitude": 3,
    "latent_shift": 0.5,
    "upsampling_scaling_factor": 2,
    "scaling_factor": 1.0,
    "shift_factor": 0.0,
    "force_upcast": False,
}

# The decoder's pictures, before they are clamped to -1…1.
PICTURE_CENTRE = 0.0
PICTURE_SPREAD = 0.45
# What a residual block of the decoder adds, as a share of what it is given.
BLOCK_SHARE = 0.25
# The velocity's size, as a share of the latents'.
VELOCITY_SHARE = 0.6


def transformer_spread(name, shape):
    centre, spread = next_dit.centre_and_spread(name, shape)
    return centre, spread * VELOCITY_SHARE if name.startswith("final_layer.linear") else spread


def vae_spread(name, shape):
    """For ReLU networks: variance 2 / inputs keeps the size from layer to layer."""
    if name.endswith(".bias"):
        return 0.0, 0.05
    spread = (2.0 / fan_in(shape)) ** 0.5
    return 0.0, spread * BLOCK_SHARE if ".conv.4." in name else spread


def balance(vae, weights, last):
    """Scales and shifts the last convolution so that noise decodes to colours around mid-grey.

    The corrections are rounded, so that the last digit of another machine's arithmetic changes
    nothing.
    """
    vae.load_state_dict(weights, strict=False)
    latents = torch.randn(4, VAE["latent_channels"], 16, 16, generator=generator(SEED))
    with torch.no_grad():
        pictures = vae.decode(latents).sample
    scale = (PICTURE_SPREAD / pictures.std((0, 2, 3))).round(decimals=2)
    shift = (PICTURE_CENTRE - pictures.mean((0, 2, 3)) * scale).round(decimals=2)
    weight, bias = f"decoder.layers.{last}.weight", f"decoder.layers.{last}.bias"
    # The decoder ends with 2·x − 1: scaling x by s about 1/2, and moving it by half the shift.
    return weights | {
        weight: weights[weight] * scale[:, None, None, None],
        bias: (weights[bias] - 0.5) * scale + 0.5 + shift / 2,
    }


def write_model(folder, config, weights, tokenizer=None):
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / "config.json", config)
    write_tensors(
        folder / "model.safetensors", {k: v.to(torch.bfloat16) for k, v in weights.items()}
    )
    if tokenizer is not None:
        contents, tokenizer_config = tokenizer
        compact = json.dumps(contents, ensure_ascii=False, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(compact + "\n", encoding="utf-8")
        write_json(folder / "tokenizer_config.json", tokenizer_config)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.relative_to(ROOT)}: {size / 1024:.0f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream", required=True, help="clone of NewBie-image-Exp0.1")
    parser.add_argument("--comfyui-file", required=True, help="ComfyUI's jina_clip_2.py")
    options = parser.parse_args()
    upstream, _ = import_upstream(options.upstream)
    comfyui = jina_clip.import_comfyui(options.comfyui_file)
    texts = prompts(TEXTS, SEED)

    model = next_dit.build(upstream, TRANSFORMER, {})
    write_model(
        DEMO / "next-dit",
        {**TRANSFORMER, "sample_size": SAMPLE_SIZE},
        draw_weights(shapes_of(model), SEED, transformer_spread),
    )

    tokenizer = gemma_like(texts, MOST_GEMMA_TOKENS)
    config = TEXT_ENCODER | {"vocab_size": len(tokenizer[0]["model"]["vocab"])}
    weights = draw_weights(shapes_of(gemma3.build(config)), SEED + 1, gemma3.centre_and_spread)
    weights = {f"model.{name}": value for name, value in weights.items()}
    write_model(DEMO / "transformer", config, weights, tokenizer)

    tokenizer = xlm_r_like(texts, MOST_XLM_R_TOKENS)
    config = CLIP_MODEL | {"vocab_size": len(tokenizer[0]["model"]["vocab"])}
    shapes = shapes_of(jina_clip.build(comfyui, config))
    weights = draw_weights(shapes, SEED + 2, jina_clip.centre_and_spread)
    write_model(DEMO / "clip_model", config, weights, tokenizer)

    vae = AutoencoderTiny.from_config(VAE).eval()
    shapes = {k: v for k, v in shapes_of(vae).items() if k.startswith("decoder.")}
    last = len(vae.decoder.layers) - 1
    weights = draw_weights(shapes, SEED + 3, vae_spread)
    weights = balance(vae, weights, last)
    write_model(DEMO / "vae", VAE, weights)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Cannot import apex")
    diffusers.logging.set_verbosity_error()
    main()
