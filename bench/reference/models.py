"""The networks in plain PyTorch, and how a checkpoint becomes one. Not run by itself.

NextDiT          upstream's NextDiT_CLIP (NewBieAI-Lab/NewBie-image-Exp0.1, models/model.py)
JinaClip         the text tower of Jina CLIP v2 (jinaai/xlm-roberta-flash-implementation)
Gemma3           transformers' own Gemma3TextModel, without the last layer, which no feature needs
AutoencoderTiny, AutoencoderKL   the decoders of diffusers' classes of these names

A baseline must be as good as PyTorch without kernels of one's own allows: fused norms and
attention, grouped heads without copies, no masks, each caption at its exact length, rotary tables
made once, what depends on the text alone computed once a prompt, and nothing that makes
torch.compile stop. As in upstream the residual stream has the type of the weights, while norms and
rotations compute in float32. What goes in and comes out is float32.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

# ---------------------------------------------------------------------------------------------
# NextDiT with CLIP conditioning

NEXT_DIT_DEFAULTS = {"multiple_of": 256, "ffn_dim_multiplier": None, "norm_eps": 1e-5}


def rope_tables(angles, device):
    """Angles [L, D / 2] in float32 → [L, D / 2, 2], cosines and sines."""
    wide = angles.double()
    return torch.stack([wide.cos(), wide.sin()], dim=-1).float().to(device)


def next_dit_rope(config, length, rows, columns, device):
    """The tables of caption tokens at (i, 0, 0) and of patches at (length, row, column)."""
    places = torch.arange(rows * columns)
    caption = [torch.arange(length), torch.zeros(length), torch.zeros(length)]
    image = [torch.full((rows * columns,), length), places // columns, places % columns]
    rates = [10_000.0 ** -(torch.arange(0, d, 2).double() / d) for d in config["axes_dims"]]

    def tables(positions):
        angles = [torch.outer(p.double(), rate).float() for p, rate in zip(positions, rates)]
        return rope_tables(torch.cat(angles, dim=1), device)

    return tables(caption), tables(image)


def rotate_pairs(x, rope):
    """x [B, L, H, D]: (2i, 2i + 1) turn together. Complex numbers are three kernels where real ones
    are eight, but torch.compile makes one kernel of the real ones and none of the complex."""
    pairs = x.float().unflatten(-1, (-1, 2))
    if torch.compiler.is_compiling():
        (a, b), (cos, sin) = pairs.unbind(-1), rope[:, None].unbind(-1)
        turned = torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1)
    else:
        turned = torch.view_as_complex(pairs) * torch.view_as_complex(rope)[:, None]
        turned = torch.view_as_real(turned)
    return turned.flatten(-2).type_as(x)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


# Not each of PyTorch's kernels knows groups of heads; for those that do not, heads are repeated.
REPEAT_HEADS = False


def grouped_attention(q, k, v):
    """q [B, H, L, D], k and v [B, H / n, L, D]."""
    if REPEAT_HEADS:
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=not REPEAT_HEADS)


class JointAttention(nn.Module):
    def __init__(self, dim, heads, kv_heads):
        super().__init__()
        self.width = dim // heads
        self.heads = [heads, kv_heads, kv_heads]
        self.qkv = nn.Linear(dim, sum(self.heads) * self.width, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.q_norm, self.k_norm = RMSNorm(self.width), RMSNorm(self.width)

    def forward(self, x, rope):
        q, k, v = self.qkv(x).unflatten(-1, (-1, self.width)).split(self.heads, dim=2)
        q, k = rotate_pairs(self.q_norm(q), rope), rotate_pairs(self.k_norm(k), rope)
        mixed = grouped_attention(*(t.transpose(1, 2) for t in (q, k, v)))
        return self.out(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


def linear_after_silu(inputs, outputs):
    """Under the name that upstream's Sequential of SiLU and Linear gives; SiLU is the caller's."""
    return nn.ModuleDict({"1": nn.Linear(inputs, outputs)})


class Block(nn.Module):
    def __init__(self, config, modulated):
        super().__init__()
        dim, eps = config["dim"], config["norm_eps"]
        hidden = int((config["ffn_dim_multiplier"] or 1) * 4 * dim)
        hidden = math.ceil(hidden / config["multiple_of"]) * config["multiple_of"]
        self.attention = JointAttention(dim, config["n_heads"], config["n_kv_heads"])
        self.feed_forward = FeedForward(dim, hidden)
        self.attention_norm1, self.attention_norm2 = RMSNorm(dim, eps), RMSNorm(dim, eps)
        self.ffn_norm1, self.ffn_norm2 = RMSNorm(dim, eps), RMSNorm(dim, eps)
        if modulated:
            self.adaLN_modulation = linear_after_silu(min(dim, 1024), 4 * dim)

    def forward(self, x, rope, condition=None):
        """condition: [B, 1, min(dim, 1024)] after SiLU; None in the context refiner's blocks."""
        if condition is None:
            x = x + self.attention_norm2(self.attention(self.attention_norm1(x), rope))
            return x + self.ffn_norm2(self.feed_forward(self.ffn_norm1(x)))
        factors = self.adaLN_modulation["1"](condition).chunk(4, dim=-1)
        scale_msa, gate_msa, scale_mlp, gate_mlp = factors
        inner = self.attention(self.attention_norm1(x) * (1 + scale_msa), rope)
        x = x + gate_msa.tanh() * self.attention_norm2(inner)
        inner = self.feed_forward(self.ffn_norm1(x) * (1 + scale_mlp))
        return x + gate_mlp.tanh() * self.ffn_norm2(inner)


