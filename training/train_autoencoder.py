"""Trains the autoencoders: TinyAutoencoder's two halves; then, on its frozen latents, both halves of
the AutoencoderKL, or TinyAutoencoder's own decoder further.

From: shards of render_dataset.py (those that are there when it starts).
Run:  python training/train_autoencoder.py tiny --data FOLDER --run FOLDER
      python training/train_autoencoder.py kl --data FOLDER --run FOLDER
      python training/train_autoencoder.py decoder --data FOLDER --run FOLDER
Continues from the run's checkpoint. With --stop-after it ends in time, to be started again. `tiny`
and `kl` without a checkpoint begin with the weights that import_run.py left, if it did. The KL
encoder learns to say what TinyAutoencoder's says, so that either encoder goes with either decoder.

While it learns, latents are brought to mean 0 and deviation 1 in each channel by running
statistics; the exported encoder has them folded into its last convolution, so that the diffusion
model's latents are the decoder's, without a scale. Noise is added to them, for two reasons: the
decoder learns to forgive what the diffusion model gets wrong, and the latents must say what they
say robustly, which makes them easier to draw.
"""

import argparse
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from configs import sizes
from networks import KlAutoencoder, TinyAutoencoder
from PIL import Image
from render_dataset import read_shard
from runs import Progress, Run, add_options, autocast, pick_device
from torch import nn

SEED = 7
CROP = 128
BATCH = 64
PEAK_RATE = {"tiny": 8e-4, "kl": 8e-4, "decoder": 4e-4}
WARM_UP = 200
STEPS = {"tiny": 3576, "kl": 1628, "decoder": 3000}
MOST_NOISE = 0.15
KEEP_STATISTICS = 0.02
EMA = 0.998
SAVE_SECONDS = 60
LOG_STEPS = 100
# Lines and eyes are a small part of a picture and most of its charm: differences between
# neighbouring pixels count beside the pixels themselves, at three scales.
EDGE_WEIGHT = 1.0
EDGE_SCALES = 3


def to_float(pictures):
    """uint8 [N, H, W, 3] → float -1…1 [N, 3, H, W]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def edges(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]


def picture_loss(made, wanted):
    loss = F.l1_loss(made, wanted)
    for _ in range(EDGE_SCALES):
        for a, b in zip(edges(made), edges(wanted)):
            loss = loss + EDGE_WEIGHT / EDGE_SCALES * F.l1_loss(a, b)
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return loss


class Training(nn.Module):
    """The autoencoder with the statistics of its latents, and the AutoencoderKL when that learns."""

    def __init__(self, config, kind):
        super().__init__()
        self.tiny = TinyAutoencoder(config["tiny"])
        channels = config["tiny"]["latent_channels"]
        self.statistics = nn.BatchNorm2d(channels, affine=False, momentum=KEEP_STATISTICS)
        self.kind = kind
        if kind == "kl":
            self.kl = KlAutoencoder(config["kl"])

    def freeze(self, trained):
        """Takes a finished autoencoder, and keeps what is not to learn any more."""
        self.tiny.load_state_dict(trained)
        self.statistics = nn.Identity()
        self.tiny.encoder.requires_grad_(False)
        if self.kind == "kl":
            self.tiny.requires_grad_(False)

    def latents(self, pictures):
        return self.statistics(self.tiny.encode(pictures).float())

    def decode(self, latents):
        return (self.kl if self.kind == "kl" else self.tiny).decode(latents)

    def forward(self, pictures):
        """The pictures made of their latents; and how far the KL encoder's latents are from those."""
        with torch.set_grad_enabled(self.kind == "tiny" and torch.is_grad_enabled()):
            latents = self.latents(pictures)
        mistaken = latents.new_zeros(())
        if self.kind == "kl":
            said = self.kl.encode(pictures).float()
            mistaken = F.mse_loss(said, latents)
            if not self.training:
                latents = said
        if self.training:
            spread = torch.rand(len(latents), 1, 1, 1, device=latents.device) * MOST_NOISE
            latents = latents + torch.randn_like(latents) * spread
        return self.decode(latents), mistaken


def folded(tiny, statistics):
    """The autoencoder's weights with the statistics, if any, in the encoder's last convolution."""
    weights = {name: value.clone() for name, value in tiny.state_dict().items()}
    if isinstance(statistics, nn.Identity):
        return weights
    last = f"encoder.layers.{len(tiny.encoder.layers) - 1}"
    deviation = torch.sqrt(statistics.running_var + statistics.eps)
    weights[f"{last}.weight"] /= deviation[:, None, None, None]
    weights[f"{last}.bias"] = (weights[f"{last}.bias"] - statistics.running_mean) / deviation
    return weights


