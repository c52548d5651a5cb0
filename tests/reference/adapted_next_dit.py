"""Makes tests/fixtures/adapted_next_dit: velocities of upstream's own model with adapters in it.

From: NewBieAI-Lab/NewBie-image-Exp0.1 at commit 709e9a4 (models/model.py), PEFT and LyCORIS.
Run:  python tests/reference/adapted_next_dit.py --upstream PATH_TO_CLONE

The model and the inputs are those of tests/fixtures/next_dit/clip_gqa, its first run and sample.
`lora/` is PEFT's folder, `lokr.safetensors` LyCORIS's file, norms and all. io.json lists which
adapters at what weights gave each `velocity_N` of io.safetensors."""

import argparse
import json
import shutil
import warnings

import torch
from lycoris.wrapper import LycorisNetwork
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from _shared import FIXTURES, generator, relative, write_json, write_tensors
from _upstream import import_upstream
from next_dit import build, evaluate

FOLDER = FIXTURES / "adapted_next_dit"
MODEL = FIXTURES / "next_dit" / "clip_gqa"
MIXES = [{"lora": 1}, {"lora": 0.5}, {"lora": -0.7}, {"lokr": 1}, {"lora": 0.8, "lokr": 0.6}]
LORA_TARGETS = [
    "attention.qkv", "attention.out", "w1", "w2", "w3", "x_embedder", "mlp.0", "mlp.2",
    "cap_embedder.1", "time_text_embed.1", "clip_text_pooled_proj.1", "adaLN_modulation.1",
    "final_layer.linear",
]
LOKR_TARGETS = ["*attention.qkv", "*attention.out", "*w2", "*norm1", "*norm2", "*cap_embedder.0",
                "*clip_text_pooled_proj.0", "*time_text_embed.1"]
SPREAD = 0.15


def fresh(upstream, config):
    model = build(upstream, config, {})
    model.load_state_dict(load_file(MODEL / "model.safetensors"))
    return model.requires_grad_(False)


def randomise(parameters, seed):
    gen = generator(seed)
    with torch.no_grad():
        for _, parameter in sorted(parameters):
            parameter.copy_(SPREAD * torch.randn(parameter.shape, generator=gen))


def with_lora(model):
    adapted = get_peft_model(model, LoraConfig(r=5, lora_alpha=7, target_modules=LORA_TARGETS))
    randomise([(n, p) for n, p in adapted.named_parameters() if "lora_" in n], 201)
    return adapted


def with_lokr(model):
    LycorisNetwork.apply_preset({
        "enable_conv": True, "target_module": [], "target_name": LOKR_TARGETS, "use_fnmatch": True,
        "exclude_name": [], "lora_prefix": "lycoris"})
    network = LycorisNetwork(
        model, multiplier=1.0, network_module="lokr", lora_dim=2, alpha=3, factor=4, train_norm=True)
    network.apply_to()
    randomise(list(network.named_parameters()), 202)
    return network


def evaluate_mix(upstream, config, mix, inputs, run):
    model = fresh(upstream, config)
    if "lokr" in mix:
        network = with_lokr(model)
        for lora in network.loras:
            lora.multiplier = mix["lokr"]
    if "lora" in mix:
        model = with_lora(model)
        for module in model.modules():
            if hasattr(module, "scaling") and "default" in module.scaling:
                module.scaling["default"] *= mix["lora"]
    return evaluate(model, inputs, run, torch.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream", required=True, help="clone of NewBie-image-Exp0.1")
    upstream, _ = import_upstream(parser.parse_args().upstream)
    config = json.loads((MODEL / "config.json").read_text())
    facts = json.loads((MODEL / "io.json").read_text())["runs"][0]
    stored = load_file(MODEL / "io.safetensors")
    run = {"caption_lengths": facts["captionLengths"][:1], "timestep": facts["timestep"]}
    inputs = {key: stored[f"run0.{key}"] for key in ("latents", "pooled", "caption_0")}
    plain = evaluate(fresh(upstream, config), inputs, run, torch.float32)
    assert relative(plain, stored["run0.velocity"]) < 1e-6

    shutil.rmtree(FOLDER, ignore_errors=True)
    with_lora(fresh(upstream, config)).save_pretrained(FOLDER / "lora")
    (FOLDER / "lora" / "README.md").unlink(missing_ok=True)
    stated = json.loads((FOLDER / "lora" / "adapter_config.json").read_text())
    write_json(FOLDER / "lora" / "adapter_config.json", {
        key: value for key, value in stated.items() if value not in (None, False, {})})
    with_lokr(fresh(upstream, config)).save_weights(str(FOLDER / "lokr.safetensors"), None, {})
    outputs = {}
    for index, mix in enumerate(MIXES):
        velocity = evaluate_mix(upstream, config, mix, inputs, run)
        others = [plain, *outputs.values()]
        assert min(relative(velocity, other) for other in others) > 0.02, mix
        outputs[f"velocity_{index}"] = velocity
    write_tensors(FOLDER / "io.safetensors", inputs | outputs)
    write_json(FOLDER / "io.json", {"timestep": run["timestep"], "mixes": MIXES})
    for path in FOLDER.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            print(f"{path.relative_to(FOLDER)}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Cannot import apex")
    main()