class FinalLayer(nn.Module):
    def __init__(self, dim, width):
        super().__init__()
        self.linear = nn.Linear(dim, width)
        self.adaLN_modulation = linear_after_silu(min(dim, 1024), dim)

    def forward(self, x, condition):
        x = F.layer_norm(x, x.shape[-1:], eps=1e-6)
        return self.linear(x * (1 + self.adaLN_modulation["1"](condition)))


class TimestepEmbedder(nn.Module):
    WIDTH = 256

    def __init__(self, dim):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(self.WIDTH, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t):
        half = self.WIDTH // 2
        rates = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device) / half)
        angles = t[:, None].float() * rates
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1).type_as(self.mlp[0].weight))


class NextDiT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config = NEXT_DIT_DEFAULTS | config
        assert config["qk_norm"] and config["clip_text_dim"], "only the kind with both is written"
        dim, patch, pooled = config["dim"], config["patch_size"], config["clip_text_dim"]
        narrow, width = min(dim, 1024), patch * patch * config["in_channels"]
        refiners = range(config["n_refiner_layers"])
        self.x_embedder = nn.Linear(width, dim)
        self.noise_refiner = nn.ModuleList(Block(config, True) for _ in refiners)
        self.context_refiner = nn.ModuleList(Block(config, False) for _ in refiners)
        self.t_embedder = TimestepEmbedder(narrow)
        norm = RMSNorm(config["cap_feat_dim"], config["norm_eps"])
        self.cap_embedder = nn.Sequential(norm, nn.Linear(config["cap_feat_dim"], dim))
        self.layers = nn.ModuleList(Block(config, True) for _ in range(config["n_layers"]))
        self.final_layer = FinalLayer(dim, width)
        self.time_text_embed = linear_after_silu(narrow + pooled, narrow)
        self.clip_text_pooled_proj = nn.Sequential(RMSNorm(pooled), nn.Linear(pooled, pooled))

    def text(self, features, pooled, caption_rope):
        """Once a prompt: features [B, L, cap_feat_dim], pooled [B, P] → [B, L, dim], [B, P]."""
        kind = self.x_embedder.weight.dtype
        caption = self.cap_embedder(features.to(kind))
        for block in self.context_refiner:
            caption = block(caption, caption_rope)
        return caption.float(), self.clip_text_pooled_proj(pooled.to(kind)).float()

    def step(self, latents, timestep, caption, pooled, caption_rope, image_rope):
        """Once a step: latents [B, C, H, W], timestep [B] and what `text` gave → [B, C, H, W]."""
        kind = self.x_embedder.weight.dtype
        patch = self.config["patch_size"]
        _, channels, height, width = latents.shape
        rows, columns, length = height // patch, width // patch, caption.shape[1]
        joint = torch.cat([self.t_embedder(timestep), pooled.to(kind)], dim=-1)
        condition = F.silu(self.time_text_embed["1"](F.silu(joint)))[:, None]
        patches = latents.to(kind).unflatten(3, (columns, patch)).unflatten(2, (rows, patch))
        image = self.x_embedder(patches.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2))
        for block in self.noise_refiner:
            image = block(image, image_rope, condition)
        x = torch.cat([caption.to(kind), image], dim=1)
        rope = torch.cat([caption_rope, image_rope])
        for block in self.layers:
            x = block(x, rope, condition)
        x = self.final_layer(x[:, length:], condition).float()
        x = x.unflatten(2, (patch, patch, channels)).unflatten(1, (rows, columns))
        return x.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