class Pictures:
    """All pictures on the device, to cut crops from."""

    def __init__(self, paths, device, most):
        by_size, count = {}, 0
        for path in paths:
            pictures = read_shard(path)[0]
            by_size.setdefault(pictures.shape[1:3], []).append(pictures)
            count += len(pictures)
            if count >= most:
                break
        self.groups = [torch.cat(group).to(device) for group in by_size.values()]
        self.count = count

    def crops(self, count, rng):
        """From one size at a time, in proportion to how many there are."""
        (group,) = rng.choices(self.groups, [len(group) for group in self.groups])
        height, width = group.shape[1:3]
        chosen = torch.tensor(rng.choices(range(len(group)), k=count), device=group.device)
        # Sixteen crops share a place: cutting them is then a slice.
        parts = []
        for part in chosen.split(16):
            top, left = rng.randint(0, height - CROP), rng.randint(0, width - CROP)
            parts.append(group[part, top : top + CROP, left : left + CROP])
        return to_float(torch.cat(parts)).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def sheet(model, pictures, path):
    """Rows of a picture and what became of it."""
    model.eval()
    with autocast(pictures.device):
        made = model(pictures)[0].float().clamp(-1, 1)
    error = (made - pictures).div(2).pow(2).mean((1, 2, 3))
    both = torch.cat([pictures, made], dim=2).permute(2, 0, 3, 1).flatten(1, 2)
    Image.fromarray(((both + 1) * 127.5).round().byte().cpu().numpy()).save(path)
    model.train()
    return (-10 * error.log10()).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=["tiny", "kl", "decoder"])
    add_options(parser)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--pictures", type=int, default=16384, help="how many to learn from")
    options = parser.parse_args()
    device = pick_device()
    run = Run(options.run, options.kind, options.stop_after)
    state = run.load(device)
    progress = Progress(options.steps or STEPS[options.kind], options.seconds, state)
    torch.manual_seed(SEED + progress.start)
    rng = random.Random(SEED + progress.start)

    pictures = Pictures(sorted(options.data.glob("shard-*.npz")), device, options.pictures)
    print(f"{pictures.count} pictures", flush=True)
    model = Training(sizes(options.toy), options.kind).to(device)
    trained, trained_kl = options.run / "autoencoder.pt", options.run / "kl_autoencoder.pt"
    if options.kind != "tiny":
        model.freeze(torch.load(trained, map_location=device))
        if options.kind == "kl" and trained_kl.exists():  # of older weights only the decoder
            model.kl.load_state_dict(torch.load(trained_kl, map_location=device), strict=False)
    elif trained.exists():
        model.tiny.load_state_dict(torch.load(trained, map_location=device))
    model = model.to(memory_format=torch.channels_last)
    learning = [p for p in model.parameters() if p.requires_grad]
    averaged = {k: v.clone() for k, v in model.state_dict().items() if v.is_floating_point()}
    optimizer = torch.optim.AdamW(
        learning, lr=0.0, betas=(0.9, 0.99), weight_decay=1e-3, fused=device.type == "cuda"
    )
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        averaged = state["averaged"]
    forward = torch.compile(model) if options.compile else model
    shown = to_float(pictures.groups[0][:8])

    def save(step):
        run.save(
            {
                "step": step,
                "elapsed": progress.elapsed(),
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "averaged": averaged,
            }
        )

    saved, losses, step = time.monotonic(), [], progress.start - 1
    progress.began = time.monotonic()
    for step in progress.numbers():
        rate = progress.rate(step, PEAK_RATE[options.kind], WARM_UP)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = pictures.crops(options.batch, rng)
        with autocast(device):
            made, mistaken = forward(batch)
        loss = picture_loss(made.float(), batch) + mistaken
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        current = model.state_dict()
        keep = min(EMA, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(averaged.values()), [current[k] for k in averaged], 1 - keep)
        losses.append(loss.detach())
        if (step + 1) % LOG_STEPS == 0:
            mean = torch.stack(losses).mean()
            run.log(step + 1, loss=mean, rate=rate, seconds=progress.elapsed())
            losses.clear()
        if time.monotonic() - saved > SAVE_SECONDS:
            save(step + 1)
            saved = time.monotonic()
        if run.out_of_time():
            break
    save(step + 1)
    model.load_state_dict(averaged, strict=False)
    psnr = sheet(model, shown, options.run / f"{options.kind}.png")
    run.log(step + 1, psnr=psnr)
    model.cpu().to(memory_format=torch.contiguous_format)
    if options.kind == "kl":
        torch.save(model.kl.state_dict(), trained_kl)
    else:
        finished = folded(model.tiny, model.statistics)
        torch.save(finished, trained)


if __name__ == "__main__":
    main()
