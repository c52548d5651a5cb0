"""What stands between the matrix products of a block: norms with their scale and gate, rotary
positions, attention in segments, gated activations. Not run by itself.

Each is written twice: in plain PyTorch, which is what it means and what runs on a CPU or in float32,
and as a Triton kernel for training in bfloat16 on a GPU. There a step is bound by memory: PyTorch
alone reads and writes a tensor a dozen times for one norm in float32, a kernel once.
"""

import torch
import torch.nn.functional as F

try:
    import triton
    import triton.language as tl
except ImportError:  # a CPU needs none
    triton = None

# Rows of one step of a kernel, and steps of one program that sums over rows.
ROWS, STEPS, WARPS = 8, 8, 8
ELEMENTS = 1024


def fuses(x):
    """Whether the kernels run: on a GPU, under autocast."""
    return triton is not None and x.is_cuda and torch.is_autocast_enabled()


# ---------------------------------------------------------------------------------------------
# In plain PyTorch


def rms(x, weight, eps):
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).type_as(x) * weight


def scaled_norm(x, weight, eps, factor=None):
    """x [B, L, D] → (x, its norm · weight · factor [B, D]). The sum of a block continues from the
    first of the two, so that one kernel has the gradient of both."""
    if fuses(x):
        return ScaledNorm.apply(x, weight, factor, eps)
    y = rms(x, weight, eps)
    return x, y if factor is None else y * factor[:, None]


def add_normed(x, h, weight, eps, factor=None):
    """x + norm of h · weight · factor, in float32 where kernels run."""
    if fuses(x):
        return AddNormed.apply(x, h, weight, factor, eps)
    y = rms(h, weight, eps)
    return x + (y if factor is None else y * factor[:, None])


def rotate(x, cos, sin, halves):
    """x [B, L, H, D] by angles [B, L, D / 2]: (i, i + D / 2) turn together, or (2i, 2i + 1)."""
    cos, sin = cos[:, :, None], sin[:, :, None]
    if halves:
        first, second = x.float().chunk(2, dim=-1)
    else:
        first, second = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = [first * cos - second * sin, first * sin + second * cos]
    return torch.cat(turned, dim=-1) if halves else torch.stack(turned, dim=-1).flatten(-2)