class Float8Linear(nn.Module):
    """A Linear without bias whose product is of float8 rows: each row of the matrix and each token
    has its scale, by which its largest value becomes the largest that e4m3 has."""

    LARGEST = torch.finfo(torch.float8_e4m3fn).max

    def __init__(self, linear):
        super().__init__()
        rows, scales = self.rows(linear.weight)
        # Buffers, because autograd knows no float8.
        self.register_buffer("weight", rows)
        self.register_buffer("scales", scales.reshape(1, -1))

    def rows(self, x):
        scales = x.abs().amax(dim=-1, keepdim=True).float().clamp(min=1e-12) / self.LARGEST
        return (x.float() / scales).to(torch.float8_e4m3fn), scales

    def forward(self, x):
        rows, scales = self.rows(x.flatten(0, -2))
        # Sums of less than float32: the faster way of the two, and usual where nothing is trained.
        out = torch._scaled_mm(
            rows, self.weight.t(), scales, self.scales, out_dtype=x.dtype, use_fast_accum=True
        )
        return out.unflatten(0, x.shape[:-1])


def use_float8(blocks):
    """Products with the weights of these blocks, in float8 from now on; modulations are not."""
    for block in blocks:
        products = {block.attention: ["qkv", "out"], block.feed_forward: ["w1", "w2", "w3"]}
        for part, names in products.items():
            for name in names:
                setattr(part, name, Float8Linear(getattr(part, name)))


# ---------------------------------------------------------------------------------------------
# Text


class Gemma3(nn.Module):
    """`hidden_states[-2]`, the input of the last layer: so that layer and the norm are left out."""

    def __init__(self, config):
        super().__init__()
        # Imported here, because it takes seconds that who needs no Gemma need not spend.
        from transformers import Gemma3TextConfig, Gemma3TextModel

        config = dict(config.get("text_config", config))
        config["num_hidden_layers"] -= 1
        if config.get("layer_types"):
            config["layer_types"] = config["layer_types"][:-1]
        self.model = Gemma3TextModel(Gemma3TextConfig(**config, attn_implementation="sdpa"))
        self.model.norm = nn.Identity()

    def restore_buffers(self, device):
        """Checkpoints do not hold them."""
        model, config = self.model, self.model.config
        model.rotary_emb = type(model.rotary_emb)(config).to(device)
        model.embed_tokens.embed_scale = torch.tensor(config.hidden_size**0.5, device=device)

    def forward(self, ids):
        """ids [B, L] without padding → features [B, L, hidden]."""
        window = self.model.config.sliding_window
        # Up to the window both kinds of mask are plain causality, which attention knows by itself.
        masks = {"full_attention": None, "sliding_attention": None}
        mask = masks if ids.shape[1] <= window else None
        return self.model(ids, attention_mask=mask, use_cache=False).last_hidden_state.float()


def jina_rope(config, length, device):
    width = config["hidden_size"] // config["num_attention_heads"]
    rates = 1.0 / config["rotary_emb_base"] ** (torch.arange(0, width, 2).float() / width)
    return rope_tables(torch.outer(torch.arange(length).float(), rates), device)


def rotate_halves(x, rope):
    """x [B, L, H, D]: (i, i + D / 2) turn together."""
    (a, b), (cos, sin) = x.float().chunk(2, dim=-1), rope[:, None].unbind(-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).type_as(x)


class JinaLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, inner, eps = (
            config[key] for key in ("hidden_size", "intermediate_size", "layer_norm_eps")
        )
        self.heads = config["num_attention_heads"]
        projections = {"Wqkv": nn.Linear(hidden, 3 * hidden), "out_proj": nn.Linear(hidden, hidden)}
        self.mixer = nn.ModuleDict(projections)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(hidden, inner), "fc2": nn.Linear(inner, hidden)})
        self.norm1, self.norm2 = nn.LayerNorm(hidden, eps), nn.LayerNorm(hidden, eps)

    def forward(self, x, rope):
        q, k, v = self.mixer["Wqkv"](x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        q, k = rotate_halves(q, rope), rotate_halves(k, rope)
        mixed = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)))
        x = self.norm1(x + self.mixer["out_proj"](mixed.transpose(1, 2).flatten(2)))
        return self.norm2(x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](x))))


class JinaClip(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        hidden, eps = config["hidden_size"], config["layer_norm_eps"]
        tables = {
            "word_embeddings": nn.Embedding(config["vocab_size"], hidden),
            "token_type_embeddings": nn.Embedding(config["type_vocab_size"], hidden),
        }
        layers = nn.ModuleList(JinaLayer(config) for _ in range(config["num_hidden_layers"]))
        self.embeddings = nn.ModuleDict(tables)
        self.emb_ln = nn.LayerNorm(hidden, eps)
        self.encoder = nn.ModuleDict({"layers": layers})

    def forward(self, ids, rope):
        """ids [B, L] without padding → their mean [B, hidden]."""
        x = self.embeddings["word_embeddings"](ids)
        x = self.emb_ln(x + self.embeddings["token_type_embeddings"].weight[0])
        for layer in self.encoder["layers"]:
            x = layer(x, rope)
        return x.float().mean(dim=1)


# ---------------------------------------------------------------------------------------------
# Decoders: latents as sampling leaves them → pictures of about -1…1


def conv3(inputs, outputs, bias=True):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


class TinyBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        convs = [conv3(width, width) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])

    def forward(self, x):
        return F.relu(self.conv(x) + x)


TINY_DEFAULTS = {"act_fn": "relu", "scaling_factor": 1, "shift_factor": 0, "out_channels": 3} | {
    "decoder_block_out_channels": [64] * 4,
    "num_decoder_blocks": [3, 3, 3, 1],
    "upsampling_scaling_factor": 2,
}


class AutoencoderTiny(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config = TINY_DEFAULTS | config
        assert config["act_fn"] == "relu"
        widths, counts = config["decoder_block_out_channels"], config["num_decoder_blocks"]
        layers = [conv3(config["latent_channels"], widths[0]), nn.ReLU()]
        for i, (width, count) in enumerate(zip(widths, counts)):
            layers.extend(TinyBlock(width) for _ in range(count))
            if i < len(widths) - 1:
                layers.append(nn.Upsample(scale_factor=config["upsampling_scaling_factor"]))
                layers.append(conv3(width, widths[i + 1], bias=False))
            else:
                layers.append(conv3(width, config["out_channels"]))
        self.decoder = nn.ModuleDict({"layers": nn.Sequential(*layers)})

    def forward(self, latents):
        x = latents / self.config["scaling_factor"] + (self.config["shift_factor"] or 0)
        x = (torch.tanh(x / 3) * 3).to(self.decoder["layers"][0].weight.dtype)
        return self.decoder["layers"](x).float() * 2 - 1


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, inputs, 1e-6), conv3(inputs, outputs)
        self.norm2, self.conv2 = nn.GroupNorm(groups, outputs, 1e-6), conv3(outputs, outputs)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        inner = self.conv1(F.silu(self.norm1(x)))
        return self.conv_shortcut(x) + self.conv2(F.silu(self.norm2(inner)))


class PixelAttention(nn.Module):
    """One head over all pixels of the latents."""

    def __init__(self, width, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, 1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x):
        pixels = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = (project(pixels)[:, None] for project in (self.to_q, self.to_k, self.to_v))
        mixed = self.to_out[0](F.scaled_dot_product_attention(q, k, v)[:, 0])
        return x + mixed.transpose(1, 2).unflatten(2, x.shape[2:])


