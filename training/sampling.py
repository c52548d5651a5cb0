"""Draws pictures with the networks in PyTorch: the sampler of upstream's demo, as the toolkit has
it. Not run by itself."""

import torch
from captions import on_device, padded_batch
from runs import autocast

SHIFT = 6.0


def times(steps, shift=SHIFT):
    """steps + 1 points from 0 (noise) to 1 (picture)."""
    t = torch.linspace(0, 1, steps + 1)
    return (t / (t + shift - shift * t)).tolist()


def guided(wanted, unwanted, scale, renorm=1.0):
    """Classifier-free guidance, no longer than `renorm` times what was wanted."""
    velocity = unwanted + scale * (wanted - unwanted)
    length = wanted.flatten(1).norm(dim=1) * renorm / velocity.flatten(1).norm(dim=1)
    return velocity * length.clamp(max=1.0)[:, None, None, None]


@torch.no_grad()
def sample(painter, tokenizers, prompts, size, steps=30, guidance=7.0, seed=42):
    """Latents [N, C, H / 8, W / 8] for prompts; size is (width, height) in pixels."""
    device = next(painter.parameters()).device
    width, height = size
    generator = torch.Generator().manual_seed(seed)
    shape = (len(prompts), 16, height // 8, width // 8)
    latents = torch.randn(shape, generator=generator).to(device)
    sides = []
    with autocast(device):
        for texts in (prompts, [""] * len(prompts)):
            gemma, jina = zip(*(tokenizers.encode(text) for text in texts))
            batches = [on_device(padded_batch(rows), device) for rows in (gemma, jina)]
            sides.append(painter.encode(*batches))
        points = times(steps)
        for now, then in zip(points, points[1:]):
            t = torch.full((len(prompts),), now, device=device)
            wanted, unwanted = (painter.velocity(latents, t, side) for side in sides)
            latents = latents + (then - now) * guided(wanted, unwanted, guidance)
    return latents