def rotated_attention(
    qkv, heads, rope, segments, *, norms=None, eps=0.0, halves=False, causal=False, scale=None
):
    """Attention inside segments, after a norm of each head of q and k and rotary positions.

    qkv [B, L, (heads of q + of k + of v) · D], heads (of q, of k), norms (weight of q's, of k's) or
    None, rope (cos, sin) [B, L, D / 2] → [B, L, heads of q · D]
    """
    batch, length = qkv.shape[:2]
    query, key = heads
    width = qkv.shape[2] // (query + 2 * key)
    if fuses(qkv):
        weights = norms or (None, None)
        flat = qkv.flatten(0, 1)
        tables = [table.reshape(batch * length, -1).contiguous() for table in rope]
        options = (query, key, width, length, eps, halves, causal, scale)
        out = RotatedAttention.apply(flat, *weights, *tables, segments.bounds, options)
        return out.view(batch, length, query * width)
    q, k, v = qkv.unflatten(-1, (-1, width)).split([query, key, key], dim=2)
    if norms:
        q, k = (rms(x, weight, eps) for x, weight in zip((q, k), norms))
    q, k = (rotate(x, *rope, halves).type_as(v) for x in (q, k))
    k, v = (x.repeat_interleave(query // key, dim=2) for x in (k, v))
    real = segments.real()
    mask = (real[:, :, None] == real[:, None, :])[:, None]
    if causal:
        mask = mask & torch.ones(length, length, dtype=torch.bool, device=qkv.device).tril()
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, mask, scale=scale)
    return out.transpose(1, 2).flatten(2)


def gated(gate_and_up, activation):
    """[…, 2F], a gate and what it lets through → [..., F]; activation is "silu" or "gelu_tanh"."""
    if fuses(gate_and_up):
        return Gated.apply(gate_and_up, activation == "gelu_tanh")
    gate, up = gate_and_up.chunk(2, dim=-1)
    return (F.silu(gate) if activation == "silu" else F.gelu(gate, approximate="tanh")) * up


# ---------------------------------------------------------------------------------------------
# Kernels

if triton is not None:

    @triton.jit(do_not_specialize=["length"])
    def norm_kernel(
        x, weight, factor, base, out, length, eps,
        D: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
        FACTOR: tl.constexpr, BASE: tl.constexpr,
    ):  # fmt: skip
        """out = base + norm of x · weight · factor; a program has ROWS rows of one sequence."""
        sequence = tl.program_id(0)
        rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        columns = tl.arange(0, BLOCK)
        inside = columns < D
        mask = (rows < length)[:, None] & inside[None, :]
        at = (sequence * length + rows)[:, None] * D + columns[None, :]
        value = tl.load(x + at, mask, 0.0).to(tl.float32)
        inverse = tl.rsqrt(tl.sum(value * value, 1) / D + eps)
        by = tl.load(weight + columns, inside, 0.0).to(tl.float32)
        if FACTOR:
            by = by * tl.load(factor + sequence * D + columns, inside, 0.0).to(tl.float32)
        result = value * inverse[:, None] * by[None, :]
        if BASE:
            result += tl.load(base + at, mask, 0.0).to(tl.float32)
        tl.store(out + at, result, mask)

    @triton.jit(do_not_specialize=["length"])
    def norm_backward_kernel(
        x, weight, factor, grad, base, out, parts, length, eps,
        D: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, STEPS: tl.constexpr,
        FACTOR: tl.constexpr, BASE: tl.constexpr,
    ):  # fmt: skip
        """out = base + gradient of x; parts = sums over rows of grad · norm of x."""
        sequence = tl.program_id(0)
        part = tl.program_id(1)
        columns = tl.arange(0, BLOCK)
        inside = columns < D
        by = tl.load(weight + columns, inside, 0.0).to(tl.float32)
        if FACTOR:
            by = by * tl.load(factor + sequence * D + columns, inside, 0.0).to(tl.float32)
        total = tl.zeros((ROWS, BLOCK), tl.float32)
        for step in range(STEPS):
            rows = (part * STEPS + step) * ROWS + tl.arange(0, ROWS)
            mask = (rows < length)[:, None] & inside[None, :]
            at = (sequence * length + rows)[:, None] * D + columns[None, :]
            value = tl.load(x + at, mask, 0.0).to(tl.float32)
            wanted = tl.load(grad + at, mask, 0.0).to(tl.float32)
            inverse = tl.rsqrt(tl.sum(value * value, 1) / D + eps)
            value = value * inverse[:, None]
            total += wanted * value
            wanted = wanted * by[None, :]
            mean = tl.sum(wanted * value, 1) / D
            result = (wanted - value * mean[:, None]) * inverse[:, None]
            if BASE:
                result += tl.load(base + at, mask, 0.0).to(tl.float32)
            tl.store(out + at, result, mask)
        place = (sequence * tl.num_programs(1) + part) * D
        tl.store(parts + place + columns, tl.sum(total, 0), inside)

    @triton.jit
    def halved(x, ROWS: tl.constexpr, HEADS: tl.constexpr, HALF: tl.constexpr, HALVES: tl.constexpr):
        """[ROWS, HEADS, 2 · HALF] → what turns together, in float32: two of [ROWS, HEADS, HALF]."""
        if HALVES:
            x = tl.permute(tl.reshape(x, (ROWS, HEADS, 2, HALF)), (0, 1, 3, 2))
        else:
            x = tl.reshape(x, (ROWS, HEADS, HALF, 2))
        a, b = tl.split(x)
        return a.to(tl.float32), b.to(tl.float32)

    @triton.jit
    def whole(
        a, b, ROWS: tl.constexpr, HEADS: tl.constexpr, HALF: tl.constexpr, HALVES: tl.constexpr
    ):
        """The reverse of `halved`."""
        x = tl.join(a, b)
        if HALVES:
            x = tl.permute(x, (0, 1, 3, 2))
        return tl.reshape(x, (ROWS, HEADS, 2 * HALF))

    @triton.jit
    def weights_of_heads(
        q_weight, k_weight, Q: tl.constexpr, HEADS: tl.constexpr, HALF: tl.constexpr,
        HALVES: tl.constexpr,
    ):  # fmt: skip
        """The norms' weights as two of [1, HEADS, HALF]."""
        columns = tl.arange(0, 2 * HALF)[None, None, :]
        is_q = (tl.arange(0, HEADS) < Q)[None, :, None]
        both = tl.where(is_q, tl.load(q_weight + columns), tl.load(k_weight + columns))
        return halved(both, 1, HEADS, HALF, HALVES)

    @triton.jit(do_not_specialize=["count"])
    def rotate_kernel(
        qkv, q_weight, k_weight, cos, sin, out, count, eps,
        Q: tl.constexpr, K: tl.constexpr, HALF: tl.constexpr, HEADS: tl.constexpr,
        ROWS: tl.constexpr, HALVES: tl.constexpr, NORM: tl.constexpr,
    ):  # fmt: skip
        """q and k of qkv [count, Q + 2K, 2 · HALF], normed and turned → out [count, Q + K, …]."""
        rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
        heads = tl.arange(0, HEADS)
        columns = tl.arange(0, 2 * HALF)[None, None, :]
        pairs = tl.arange(0, HALF)
        mask = ((rows < count)[:, None] & (heads < Q + K)[None, :])[:, :, None]
        at = (rows[:, None] * (Q + 2 * K) + heads[None, :])[:, :, None] * (2 * HALF) + columns
        a, b = halved(tl.load(qkv + at, mask, 0.0), ROWS, HEADS, HALF, HALVES)
        if NORM:
            a_weight, b_weight = weights_of_heads(q_weight, k_weight, Q, HEADS, HALF, HALVES)
            inverse = tl.rsqrt(tl.sum(a * a + b * b, 2) / (2 * HALF) + eps)[:, :, None]
            a = a * inverse * a_weight
            b = b * inverse * b_weight
        angle = rows[:, None] * HALF + pairs[None, :]
        c = tl.load(cos + angle, (rows < count)[:, None], 0.0)[:, None, :]
        s = tl.load(sin + angle, (rows < count)[:, None], 0.0)[:, None, :]
        kind = out.dtype.element_ty
        turned = whole(
            (a * c - b * s).to(kind), (a * s + b * c).to(kind), ROWS, HEADS, HALF, HALVES
        )
        at = (rows[:, None] * (Q + K) + heads[None, :])[:, :, None] * (2 * HALF) + columns
        tl.store(out + at, turned, mask)

    @triton.jit(do_not_specialize=["count"])
    def rotate_backward_kernel(
        qkv, q_weight, k_weight, cos, sin, q_grad, k_grad, v_grad, out, parts, count, eps,
        Q: tl.constexpr, K: tl.constexpr, HALF: tl.constexpr, HEADS: tl.constexpr,
        ROWS: tl.constexpr, HALVES: tl.constexpr, NORM: tl.constexpr,
    ):  # fmt: skip
        """out = gradient of qkv; parts [programs, 2, 2, HALF] = what the two weights' sum up."""
        rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
        heads = tl.arange(0, HEADS)
        columns = tl.arange(0, 2 * HALF)[None, None, :]
        pairs = tl.arange(0, HALF)
        here = (rows < count)[:, None]
        mask = (here & (heads < Q + K)[None, :])[:, :, None]
        q_mask = (here & (heads < Q)[None, :])[:, :, None]
        k_mask = (here & (heads >= Q)[None, :] & (heads < Q + K)[None, :])[:, :, None]
        q_at = (rows[:, None] * Q + heads[None, :])[:, :, None] * (2 * HALF) + columns
        k_at = (rows[:, None] * K + heads[None, :] - Q)[:, :, None] * (2 * HALF) + columns
        at = (rows[:, None] * (Q + 2 * K) + heads[None, :])[:, :, None] * (2 * HALF) + columns
        # Where one is loaded the other is zero.
        turned = tl.load(q_grad + q_at, q_mask, 0.0) + tl.load(k_grad + k_at, k_mask, 0.0)
        a_turned, b_turned = halved(turned, ROWS, HEADS, HALF, HALVES)
        angle = rows[:, None] * HALF + pairs[None, :]
        c = tl.load(cos + angle, here, 0.0)[:, None, :]
        s = tl.load(sin + angle, here, 0.0)[:, None, :]
        a_grad = a_turned * c + b_turned * s
        b_grad = b_turned * c - a_turned * s
        if NORM:
            a, b = halved(tl.load(qkv + at, mask, 0.0), ROWS, HEADS, HALF, HALVES)
            inverse = tl.rsqrt(tl.sum(a * a + b * b, 2) / (2 * HALF) + eps)[:, :, None]
            a = a * inverse
            b = b * inverse
            a_sum = tl.sum(a_grad * a, 0)
            b_sum = tl.sum(b_grad * b, 0)
            of_q = (heads < Q)[:, None]
            place = parts + tl.program_id(0) * 4 * HALF + pairs
            tl.store(place, tl.sum(tl.where(of_q, a_sum, 0.0), 0))
            tl.store(place + HALF, tl.sum(tl.where(of_q, b_sum, 0.0), 0))
            tl.store(place + 2 * HALF, tl.sum(tl.where(of_q, 0.0, a_sum), 0))
            tl.store(place + 3 * HALF, tl.sum(tl.where(of_q, 0.0, b_sum), 0))
            a_weight, b_weight = weights_of_heads(q_weight, k_weight, Q, HEADS, HALF, HALVES)
            a_grad = a_grad * a_weight
            b_grad = b_grad * b_weight
            mean = (tl.sum(a_grad * a + b_grad * b, 2) / (2 * HALF))[:, :, None]
            a_grad = (a_grad - a * mean) * inverse
            b_grad = (b_grad - b * mean) * inverse
        kind = out.dtype.element_ty
        tl.store(out + at, whole(a_grad.to(kind), b_grad.to(kind), ROWS, HEADS, HALF, HALVES), mask)
        # v was not touched: its gradient moves into place, under the numbers of k's heads.
        tl.store(out + at + K * 2 * HALF, tl.load(v_grad + k_at, k_mask, 0.0), k_mask)

    @triton.jit
    def activated(gate, GELU: tl.constexpr):
        """The activation and its derivative."""
        if GELU:
            inner = 0.7978845608028654 * (gate + 0.044715 * gate * gate * gate)
            half = tl.sigmoid(2 * inner)  # (1 + tanh) / 2
            slope = 0.7978845608028654 * (1 + 3 * 0.044715 * gate * gate)
            return gate * half, half + gate * 2 * half * (1 - half) * slope
        half = tl.sigmoid(gate)
        return gate * half, half * (1 + gate * (1 - half))

    @triton.jit(do_not_specialize=["count"])
    def gated_kernel(x, out, count, F: tl.constexpr, BLOCK: tl.constexpr, GELU: tl.constexpr):
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        mask = at < count
        from_ = at // F * (2 * F) + at % F
        gate = tl.load(x + from_, mask, 0.0).to(tl.float32)
        up = tl.load(x + from_ + F, mask, 0.0).to(tl.float32)
        value, _ = activated(gate, GELU)
        tl.store(out + at, value * up, mask)

    @triton.jit(do_not_specialize=["count"])
    def gated_backward_kernel(
        x, grad, out, count, F: tl.constexpr, BLOCK: tl.constexpr, GELU: tl.constexpr
    ):
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        mask = at < count
        from_ = at // F * (2 * F) + at % F
        gate = tl.load(x + from_, mask, 0.0).to(tl.float32)
        up = tl.load(x + from_ + F, mask, 0.0).to(tl.float32)
        wanted = tl.load(grad + at, mask, 0.0).to(tl.float32)
        value, slope = activated(gate, GELU)
        tl.store(out + from_, wanted * up * slope, mask)
        tl.store(out + from_ + F, wanted * value, mask)


def normed(x, weight, factor, base, eps, dtype):
    batch, length, width = x.shape
    out = torch.empty(x.shape, dtype=dtype, device=x.device)
    norm_kernel[(batch, triton.cdiv(length, ROWS))](
        x, weight, factor, base, out, length, eps,
        width, triton.next_power_of_2(width), ROWS, factor is not None, base is not None,
        num_warps=WARPS,
    )  # fmt: skip
    return out


def normed_backward(x, weight, factor, grad, base, eps):
    """Gradients of x (with base added), weight and factor."""
    batch, length, width = x.shape
    programs = triton.cdiv(length, ROWS * STEPS)
    out = torch.empty_like(x)
    parts = torch.empty(batch, programs, width, device=x.device)
    norm_backward_kernel[(batch, programs)](
        x, weight, factor, grad, base, out, parts, length, eps,
        width, triton.next_power_of_2(width), ROWS, STEPS, factor is not None, base is not None,
        num_warps=WARPS,
    )  # fmt: skip
    sums = parts.sum(1)
    if factor is None:
        return out, sums.sum(0), None
    return out, (sums * factor).sum(0), sums * weight


class ScaledNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, factor, eps):
        x = x.contiguous()
        factor = None if factor is None else factor.float().contiguous()
        ctx.save_for_backward(x, weight, factor)
        ctx.eps = eps
        return x.view_as(x), normed(x, weight, factor, None, eps, torch.bfloat16)

    @staticmethod
    def backward(ctx, rest, grad):
        grads = normed_backward(*ctx.saved_tensors, grad.contiguous(), rest.contiguous(), ctx.eps)
        return *grads, None


