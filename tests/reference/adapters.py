"""Makes `tests/fixtures/adapters`: adapters as PEFT and LyCORIS write them, and what each adds to the
model's weights, by the packages' own arithmetic in float32.

    python tests/reference/adapters.py

`base_*` hold the weights of small transformers with NewBie's names, made of plain modules: an adapter
sees modules and their names, and no more. Each other folder holds an adapter and
`expected.safetensors`, what it adds to each tensor at weight 1. `case.json` names the base."""

import json
import shutil

import torch
from lycoris.wrapper import LycorisNetwork
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from _shared import FIXTURES, generator, write_json, write_tensors

FOLDER = FIXTURES / "adapters"
QKV = ("attention.to_q", "attention.to_k", "attention.to_v")


class RMSNorm(torch.nn.Module):
    """As upstream's: LyCORIS knows norms by the name of their class and by `_norm`."""

    def __init__(self, dim):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

    def forward(self, x):
        return self._norm(x) * self.weight


def modules(dim, kv, ffn, cap, clip, patch, split):
    """Name → module, in upstream's names, or diffusers' (`split`)."""
    linear = torch.nn.Linear
    names = {
        "x_embedder": linear(patch, dim),
        "cap_embedder.0": RMSNorm(cap),
        "cap_embedder.1": linear(cap, dim),
        "time_text_embed.1": linear(dim + clip, dim),
        "clip_text_pooled_proj.0": RMSNorm(clip),
        "clip_text_pooled_proj.1": linear(clip, clip),
        "norm_final": RMSNorm(dim),
        "final_layer.linear": linear(dim, patch),
        "final_layer.adaLN_modulation.1": linear(dim, dim),
    }
    for block in ("layers.0", "layers.1", "noise_refiner.0", "context_refiner.0"):
        inner = {
            "attention.out": linear(dim, dim, bias=False),
            "feed_forward.w1": linear(dim, ffn, bias=False),
            "feed_forward.w2": linear(ffn, dim, bias=False),
            "feed_forward.w3": linear(dim, ffn, bias=False),
            "attention_norm1": RMSNorm(dim),
            "ffn_norm2": RMSNorm(dim),
        }
        if split:
            for name, rows in zip(QKV, (dim, kv, kv)):
                inner[name] = linear(dim, rows, bias=False)
        else:
            inner["attention.qkv"] = linear(dim, dim + 2 * kv, bias=False)
        if not block.startswith("context"):
            inner["adaLN_modulation.1"] = linear(dim, 4 * dim)
        names.update({f"{block}.{name}": module for name, module in inner.items()})
    return names


BASES = {
    "base_12": dict(dim=12, kv=4, ffn=20, cap=10, clip=6, patch=16),
    "base_30": dict(dim=30, kv=10, ffn=18, cap=14, clip=9, patch=8),
}


def tree(named):
    root = torch.nn.Module()
    for name, module in named.items():
        place = root
        *path, last = name.split(".")
        for step in path:
            if not hasattr(place, step):
                place.add_module(step, torch.nn.Module())
            place = getattr(place, step)
        place.add_module(last, module)
    return root


def base(name, split=False, rename=lambda name: name):
    """A base, whose values are the same apart and fused."""
    sizes = BASES[name]
    whole = tree(modules(**sizes, split=False))
    gen = generator(sizes["dim"])
    state = {
        key: torch.randn(value.shape, generator=gen) * 0.3
        for key, value in sorted(whole.state_dict().items())
    }
    if not split:
        whole.load_state_dict(state)
        return whole.requires_grad_(False)
    dim, kv = sizes["dim"], sizes["kv"]
    parts = {}
    for key, value in state.items():
        if "attention.qkv" in key:
            for part, rows in zip(QKV, value.split((dim, kv, kv))):
                parts[key.replace("attention.qkv", part)] = rows
        else:
            parts[key] = value
    named = {rename(key): module for key, module in modules(**sizes, split=True).items()}
    model = tree(named)
    model.load_state_dict({rename_tensor(key, rename): value for key, value in parts.items()})
    return model.requires_grad_(False)


