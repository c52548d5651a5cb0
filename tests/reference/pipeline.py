"""Makes tests/fixtures/pipeline: complete tiny pipeline folders, and what the references make of them.

From: NewBieAI-Lab/NewBie-image-Exp0.1 at commit 709e9a4 (the model with its guidance, and the sampler
      in transport/), transformers (Gemma 3), ComfyUI's jina_clip_2.py, diffusers (AutoencoderKL),
      tokenizers. The way they are put together follows upstream's demo.py: Gemma reads the system
      prompt and the prompt, padded on the right to a multiple of 8 with a mask; Jina CLIP reads the
      prompt alone; an empty negative prompt gets no system prompt; N steps are N + 1 points.
Run:  python tests/reference/pipeline.py --upstream PATH_TO_CLONE --comfyui-file PATH_TO/jina_clip_2.py

Each folder is a pipeline (model_index.json, transformer/, text_encoder/, clip_model/, vae/, scheduler/,
tokenizer/, clip_tokenizer/) with two files beside it. io.json lists `prompts` (texts and ids) and
`runs` (which prompt, which settings). io.safetensors has, a prompt each, `NAME.prompt_embeds`
[1, L, D], `NAME.pooled` [1, P] and the same with `negative_`; a run each, `NAME.latents`,
`NAME.final_latents` (after the last step) and `NAME.image` (decoded, not clamped).
"""

import argparse
import json
import shutil
import sys
import warnings
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

import autoencoders
import gemma3
import jina_clip
import next_dit
from _shared import (
    FIXTURES,
    draw_weights,
    generator,
    normal,
    relative,
    shapes_of,
    write_json,
    write_tensors,
)
from _upstream import import_upstream
from prompt_language import SYSTEM_PLAIN, SYSTEM_XML, prompts
from small_tokenizers import gemma_like, load, xlm_r_like

STEPS = 8
SHIFT = 6
NEVER = 100.0  # upstream's own value for a cfg_trunc that is never reached

# Float32 noise of one part in a million on the initial latents must not grow beyond this, or the
# comparison would measure the model's nervousness.
MOST_GROWTH = 20.0

XML_PROMPT = """<character_1>
<n>miku</n>
<gender>1girl</gender>
<appearance>blue_hair, long_hair, red_eyes</appearance>
<clothing>white_shirt, pleated_skirt</clothing>
<expression>happy, smile</expression>
</character_1>

<general_tags>
<count>1girl, solo</count>
<style>anime_style</style>
<background>white_background</background>
</general_tags>"""

PLAIN_PROMPT = "1girl, solo, silver hair & blue eyes, reading in a quiet library, >_<, 初音ミク"
PLAIN_NEGATIVE = "low_quality, blurry, bad_hands"

PROMPTS = {
    "xml": {"prompt": XML_PROMPT, "negativePrompt": "", "systemPrompt": SYSTEM_XML},
    "plain": {
        "prompt": PLAIN_PROMPT,
        "negativePrompt": PLAIN_NEGATIVE,
        "systemPrompt": SYSTEM_PLAIN,
    },
}

# Height and width in latents. With shift 6 the evaluations are at t = 0, 0.02, 0.05, 0.09, 0.14,
# 0.22, 0.33, 0.54, so a truncation at 0.3 leaves the last two without guidance.
RUNS = {
    "guided": {"prompt": "xml", "size": (6, 4), "guidance": 5.0, "renorm": 1.0, "trunc": NEVER},
    "truncated": {"prompt": "xml", "size": (4, 6), "guidance": 5.0, "renorm": 0.8, "trunc": 0.3},
    "unguided": {"prompt": "xml", "size": (4, 4), "guidance": 1.0, "renorm": 0.0, "trunc": NEVER},
    "plain_text": {"prompt": "plain", "size": (2, 6), "guidance": 3.0, "renorm": 0.0, "trunc": NEVER},
}

TRANSFORMER = {
    "_class_name": "NextDiT_CLIP",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 24,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "n_heads": 4,
    "n_kv_heads": 2,
    "multiple_of": 16,
    "ffn_dim_multiplier": 0.5,
    "norm_eps": 1e-5,
    "qk_norm": True,
    "cap_feat_dim": 24,
    "axes_dims": [2, 2, 2],
    "axes_lens": [512, 32, 32],
    "clip_text_dim": 20,
}

TEXT_ENCODER = {
    "model_type": "gemma3_text",
    "vocab_size": 400,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "query_pre_attn_scalar": 8,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    "sliding_window": 32,
    "sliding_window_pattern": 2,
}

CLIP_MODEL = {
    "model_type": "xlm-roberta",
    "vocab_size": 400,
    "type_vocab_size": 1,
    "hidden_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 36,
    "layer_norm_eps": 1e-5,
    "rotary_emb_base": 20000.0,
}