class AddNormed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h, weight, factor, eps):
        x, h = x.contiguous(), h.contiguous()
        factor = None if factor is None else factor.float().contiguous()
        ctx.save_for_backward(h, weight, factor)
        ctx.eps = eps
        return normed(h, weight, factor, x, eps, torch.float32)

    @staticmethod
    def backward(ctx, grad):
        grad = grad.contiguous()
        return grad, *normed_backward(*ctx.saved_tensors, grad, None, ctx.eps), None


class RotatedAttention(torch.autograd.Function):
    """Over all rows end to end; the segments' bounds keep them apart."""

    @staticmethod
    def launch(options, count):
        query, key, width, _, _, halves, _, _ = options
        heads = triton.next_power_of_2(query + key)
        rows = max(1, 4096 // (heads * width // 2))
        constants = (query, key, width // 2, heads, rows, halves)
        return triton.cdiv(count, rows), constants

    @staticmethod
    def forward(ctx, qkv, q_weight, k_weight, cos, sin, bounds, options):
        query, key, width, length, eps, _, causal, scale = options
        qkv, count = qkv.contiguous(), len(qkv)
        turned = torch.empty(count, query + key, width, dtype=qkv.dtype, device=qkv.device)
        programs, constants = RotatedAttention.launch(options, count)
        rotate_kernel[(programs,)](
            qkv, q_weight, k_weight, cos, sin, turned, count, eps,
            *constants, q_weight is not None, num_warps=WARPS,
        )  # fmt: skip
        q, k = turned[:, :query], turned[:, query:]
        v = qkv.view(count, -1, width)[:, query + key :]
        out, sums, *rng, _ = torch.ops.aten._flash_attention_forward(
            q, k, v, bounds, bounds, length, length, 0.0, causal, False, scale=scale
        )
        ctx.save_for_backward(
            qkv, q_weight, k_weight, cos, sin, turned, out, sums, bounds, *rng
        )
        ctx.options = options
        return out

    @staticmethod
    def backward(ctx, grad):
        qkv, q_weight, k_weight, cos, sin, turned, out, sums, bounds, *rng = ctx.saved_tensors
        query, key, width, length, eps, halves, causal, scale = ctx.options
        count = len(qkv)
        q, k = turned[:, :query], turned[:, query:]
        v = qkv.view(count, -1, width)[:, query + key :]
        grads = torch.ops.aten._flash_attention_backward(
            grad.contiguous(), q, k, v, out, sums, bounds, bounds, length, length, 0.0, causal,
            *rng, scale=scale,
        )  # fmt: skip
        grads = [part.contiguous() for part in grads]
        whole_grad = torch.empty_like(qkv)
        programs, constants = RotatedAttention.launch(ctx.options, count)
        parts = torch.empty(programs, 2, 2, width // 2, device=qkv.device)
        has_norm = q_weight is not None
        rotate_backward_kernel[(programs,)](
            qkv, q_weight, k_weight, cos, sin, *grads, whole_grad, parts, count, eps,
            *constants, has_norm, num_warps=WARPS,
        )  # fmt: skip
        weights = None, None
        if has_norm:
            sums = parts.sum(0)  # for q and k: what is first in a pair, what is second
            weights = (sums if halves else sums.mT).flatten(1).unbind(0)
        return whole_grad, *weights, None, None, None, None


class Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gelu):
        x = x.contiguous()
        out = torch.empty(*x.shape[:-1], x.shape[-1] // 2, dtype=x.dtype, device=x.device)
        ctx.save_for_backward(x)
        ctx.gelu = gelu
        programs = triton.cdiv(out.numel(), ELEMENTS)
        gated_kernel[(programs,)](x, out, out.numel(), out.shape[-1], ELEMENTS, gelu)
        return out

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        grad, out = grad.contiguous(), torch.empty_like(x)
        programs = triton.cdiv(grad.numel(), ELEMENTS)
        gated_backward_kernel[(programs,)](
            x, grad, out, grad.numel(), grad.shape[-1], ELEMENTS, ctx.gelu
        )
        return out, None