def rename_tensor(key, rename):
    module, _, end = key.rpartition(".")
    return f"{rename(module)}.{end}"


def in_diffusers(module):
    norm1 = "norm1" if module.startswith("context_refiner") else "norm1.norm"
    return (
        module.replace("attention.to_", "attn.to_")
        .replace("attention.out", "attn.to_out.0")
        .replace("cap_embedder", "time_caption_embed.caption_embedder")
        .replace("final_layer.adaLN_modulation.1", "norm_out.linear_1")
        .replace("final_layer.linear", "norm_out.linear_2")
        .replace("adaLN_modulation.1", "norm1.linear")
        .replace("attention_norm1", norm1)
        .replace("feed_forward.w", "feed_forward.linear_")
    )


def randomise(parameters, seed, dtype):
    """Gives an adapter values that are none of its initial ones, rounded as they will be stored."""
    gen = generator(seed)
    with torch.no_grad():
        for name, parameter in sorted(parameters):
            # Magnitudes stay about what they were, as training leaves them.
            is_magnitude = "magnitude" in name or "dora_scale" in name
            noise = torch.randn(parameter.shape, generator=gen)
            value = parameter.abs() * (1 + 0.2 * noise) if is_magnitude else 0.4 * noise
            parameter.copy_(value.to(dtype))


def write(case, base_name, expected, facts):
    for name, value in expected.items():
        assert torch.isfinite(value).all() and value.abs().max() > 1e-3, (case, name)
    write_tensors(FOLDER / case / "expected.safetensors", expected)
    write_json(FOLDER / case / "case.json", {"base": base_name, **facts})


def peft_case(case, config, seed, base_name="base_12", dtype=torch.float32, split=False, **facts):
    rename = in_diffusers if split else (lambda name: name)
    before = {
        key: value.clone() for key, value in base(base_name, split, rename).state_dict().items()
    }
    model = get_peft_model(base(base_name, split, rename), config)
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    randomise(trained, seed, dtype)
    folder = FOLDER / case
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    tidy_config(folder / "adapter_config.json")
    if dtype != torch.float32:
        stored = folder / "adapter_model.safetensors"
        save_file({key: value.to(dtype) for key, value in load_file(stored).items()}, stored)
    (folder / "adapter_model.safetensors").chmod(0o644)
    after = model.merge_and_unload().state_dict()
    changed = {key: after[key] - value for key, value in before.items()}
    expected = {key: value for key, value in changed.items() if value.abs().max() > 0}
    if split:
        expected = fused(expected)
    write(case, base_name, expected, {"adapter": "", "format": "peft", **facts})
    return model


def tidy_config(path):
    """Leaves what says something of the adapter: the rest differs between PEFT's versions."""
    config = json.loads(path.read_text())
    write_json(path, {key: value for key, value in config.items() if value not in (None, False, {})})


def fused(expected):
    """Differences by diffusers' names → by upstream's, with queries, keys and values in one."""
    blocks = ("layers.0", "layers.1", "noise_refiner.0", "context_refiner.0")
    whole = {}
    for block in blocks:
        parts = [expected.pop(f"{block}.attn.to_{part}.weight", None) for part in "qkv"]
        if any(part is not None for part in parts):
            whole[f"{block}.attention.qkv.weight"] = torch.cat(parts)
    for key, value in expected.items():
        whole[
            key.replace("attn.to_out.0", "attention.out")
            .replace("norm1.linear", "adaLN_modulation.1")
            .replace("feed_forward.linear_", "feed_forward.w")
        ] = value
    return whole


NEWBIE_TARGETS = [
    "attention.qkv",
    "attention.out",
    "feed_forward.w2",
    "time_text_embed.1",
    "clip_text_pooled_proj.1",
]