VAE = autoencoders.FLUX_LIKE | {
    "block_out_channels": [4, 4, 8, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "norm_num_groups": 2,
}

SCHEDULER = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "shift": float(SHIFT),
    "use_dynamic_shifting": False,
}

MODEL_INDEX = {
    "_class_name": "NewbiePipeline",
    "clip_model": ["transformers", "JinaCLIPModel"],
    "clip_tokenizer": ["transformers", "XLMRobertaTokenizerFast"],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Gemma3TextModel"],
    "tokenizer": ["transformers", "GemmaTokenizerFast"],
    "transformer": ["diffusers", "NextDiT_CLIP"],
    "vae": ["diffusers", "AutoencoderKL"],
}

CASES = {
    "tiny": {"seed": 501, "dtype": torch.float32, "runs": list(RUNS), "shards": 1},
    "tiny_bf16_sharded": {"seed": 502, "dtype": torch.bfloat16, "runs": ["guided"], "shards": 2},
}


class Reference:
    """The four models with one set of weights, in float32 arithmetic."""

    def __init__(self, upstream, comfyui, seed, dtype):
        self.transformer = next_dit.build(upstream, TRANSFORMER, {})
        self.text_encoder = gemma3.build(TEXT_ENCODER)
        self.clip_model = jina_clip.build(comfyui, CLIP_MODEL)
        self.vae = AutoencoderKL.from_config(VAE).eval()
        self.weights = {}
        rooms = {
            "transformer": next_dit,
            "text_encoder": gemma3,
            "clip_model": jina_clip,
            "vae": autoencoders,
        }
        for number, (room, script) in enumerate(rooms.items()):
            model = getattr(self, room)
            weights = draw_weights(shapes_of(model), seed + 10 * number, script.centre_and_spread)
            self.weights[room] = {name: value.to(dtype) for name, value in weights.items()}
            model.load_state_dict(self.weights[room])


def encode(reference, gemma_ids, clip_ids):
    """Features of several texts as upstream makes them: padded, with a mask."""
    longest = max(len(ids) for ids in gemma_ids)
    padded_length = -(-longest // 8) * 8
    padded = torch.zeros(len(gemma_ids), padded_length, dtype=torch.int64)
    mask = torch.zeros_like(padded)
    for i, ids in enumerate(gemma_ids):
        padded[i, : len(ids)] = torch.tensor(ids)
        mask[i, : len(ids)] = 1
    with torch.no_grad():
        features = reference.text_encoder(
            padded, attention_mask=mask, output_hidden_states=True, use_cache=False
        ).hidden_states[-2]
    pooled = [jina_clip.evaluate(reference.clip_model, torch.tensor(ids)) for ids in clip_ids]
    return features, mask, torch.cat(pooled)


def sample(reference, transport, latents, features, mask, pooled, run):
    sampler = transport.Sampler(transport.create_transport("Linear", "velocity"))
    integrate = sampler.sample_ode(
        sampling_method="euler", num_steps=STEPS + 1, time_shifting_factor=SHIFT
    )
    with torch.no_grad():
        states = integrate(
            latents.repeat(2, 1, 1, 1),
            reference.transformer.forward_with_cfg,
            cap_feats=features,
            cap_mask=mask,
            cfg_scale=run["guidance"],
            cfg_trunc=run["trunc"],
            renorm_cfg=run["renorm"],
            clip_text_pooled=pooled,
            clip_img_pooled=None,
        )
    return states[-1][:1]


def write_weights(folder, name, weights, shards):
    if shards == 1:
        write_tensors(folder / f"{name}.safetensors", weights)
        return
    names = sorted(weights)
    where, size = {}, 0
    for shard in range(shards):
        file = f"{name}-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = {key: weights[key] for key in names[shard::shards]}
        write_tensors(folder / file, part)
        where |= {key: file for key in part}
        size += sum(tensor.nbytes for tensor in part.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(where.items()))}
    write_json(folder / f"{name}.safetensors.index.json", index)


def write_tokenizer(folder, tokenizer, config):
    folder.mkdir(parents=True, exist_ok=True)
    compact = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact + "\n", encoding="utf-8")
    write_json(folder / "tokenizer_config.json", config)


