"""Imports the public NewBie repository's model and sampler without what only a GPU needs.

Not run by itself. `flash_attn` is replaced by PyTorch's own attention, written here, because the
package exists for CUDA alone; it is reached only when the model runs in bfloat16. `apex` is not
replaced: without it upstream uses its own RMSNorm.
"""

import sys
import types

import torch
import torch.nn.functional as F


def _index_first_axis(values, indices):
    return values[indices]


def _pad_input(values, indices, batch, length):
    padded = values.new_zeros((batch * length, *values.shape[1:]))
    padded[indices] = values
    return padded.view(batch, length, *values.shape[1:])


def _attend_by_segment(
    query, key, value, *, cu_seqlens_q, cu_seqlens_k, softmax_scale, causal, **_
):
    assert not causal
    outputs = []
    q_ends, k_ends = cu_seqlens_q.tolist(), cu_seqlens_k.tolist()
    for i in range(len(q_ends) - 1):
        q = query[q_ends[i] : q_ends[i + 1]].transpose(0, 1)[None]
        k = key[k_ends[i] : k_ends[i + 1]].transpose(0, 1)[None]
        v = value[k_ends[i] : k_ends[i + 1]].transpose(0, 1)[None]
        out = F.scaled_dot_product_attention(q, k, v, scale=softmax_scale, enable_gqa=True)
        outputs.append(out[0].transpose(0, 1))
    return torch.cat(outputs)


def _without_gpu(*_, **__):
    raise NotImplementedError("only reached with a causal mask or a key cache")


def import_upstream(path):
    """Returns upstream's modules (`models.model`, `transport`) from a clone at `path`."""
    flash_attn = types.ModuleType("flash_attn")
    flash_attn.flash_attn_varlen_func = _attend_by_segment
    bert_padding = types.ModuleType("flash_attn.bert_padding")
    bert_padding.index_first_axis = _index_first_axis
    bert_padding.pad_input = _pad_input
    bert_padding.unpad_input = _without_gpu
    flash_attn.bert_padding = bert_padding
    sys.modules["flash_attn"] = flash_attn
    sys.modules["flash_attn.bert_padding"] = bert_padding
    sys.path.insert(0, str(path))
    import models.model
    import transport

    return models.model, transport