def peft_cases():
    # As NewBie's trainer makes them.
    peft_case("peft_newbie", LoraConfig(
        r=3, lora_alpha=5, target_modules=NEWBIE_TARGETS, lora_dropout=0.05, bias="none"), 1)
    peft_case("peft_patterns", LoraConfig(
        r=4, lora_alpha=6,
        target_modules=["attention.qkv", "attention.out", "feed_forward.w1", "final_layer.linear"],
        rank_pattern={r"layers\.[0-1]\.attention\.qkv": 2, "feed_forward.w1": 5},
        alpha_pattern={r"(layers|noise_refiner)\.\d+\.attention\.(qkv|out)": 3.5, "w1": 9}),
        2, base_name="base_30")
    peft_case("peft_rslora", LoraConfig(
        r=5, lora_alpha=7, use_rslora=True, target_modules=["attention.out", "adaLN_modulation.1"]),
        3, dtype=torch.bfloat16)
    peft_case("peft_dora", LoraConfig(
        r=2, lora_alpha=3, use_dora=True, target_modules=["layers.0.attention.qkv", "x_embedder"]),
        4, base_name="base_30")
    peft_case("peft_modules_to_save", LoraConfig(
        r=2, lora_alpha=2, target_modules=["layers.1.feed_forward.w3"],
        modules_to_save=["final_layer.linear"]), 5)
    peft_case("peft_all_biases", LoraConfig(
        r=2, lora_alpha=3, bias="all", target_modules=["x_embedder", "layers.0.attention.out"],
        modules_to_save=["cap_embedder.1"]), 11, base_name="base_30")
    peft_case("peft_lora_bias", LoraConfig(
        r=2, lora_alpha=5, lora_bias=True, target_modules=["layers.0.adaLN_modulation.1"]), 6)
    peft_case("peft_lokr", LoKrConfig(
        r=2, alpha=3, decompose_both=True, init_weights=False,
        target_modules=["layers.0.attention.qkv", "layers.1.adaLN_modulation.1"]),
        7, base_name="base_30")
    peft_case("peft_lokr_whole", LoKrConfig(
        r=64, alpha=40, init_weights=False, target_modules=["layers.0.attention.qkv"]), 8)
    peft_case("peft_loha", LoHaConfig(
        r=3, alpha=4, init_weights=False, target_modules=["layers.0.feed_forward.w1"]), 9,
        dtype=torch.float16)


def diffusers_case():
    """diffusers' way: queries, keys and values apart, `transformer.` before the names, PEFT's
    configuration in the metadata, in one file."""
    config = LoraConfig(
        r=4, lora_alpha=2,
        target_modules=["to_q", "to_k", "to_v", "to_out.0", "feed_forward.linear_2", "norm1.linear"],
        rank_pattern={"to_k": 2}, alpha_pattern={"layers.0.attn.to_v": 8})
    case = "diffusers_split"
    model = peft_case(case, config, 10, split=True)
    folder = FOLDER / case
    state = load_file(folder / "adapter_model.safetensors")
    stated = {f"transformer.{key}": value for key, value in model.peft_config["default"].to_dict().items()
              if isinstance(value, (int, float, str, dict)) and key in
              ("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora")}
    save_file(
        {key.replace("base_model.model.", "transformer."): value for key, value in state.items()},
        folder / "pytorch_lora_weights.safetensors",
        metadata={"format": "pt", "lora_adapter_metadata": json.dumps(stated)})
    (folder / "pytorch_lora_weights.safetensors").chmod(0o644)
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_config.json").unlink()
    write_json(folder / "case.json", {
        "base": "base_12", "adapter": "pytorch_lora_weights.safetensors", "format": "diffusers"})