class Upsampler(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = conv3(width, width)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class AutoencoderKL(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        assert config["act_fn"] == "silu" and not config["use_post_quant_conv"]
        widths, groups = config["block_out_channels"][::-1], config["norm_num_groups"]
        first, last = widths[0], widths[-1]
        blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            inputs = [widths[max(i - 1, 0)], *[width] * config["layers_per_block"]]
            resnets = nn.ModuleList(Resnet(before, width, groups) for before in inputs)
            ups = [Upsampler(width)] if i < len(widths) - 1 else []
            blocks.append(nn.ModuleDict({"resnets": resnets, "upsamplers": nn.ModuleList(ups)}))
        middle = {
            "resnets": nn.ModuleList(Resnet(first, first, groups) for _ in range(2)),
            "attentions": nn.ModuleList([PixelAttention(first, groups)]),
        }
        self.decoder = nn.ModuleDict(
            {
                "conv_in": conv3(config["latent_channels"], first),
                "mid_block": nn.ModuleDict(middle),
                "up_blocks": blocks,
                "conv_norm_out": nn.GroupNorm(groups, last, 1e-6),
                "conv_out": conv3(last, config["out_channels"]),
            }
        )

    def forward(self, latents):
        decoder, config = self.decoder, self.config
        x = latents / config["scaling_factor"] + (config["shift_factor"] or 0)
        x = decoder["conv_in"](x.to(decoder["conv_in"].weight.dtype))
        before, after = decoder["mid_block"]["resnets"]
        x = after(decoder["mid_block"]["attentions"][0](before(x)))
        for block in decoder["up_blocks"]:
            for layer in [*block["resnets"], *block["upsamplers"]]:
                x = layer(x)
        return decoder["conv_out"](F.silu(decoder["conv_norm_out"](x))).float()


def pixels_per_latent(config):
    blocks = config.get("block_out_channels") or config["decoder_block_out_channels"]
    return 2 ** (len(blocks) - 1)


# ---------------------------------------------------------------------------------------------
# From files

# Each part's class, its type of arithmetic besides float32 (that of the toolkit), a tensor that
# shows what stands before the names in its file, and its folder in the toolkit's layout and in the
# demo model's.
PARTS = {
    "transformer": (NextDiT, torch.bfloat16, "x_embedder.weight", ["next-dit-3.5b", "next-dit"]),
    "text_encoder": (
        Gemma3,
        torch.bfloat16,
        "embed_tokens.weight",
        ["transformer/gemma-3-2b", "transformer"],
    ),
    "clip_model": (
        JinaClip,
        torch.bfloat16,
        "embeddings.word_embeddings.weight",
        ["clip_model/jina-clip-v2", "clip_model"],
    ),
    "vae": (AutoencoderTiny, torch.float16, "decoder.layers.0.weight", ["vae/taesd", "vae"]),
    "vae_kl": (
        AutoencoderKL,
        torch.float16,
        "decoder.conv_in.weight",
        ["vae/autoencoder-kl", "vae-kl"],
    ),
}


def folder_of(models, part):
    places = [Path(models) / place for place in PARTS[part][-1]]
    found = next((place for place in places if (place / "config.json").exists()), None)
    if found is None:
        raise SystemExit(f"{part}: neither {' nor '.join(map(str, places))} has a config.json")
    return found


def config_of(models, part):
    return json.loads((folder_of(models, part) / "config.json").read_text(encoding="utf-8"))


def load(models, part, device, dtype=None):
    """Reads a part, and of its file only what it uses, straight onto the device."""
    kind, half, probe, _ = PARTS[part]
    with torch.device("meta"):
        module = kind(config_of(models, part))
    network = module.model if part == "text_encoder" else module
    stored = {}
    for file in sorted(folder_of(models, part).glob("*.safetensors")):
        reader = safe_open(file, framework="pt", device=str(device))
        stored |= dict.fromkeys(reader.keys(), reader)
    prefix = next((name.removesuffix(probe) for name in stored if name.endswith(probe)), "")
    wanted = network.state_dict()
    if lacking := [name for name in wanted if prefix + name not in stored]:
        raise SystemExit(f"{folder_of(models, part)} lacks {', '.join(lacking)}")
    for name in wanted:
        wanted[name] = stored[prefix + name].get_tensor(prefix + name).to(dtype or half)
    network.load_state_dict(wanted, assign=True)
    if part == "text_encoder":
        module.restore_buffers(device)
    return module.eval().requires_grad_(False)
