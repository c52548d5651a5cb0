"""The five networks of the demo model, under the parameter names of the references. Not run by
itself.

NextDiT_CLIP   upstream's NextDiT_CLIP (NewBieAI-Lab/NewBie-image-Exp0.1, models/model.py)
Gemma3Text     transformers' Gemma3TextModel; its features are `hidden_states[-2]`
JinaText       ComfyUI's jina_clip_2.py
TinyAutoencoder, KlAutoencoder   diffusers' AutoencoderTiny and AutoencoderKL

Written for training: a batch of texts is padded on the LEFT, so that in every row the padding, and
what is real (text, then image), are two segments without a gap. Attention that keeps to segments
then needs no mask, which is what the fast kernels for sequences of unequal length want.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from fused import add_normed, gated, rms, rotated_attention, scaled_norm
from torch import nn


@dataclass(frozen=True)
class Segments:
    """Rows of `length` tokens, of which the first `padding[i]` are padding.

    `bounds` has the ends of all segments when the rows are laid end to end: 0, then two a row (one
    where there is no padding).
    """

    padding: torch.Tensor
    bounds: torch.Tensor
    length: int

    @staticmethod
    def of(padding: torch.Tensor, length: int) -> "Segments":
        starts = torch.arange(len(padding), device=padding.device) * length
        ends = torch.stack([starts + padding, starts + length], dim=1).flatten()
        return Segments(padding, F.pad(ends, (1, 0)).to(torch.int32), length)

    @staticmethod
    def without_padding(batch: int, length: int, device: torch.device) -> "Segments":
        bounds = torch.arange(batch + 1, device=device, dtype=torch.int32) * length
        return Segments(torch.zeros(batch, dtype=torch.int64, device=device), bounds, length)

    def real(self) -> torch.Tensor:
        """[B, L], false in the padding."""
        places = torch.arange(self.length, device=self.padding.device)
        return places >= self.padding[:, None]


# ---------------------------------------------------------------------------------------------
# NextDiT with CLIP conditioning


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return rms(x, self.weight, self.eps)


class JointAttention(nn.Module):
    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__()
        head_dim = dim // n_heads
        self.heads = (n_heads, n_kv_heads)
        self.qkv = nn.Linear(dim, (n_heads + 2 * n_kv_heads) * head_dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.q_norm = RMSNorm(head_dim)
        self.k_norm = RMSNorm(head_dim)
        for layer in (self.qkv, self.out):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x, rope, segments):
        norms = self.q_norm.weight, self.k_norm.weight
        eps = self.q_norm.eps
        mixed = rotated_attention(self.qkv(x), self.heads, rope, segments, norms=norms, eps=eps)
        return self.out(mixed)


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)
        for layer in (self.w1, self.w2, self.w3):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x):
        both = torch.cat([self.w1.weight, self.w3.weight])
        return self.w2(gated(F.linear(x, both), "silu"))


class Block(nn.Module):
    def __init__(self, config, modulated):
        super().__init__()
        dim, eps = config["dim"], config["norm_eps"]
        multiple = config["multiple_of"]
        hidden = int(config["ffn_dim_multiplier"] * 4 * dim)
        self.attention = JointAttention(dim, config["n_heads"], config["n_kv_heads"])
        self.feed_forward = FeedForward(dim, math.ceil(hidden / multiple) * multiple)
        self.attention_norm1 = RMSNorm(dim, eps)
        self.ffn_norm1 = RMSNorm(dim, eps)
        self.attention_norm2 = RMSNorm(dim, eps)
        self.ffn_norm2 = RMSNorm(dim, eps)
        if modulated:
            self.adaLN_modulation = nn.Sequential(nn.SiLU(), zero(nn.Linear(min(dim, 1024), 4 * dim)))

    def forward(self, x, rope, segments, c=None):
        factors = [None] * 4
        if c is not None:
            scale_msa, gate_msa, scale_mlp, gate_mlp = self.adaLN_modulation(c).chunk(4, -1)
            factors = [1 + scale_msa, gate_msa.tanh(), 1 + scale_mlp, gate_mlp.tanh()]
        eps = self.attention_norm1.eps
        x, inner = scaled_norm(x, self.attention_norm1.weight, eps, factors[0])
        inner = self.attention(inner, rope, segments)
        x = add_normed(x, inner, self.attention_norm2.weight, eps, factors[1])
        x, inner = scaled_norm(x, self.ffn_norm1.weight, eps, factors[2])
        return add_normed(x, self.feed_forward(inner), self.ffn_norm2.weight, eps, factors[3])


def zero(layer):
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class TimestepEmbedder(nn.Module):
    WIDTH = 256

    def __init__(self, dim):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(self.WIDTH, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t):
        half = self.WIDTH // 2
        rates = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device) / half)
        angles = t[:, None].float() * rates
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class FinalLayer(nn.Module):
    def __init__(self, dim, width):
        super().__init__()
        self.norm_final = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.linear = zero(nn.Linear(dim, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), zero(nn.Linear(min(dim, 1024), dim)))

    def forward(self, x, c):
        return self.linear(self.norm_final(x) * (1 + self.adaLN_modulation(c)[:, None]))


class NextDiT_CLIP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        dim, patch, pooled = config["dim"], config["patch_size"], config["clip_text_dim"]
        narrow = min(dim, 1024)
        width = patch * patch * config["in_channels"]
        refiners = range(config["n_refiner_layers"])
        self.x_embedder = nn.Linear(width, dim)
        self.noise_refiner = nn.ModuleList([Block(config, True) for _ in refiners])
        self.context_refiner = nn.ModuleList([Block(config, False) for _ in refiners])
        self.t_embedder = TimestepEmbedder(narrow)
        self.cap_embedder = nn.Sequential(
            RMSNorm(config["cap_feat_dim"], config["norm_eps"]),
            nn.Linear(config["cap_feat_dim"], dim),
        )
        self.layers = nn.ModuleList([Block(config, True) for _ in range(config["n_layers"])])
        self.norm_final = RMSNorm(dim, config["norm_eps"])  # in checkpoints, and used by nobody
        self.final_layer = FinalLayer(dim, width)
        # Upstream starts this layer at zero, from a trained model. From nothing it must not: what
        # it feeds is zero too, and between two zeros no gradient flows.
        self.time_text_embed = nn.Sequential(nn.SiLU(), nn.Linear(narrow + pooled, narrow))
        self.clip_text_pooled_proj = nn.Sequential(RMSNorm(pooled), nn.Linear(pooled, pooled))
        for axis, (width, length) in enumerate(zip(config["axes_dims"], config["axes_lens"])):
            rates = 1.0 / 10_000.0 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
            angles = torch.outer(torch.arange(length, dtype=torch.float64), rates)
            table = torch.stack([angles.cos(), angles.sin()]).float()
            self.register_buffer(f"rope_{axis}", table, persistent=False)

    def rope(self, segments, rows, columns):
        """Cosines and sines [B, captions + rows · columns, head_dim / 2].

        Caption token i is at (i, 0, 0), image token (r, c) at (length of the caption, r, c).
        """
        length, device = segments.length, segments.padding.device
        batch = len(segments.padding)
        place = (torch.arange(length, device=device) - segments.padding[:, None]).clamp(min=0)
        count = length - segments.padding
        first = torch.cat([place, count[:, None].expand(batch, rows * columns)], dim=1)
        row = torch.arange(rows, device=device).repeat_interleave(columns)
        column = torch.arange(columns, device=device).repeat(rows)
        zeros = torch.zeros(length, dtype=row.dtype, device=device)
        tables = [
            self.rope_0[:, first],
            self.rope_1[:, torch.cat([zeros, row])][:, None].expand(-1, batch, -1, -1),
            self.rope_2[:, torch.cat([zeros, column])][:, None].expand(-1, batch, -1, -1),
        ]
        return torch.cat(tables, dim=-1).unbind(0)

    def forward(self, latents, t, captions, pooled, segments):
        """latents [B, C, H, W], t [B], captions [B, L, D] padded on the left, pooled [B, P]."""
        patch = self.config["patch_size"]
        batch, channels, height, width = latents.shape
        rows, columns = height // patch, width // patch
        length, count = segments.length, rows * columns
        whole = Segments.of(segments.padding, length + count)
        image_alone = Segments.without_padding(batch, count, latents.device)
        rope = self.rope(segments, rows, columns)
        # Their order in a row is caption, image: the image's part is the end.
        caption_rope = [table[:, :length] for table in rope]
        image_rope = [table[:, length:] for table in rope]

        c = torch.cat([self.t_embedder(t), self.clip_text_pooled_proj(pooled)], dim=-1)
        c = self.time_text_embed(c)
        caption = self.cap_embedder(captions).float()
        for block in self.context_refiner:
            caption = block(caption, caption_rope, segments)
        patches = latents.unflatten(3, (columns, patch)).unflatten(2, (rows, patch))
        image = self.x_embedder(patches.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)).float()
        for block in self.noise_refiner:
            image = block(image, image_rope, image_alone, c)
        x = torch.cat([caption, image], dim=1)
        for block in self.layers:
            x = block(x, rope, whole, c)
        x = self.final_layer(x[:, length:], c).float()
        x = x.unflatten(2, (patch, patch, channels)).unflatten(1, (rows, columns))
        return x.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


# ---------------------------------------------------------------------------------------------
# Text


class GemmaNorm(nn.Module):
    """Its weights are what is added to one."""

    def __init__(self, dim, eps):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(dim))

    def whole_weight(self):
        return 1.0 + self.weight


def language_rope(segments, width, base):
    rates = base ** -(torch.arange(0, width, 2, device=segments.padding.device) / width)
    places = torch.arange(segments.length, device=segments.padding.device)
    angles = (places - segments.padding[:, None]).clamp(min=0)[..., None].float() * rates
    return angles.cos(), angles.sin()


class GemmaAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, width = config["hidden_size"], config["head_dim"]
        heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.heads, self.scale = (heads, kv_heads), config["query_pre_attn_scalar"] ** -0.5
        self.q_proj = nn.Linear(hidden, heads * width, bias=False)
        self.k_proj = nn.Linear(hidden, kv_heads * width, bias=False)
        self.v_proj = nn.Linear(hidden, kv_heads * width, bias=False)
        self.o_proj = nn.Linear(heads * width, hidden, bias=False)
        self.q_norm = GemmaNorm(width, config["rms_norm_eps"])
        self.k_norm = GemmaNorm(width, config["rms_norm_eps"])

    def forward(self, x, rope, segments):
        weight = torch.cat([p.weight for p in (self.q_proj, self.k_proj, self.v_proj)])
        mixed = rotated_attention(
            F.linear(x, weight),
            self.heads,
            rope,
            segments,
            norms=(self.q_norm.whole_weight(), self.k_norm.whole_weight()),
            eps=self.q_norm.eps,
            halves=True,
            causal=True,
            scale=self.scale,
        )
        return self.o_proj(mixed)


class GemmaMlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        both = torch.cat([self.gate_proj.weight, self.up_proj.weight])
        return self.down_proj(gated(F.linear(x, both), "gelu_tanh"))


class GemmaLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, eps = config["hidden_size"], config["rms_norm_eps"]
        self.self_attn = GemmaAttention(config)
        self.mlp = GemmaMlp(config)
        self.input_layernorm = GemmaNorm(hidden, eps)
        self.post_attention_layernorm = GemmaNorm(hidden, eps)
        self.pre_feedforward_layernorm = GemmaNorm(hidden, eps)
        self.post_feedforward_layernorm = GemmaNorm(hidden, eps)

    def forward(self, x, rope, segments):
        eps = self.input_layernorm.eps
        x, inner = scaled_norm(x, self.input_layernorm.whole_weight(), eps)
        inner = self.self_attn(inner, rope, segments)
        x = add_normed(x, inner, self.post_attention_layernorm.whole_weight(), eps)
        x, inner = scaled_norm(x, self.pre_feedforward_layernorm.whole_weight(), eps)
        return add_normed(x, self.mlp(inner), self.post_feedforward_layernorm.whole_weight(), eps)


class Gemma3Text(nn.Module):
    """Without a window and with one rotary base: this config's window is as long as any text.

    The features leave before the last layer, which therefore never learns. It is kept, so that the
    checkpoint is a whole Gemma, and starts as a layer that changes nothing.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        hidden = config["hidden_size"]
        self.embed_tokens = nn.Embedding(config["vocab_size"], hidden)
        layers = config["num_hidden_layers"]
        self.layers = nn.ModuleList([GemmaLayer(config) for _ in range(layers)])
        self.norm = GemmaNorm(hidden, config["rms_norm_eps"])
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
        nn.init.normal_(self.embed_tokens.weight, std=hidden**-0.5)
        nn.init.zeros_(self.layers[-1].self_attn.o_proj.weight)
        nn.init.zeros_(self.layers[-1].mlp.down_proj.weight)
        for parameter in [*self.layers[-1].parameters(), *self.norm.parameters()]:
            parameter.requires_grad_(False)

    def forward(self, ids, segments):
        """ids [B, L], padded on the left → features [B, L, hidden]."""
        x = self.embed_tokens(ids) * self.config["hidden_size"] ** 0.5
        rope = language_rope(segments, self.config["head_dim"], self.config["rope_theta"])
        for layer in self.layers[:-1]:
            x = layer(x, rope, segments)
        return x