def lycoris_case(case, names, seed, base_name="base_12", dtype=torch.float32, prefix="lycoris",
                 split=False, train_norm=False, **options):
    rename = in_diffusers if split else (lambda name: name)
    model = base(base_name, split, rename)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    LycorisNetwork.apply_preset({
        "enable_conv": True, "target_module": [], "target_name": [f"*{name}" for name in names],
        "use_fnmatch": True, "exclude_name": [], "lora_prefix": prefix})
    network = LycorisNetwork(model, multiplier=1.0, train_norm=train_norm, **options)
    inputs = {}
    for lora in network.loras:
        module = lora.org_module[0]
        name = next(name for name, other in model.named_modules() if other is module)
        inputs[name] = (module, lora)
    network.apply_to()
    randomise(list(network.named_parameters()), seed, dtype)
    folder = FOLDER / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    network.save_weights(str(folder / "adapter.safetensors"), dtype, {"ss_network_module": "lycoris"})
    (folder / "adapter.safetensors").chmod(0o644)
    expected = {}
    for name, (module, lora) in inputs.items():
        weight = before[f"{name}.weight"]
        with torch.no_grad():
            if weight.dim() == 1:
                expected[f"{name}.weight"] = lora.w_norm.clone()
                continue
            # By the module's own forward, as in training: the columns of the identity.
            eye = torch.eye(weight.shape[1])
            zero = torch.zeros(1, weight.shape[1])
            bias = module.forward(zero)
            expected[f"{name}.weight"] = (module.forward(eye) - bias).T - weight
            if f"{name}.bias" in before:
                moved = bias[0] - before[f"{name}.bias"]
                if moved.abs().max() > 1e-3:
                    expected[f"{name}.bias"] = moved
    format_name = "kohya" if prefix.startswith("lora_") and "lora" in case else "lycoris"
    write(case, base_name, fused(expected) if split else expected,
          {"adapter": "adapter.safetensors", "format": format_name})


def lycoris_cases():
    names = ["layers.0.attention.qkv", "layers.1.feed_forward.w2", "time_text_embed.1"]
    lycoris_case("kohya_lora", names, 21, prefix="lora_unet", dtype=torch.float16,
                 network_module="lora", lora_dim=4, alpha=3)
    lycoris_case("kohya_rslora", names, 22, prefix="lora_unet", base_name="base_30",
                 network_module="lora", lora_dim=5, alpha=2, rs_lora=True)
    lycoris_case("kohya_lora_dora", names, 23, prefix="lora_unet",
                 network_module="lora", lora_dim=2, alpha=1, weight_decompose=True)
    lycoris_case("lycoris_loha", names, 24, base_name="base_30", dtype=torch.bfloat16,
                 network_module="loha", lora_dim=3, alpha=5)
    lycoris_case("lycoris_loha_dora_columns", names, 25,
                 network_module="loha", lora_dim=2, alpha=2, weight_decompose=True, wd_on_out=False)
    lycoris_case("lycoris_lokr", names, 26, base_name="base_30",
                 network_module="lokr", lora_dim=2, alpha=3, factor=-1)
    lycoris_case("lycoris_lokr_both", names, 27, base_name="base_30",
                 network_module="lokr", lora_dim=2, alpha=1, factor=6, decompose_both=True)
    lycoris_case("lycoris_lokr_dora", names, 28,
                 network_module="lokr", lora_dim=1, alpha=1, factor=3, weight_decompose=True)
    # NewBie's trainer's own LoKr: a rank far beyond all dimensions, norms trained, too.
    lycoris_case("lycoris_newbie", NEWBIE_TARGETS + ["attention_norm1", "ffn_norm2", "norm_final"],
                 29, network_module="lokr", lora_dim=114514, conv_lora_dim=114514, alpha=114514,
                 conv_alpha=114514, factor=8, train_norm=True)
    lycoris_case("lycoris_full", ["layers.0.attention.out", "layers.0.adaLN_modulation.1"], 30,
                 network_module="full")
    lycoris_case("lycoris_lokr_split", ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"], 31,
                 base_name="base_30", split=True, network_module="lokr", lora_dim=2, alpha=4)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in BASES:
        write_tensors(FOLDER / name / "model.safetensors", base(name).state_dict())
        write_tensors(FOLDER / f"{name}_apart" / "model.safetensors",
                      base(name, True, in_diffusers).state_dict())
    peft_cases()
    diffusers_case()
    lycoris_cases()
    total = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{len(list(FOLDER.iterdir()))} folders, {total / 1024:.0f} KiB")
