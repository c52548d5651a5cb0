"""The sizes of the demo model's networks, in the words of their config.json. Not run by itself.

`toy` makes them so small that every stage runs on a CPU in seconds: to try the commands, not to
draw anything.
"""

import json

DIFFUSION = {
    "patch_size": 2,
    "in_channels": 16,
    "sample_size": 32,
    "dim": 320,
    "n_layers": 8,
    "n_refiner_layers": 1,
    "n_heads": 10,
    "n_kv_heads": 5,
    "multiple_of": 64,
    "ffn_dim_multiplier": 0.6,
    "norm_eps": 1e-5,
    "qk_norm": True,
    "cap_feat_dim": 256,
    "axes_dims": [8, 12, 12],
    "axes_lens": [1024, 512, 512],
    "clip_text_dim": 192,
}

# vocab_size is added when the tokenizers are known. The window is as long as any prompt.
TEXT_ENCODER = {
    "architectures": ["Gemma3TextModel"],
    "model_type": "gemma3_text",
    "hidden_size": 256,
    "intermediate_size": 576,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 64,
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "rope_local_base_freq": 10000.0,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
    "max_position_embeddings": 512,
}

CLIP_MODEL = {
    "architectures": ["XLMRobertaModel"],
    "model_type": "xlm-roberta",
    "type_vocab_size": 1,
    "hidden_size": 192,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "intermediate_size": 576,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "position_embedding_type": "rotary",
    "rotary_emb_base": 20000.0,
}

TINY_AUTOENCODER = {
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

KL_AUTOENCODER = {
    "_class_name": "AutoencoderKL",
    "act_fn": "silu",
    "block_out_channels": [96, 112, 96, 96],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 16,
    "layers_per_block": 1,
    "mid_block_add_attention": True,
    "norm_num_groups": 16,
    "sample_size": 256,
    "scaling_factor": 1.0,
    "shift_factor": 0.0,
    "force_upcast": False,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}


def sizes(toy=False):
    """The five configurations, by the name of what they configure."""
    whole = {
        "diffusion": DIFFUSION,
        "text_encoder": TEXT_ENCODER,
        "clip_model": CLIP_MODEL,
        "tiny": TINY_AUTOENCODER,
        "kl": KL_AUTOENCODER,
    }
    if toy:
        changes = {
            "diffusion": {"dim": 64, "n_heads": 2, "n_kv_heads": 1, "n_layers": 2},
            "text_encoder": {"intermediate_size": 64, "num_hidden_layers": 2},
            "clip_model": {"intermediate_size": 64, "num_hidden_layers": 1},
            "tiny": {
                "encoder_block_out_channels": [8] * 4,
                "decoder_block_out_channels": [8] * 4,
                "num_encoder_blocks": [1] * 4,
                "num_decoder_blocks": [1] * 4,
            },
            "kl": {"block_out_channels": [8] * 4, "norm_num_groups": 2},
        }
        whole = {name: config | changes[name] for name, config in whole.items()}
    return json.loads(json.dumps(whole))