class JinaMixer(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.Wqkv = nn.Linear(hidden, 3 * hidden)
        self.out_proj = nn.Linear(hidden, hidden)

    def forward(self, x, rope, segments):
        heads = self.heads, self.heads
        return self.out_proj(rotated_attention(self.Wqkv(x), heads, rope, segments, halves=True))


class JinaMlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc1 = nn.Linear(config["hidden_size"], config["intermediate_size"])
        self.fc2 = nn.Linear(config["intermediate_size"], config["hidden_size"])

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class JinaLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, eps = config["hidden_size"], config["layer_norm_eps"]
        self.mixer = JinaMixer(config)
        self.norm1 = nn.LayerNorm(hidden, eps)
        self.mlp = JinaMlp(config)
        self.norm2 = nn.LayerNorm(hidden, eps)

    def forward(self, x, rope, segments):
        x = self.norm1(x + self.mixer(x, rope, segments))
        return self.norm2(x + self.mlp(x))


class JinaText(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        hidden, eps = config["hidden_size"], config["layer_norm_eps"]
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(config["vocab_size"], hidden)
        self.embeddings.token_type_embeddings = nn.Embedding(config["type_vocab_size"], hidden)
        self.emb_ln = nn.LayerNorm(hidden, eps)
        self.encoder = nn.Module()
        layers = config["num_hidden_layers"]
        self.encoder.layers = nn.ModuleList([JinaLayer(config) for _ in range(layers)])
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=hidden**-0.5)

    def forward(self, ids, segments):
        """ids [B, L], padded on the left → the mean over what is real [B, hidden]."""
        config = self.config
        x = self.embeddings.word_embeddings(ids) + self.embeddings.token_type_embeddings.weight[0]
        x = self.emb_ln(x)
        width = config["hidden_size"] // config["num_attention_heads"]
        rope = language_rope(segments, width, config["rotary_emb_base"])
        for layer in self.encoder.layers:
            x = layer(x, rope, segments)
        weights = segments.real().float() / (segments.length - segments.padding)[:, None]
        return (x.float() * weights[..., None]).sum(dim=1)


# ---------------------------------------------------------------------------------------------
# Autoencoders. Pictures are -1…1.


class TinyBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        convs = [nn.Conv2d(width, width, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)
        with torch.no_grad():  # so that at the start a block adds little to what it is given
            convs[2].weight.mul_(0.2)

    def forward(self, x):
        return F.relu(self.conv(x) + x)


def tiny_encoder(config):
    widths, counts = config["encoder_block_out_channels"], config["num_encoder_blocks"]
    layers = []
    for i, (width, count) in enumerate(zip(widths, counts)):
        down = {"stride": 2, "bias": False} if i else {}
        layers.append(nn.Conv2d(width if i else config["in_channels"], width, 3, padding=1, **down))
        layers.extend(TinyBlock(width) for _ in range(count))
    layers.append(nn.Conv2d(widths[-1], config["latent_channels"], 3, padding=1))
    return nn.Sequential(*layers)


def tiny_decoder(config):
    widths, counts = config["decoder_block_out_channels"], config["num_decoder_blocks"]
    layers = [nn.Conv2d(config["latent_channels"], widths[0], 3, padding=1), nn.ReLU()]
    for i, (width, count) in enumerate(zip(widths, counts)):
        layers.extend(TinyBlock(width) for _ in range(count))
        if i < len(widths) - 1:
            layers.append(nn.Upsample(scale_factor=config["upsampling_scaling_factor"]))
            layers.append(nn.Conv2d(width, width, 3, padding=1, bias=False))
        else:
            layers.append(nn.Conv2d(width, config["out_channels"], 3, padding=1))
    return nn.Sequential(*layers)


class TinyAutoencoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.layers, self.decoder.layers = tiny_encoder(config), tiny_decoder(config)

    def encode(self, pictures):
        return self.encoder.layers((pictures + 1) / 2)

    def decode(self, latents):
        return self.decoder.layers(torch.tanh(latents / 3) * 3) * 2 - 1


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=1e-6)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=1e-6)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        inner = self.conv1(F.silu(self.norm1(x)))
        inner = self.conv2(F.silu(self.norm2(inner)))
        return inner + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class PictureAttention(nn.Module):
    """One head over all pixels of the latent."""

    def __init__(self, width, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x):
        pixels = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = (project(pixels)[:, None] for project in (self.to_q, self.to_k, self.to_v))
        mixed = self.to_out[0](F.scaled_dot_product_attention(q, k, v)[:, 0])
        return x + mixed.transpose(1, 2).unflatten(2, x.shape[2:])


