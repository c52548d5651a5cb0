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


def noise_of(seeds, size):
    """The noise that the toolkit begins with, a seed for each picture; size is (width, height)."""
    shape = (1, 16, size[1] // 8, size[0] // 8)
    return torch.cat(
        [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    )


@torch.no_grad()
def sample(painter, tokenizers, prompts, noise, steps=30, guidance=7.0):
    """Latents [N, C, H / 8, W / 8] for as many prompts and as much noise."""
    device = next(painter.parameters()).device
    latents, sides = noise.to(device), []
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