def write_pipeline(folder, reference, tokenizers, shards):
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / "model_index.json", MODEL_INDEX)
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
    for room, config in (
        ("transformer", TRANSFORMER),
        ("text_encoder", TEXT_ENCODER),
        ("clip_model", CLIP_MODEL),
        ("vae", VAE),
    ):
        write_json(folder / room / "config.json", config)
    weights = dict(reference.weights)
    weights["text_encoder"] = {f"model.{k}": v for k, v in weights["text_encoder"].items()}
    weights["vae"] = autoencoders.decoder_only(weights["vae"])
    write_weights(
        folder / "transformer", "diffusion_pytorch_model", weights["transformer"], shards
    )
    write_weights(folder / "text_encoder", "model", weights["text_encoder"], 1)
    write_weights(folder / "clip_model", "model", weights["clip_model"], 1)
    write_weights(folder / "vae", "diffusion_pytorch_model", weights["vae"], 1)
    for room, (tokenizer, config) in tokenizers.items():
        write_tokenizer(folder / room, tokenizer, config)


def encode_prompt(reference, gemma, clip, prompt):
    """Token ids and features of a prompt and its negative."""
    positive, negative = prompt["prompt"], prompt["negativePrompt"]
    system = prompt["systemPrompt"]
    for_gemma = [system + positive, system + negative if negative else ""]
    gemma_ids = [gemma.encode(text).ids for text in for_gemma]
    clip_ids = [clip.encode(text).ids for text in (positive, negative)]
    encoded = encode(reference, gemma_ids, clip_ids)
    facts = {
        "gemmaIds": gemma_ids[0],
        "negativeGemmaIds": gemma_ids[1],
        "clipIds": clip_ids[0],
        "negativeClipIds": clip_ids[1],
    }
    return facts, encoded


def make_case(upstream, transport, comfyui, tokenizers, name, case):
    reference = Reference(upstream, comfyui, case["seed"], case["dtype"])
    folder = FIXTURES / "pipeline" / name
    write_pipeline(folder, reference, tokenizers, case["shards"])
    gemma, clip = (load(tokenizers[room][0]) for room in ("tokenizer", "clip_tokenizer"))
    gen = generator(case["seed"] + 1000)

    tensors, prompt_facts, run_facts, encoded = {}, [], [], {}
    for key in dict.fromkeys(RUNS[run]["prompt"] for run in case["runs"]):
        facts, (features, mask, pooled) = encode_prompt(reference, gemma, clip, PROMPTS[key])
        encoded[key] = features, mask, pooled
        for i, prefix in enumerate(("", "negative_")):
            length = int(mask[i].sum())
            tensors[f"{key}.{prefix}prompt_embeds"] = features[i : i + 1, :length]
            tensors[f"{key}.{prefix}pooled"] = pooled[i : i + 1]
        prompt_facts.append({"name": key, **PROMPTS[key], **facts})

    for key in case["runs"]:
        run = RUNS[key]
        latents = normal(gen, (1, TRANSFORMER["in_channels"], *run["size"]))
        conditions = encoded[run["prompt"]]
        final = sample(reference, transport, latents, *conditions, run)
        noise = 1e-6 * normal(gen, latents.shape)
        moved = sample(reference, transport, latents + noise, *conditions, run)
        growth = relative(moved, final) / relative(latents + noise, latents)
        assert growth < MOST_GROWTH, f"{key}: noise on the latents grows {growth} times"
        tensors[f"{key}.latents"] = latents
        tensors[f"{key}.final_latents"] = final
        tensors[f"{key}.image"] = autoencoders.decode(reference.vae, final, torch.float32)
        run_facts.append(
            {
                "name": key,
                "prompt": run["prompt"],
                "height": 8 * run["size"][0],
                "width": 8 * run["size"][1],
                "numInferenceSteps": STEPS,
                "shift": SHIFT,
                "guidanceScale": run["guidance"],
                "renormCfg": run["renorm"],
                "cfgTrunc": None if run["trunc"] == NEVER else run["trunc"],
            }
        )
        print(f"{name}/{key}: final latents {final.std():.2f}, noise grows {growth:.1f} times")
    write_tensors(folder / "io.safetensors", tensors)
    write_json(folder / "io.json", {"prompts": prompt_facts, "runs": run_facts})
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"pipeline/{name}: {size / 1024:.0f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream", required=True, help="clone of NewBie-image-Exp0.1")
    parser.add_argument("--comfyui-file", required=True, help="ComfyUI's jina_clip_2.py")
    options = parser.parse_args()
    upstream, transport = import_upstream(options.upstream)
    comfyui = jina_clip.import_comfyui(options.comfyui_file)
    texts = prompts(count=400, seed=5)
    tokenizers = {
        "tokenizer": gemma_like(texts, TEXT_ENCODER["vocab_size"]),
        "clip_tokenizer": xlm_r_like(texts, CLIP_MODEL["vocab_size"]),
    }
    for name, case in CASES.items():
        make_case(upstream, transport, comfyui, tokenizers, name, case)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Cannot import apex")
    diffusers.logging.set_verbosity_error()
    main()