class KlMiddle(nn.Module):
    def __init__(self, width, groups):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(width, width, groups) for _ in range(2)])
        self.attentions = nn.ModuleList([PictureAttention(width, groups)])

    def forward(self, x):
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class KlEncoder(nn.Module):
    """The mean of the latents, and the logarithm of their variance."""

    def __init__(self, config):
        super().__init__()
        widths, groups = config["block_out_channels"], config["norm_num_groups"]
        self.conv_in = nn.Conv2d(config["in_channels"], widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            block = nn.Module()
            inputs = [widths[max(i - 1, 0)], *[width] * (config["layers_per_block"] - 1)]
            block.resnets = nn.ModuleList([Resnet(before, width, groups) for before in inputs])
            if i < len(widths) - 1:
                downsampler = nn.Module()
                downsampler.conv = nn.Conv2d(width, width, 3, stride=2)
                block.downsamplers = nn.ModuleList([downsampler])
            self.down_blocks.append(block)
        self.mid_block = KlMiddle(widths[-1], groups)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config["latent_channels"], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for block in self.down_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "downsamplers"):  # one pixel of padding, at the right and below
                x = block.downsamplers[0].conv(F.pad(x, (0, 1, 0, 1)))
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class KlDecoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = list(reversed(config["block_out_channels"]))
        groups, layers = config["norm_num_groups"], config["layers_per_block"] + 1
        self.conv_in = nn.Conv2d(config["latent_channels"], widths[0], 3, padding=1)
        self.mid_block = KlMiddle(widths[0], groups)
        self.up_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            block = nn.Module()
            inputs = [widths[max(i - 1, 0)], *[width] * (layers - 1)]
            block.resnets = nn.ModuleList([Resnet(before, width, groups) for before in inputs])
            if i < len(widths) - 1:
                upsampler = nn.Module()
                upsampler.conv = nn.Conv2d(width, width, 3, padding=1)
                block.upsamplers = nn.ModuleList([upsampler])
            self.up_blocks.append(block)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], config["out_channels"], 3, padding=1)

    def forward(self, x):
        x = self.mid_block(self.conv_in(x))
        for block in self.up_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(F.interpolate(x, scale_factor=2.0))
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class KlAutoencoder(nn.Module):
    """Its variance is a constant, SPREAD squared: its latents are another encoder's, which has none."""

    SPREAD = 0.05

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = KlEncoder(config), KlDecoder(config)
        last, channels = self.encoder.conv_out, config["latent_channels"]
        with torch.no_grad():
            last.weight[channels:] = 0
            last.bias[channels:] = 2 * math.log(self.SPREAD)

    def encode(self, pictures):
        mean = self.encoder(pictures).chunk(2, dim=1)[0]
        return (mean - self.config["shift_factor"]) * self.config["scaling_factor"]

    def decode(self, latents):
        return self.decoder(latents / self.config["scaling_factor"] + self.config["shift_factor"])
