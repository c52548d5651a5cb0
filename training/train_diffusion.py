"""Trains the three networks that turn a prompt into latents, together, from nothing.

From: shards of render_dataset.py, read as they appear; the trained autoencoder of the same run.
Run:  python training/train_diffusion.py --data FOLDER --run FOLDER --eval-data FOLDER
Continues from the run's checkpoint. With --stop-after it ends in time, to be started again.

Flow matching as upstream does it: x = t·latents + (1 − t)·noise, the network says latents − noise.
One caption in ten is replaced by the empty prompt, which guidance needs.
"""

import argparse
import queue
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from captions import DEMO, TOKENIZER_FOLDERS, CaptionTokenizers, on_device, padded_batch
from captions import vocabulary_size
from configs import sizes
from muon import Optimizer
from networks import Gemma3Text, JinaText, NextDiT_CLIP, TinyAutoencoder
from PIL import Image
from render_dataset import CAPTIONS, read_shard
from runs import Progress, Run, add_options, autocast, pick_device
from sampling import sample
from torch import nn
from train_autoencoder import to_float

SEED = 11
BATCH = 256
STEPS = 16_000
PEAK_RATE = 2e-3  # of Muon
ADAM_RATE = 1e-3
WARM_UP = 300
WEIGHT_DECAY = 0.02
EMPTY_PROMPTS = 0.1
# Sampling shifts its times by 6, so that nearly half of its steps are below t = 0.15. Training
# needs the other times as well, where lines and eyes are decided, and at 256 tokens noise hides
# less than at the 4096 of the real model: so the milder 3.
SHIFT = 3.0
EMA = 0.9995
SAVE_SECONDS = 90
LOG_STEPS = 100
EVAL_STEPS = 1000
# This many batches are drawn at once and sorted by length, so that little of a batch is padding.
SORTED_BATCHES = 4
# Of a latent of 256 × 256 pixels.
USUAL_PIXELS = 32 * 32
READERS = 6
NEW_SHARDS_STEPS = 50
MOST_NEW_SHARDS = 8
MATRIX_BLOCKS = ("layers.", "refiner.")


class Painter(nn.Module):
    """The three networks."""

    def __init__(self, config, tokenizer_folder=DEMO):
        super().__init__()
        gemma, jina = (
            vocabulary_size(tokenizer_folder / name) for name in TOKENIZER_FOLDERS.values()
        )
        self.transformer = Gemma3Text(config["text_encoder"] | {"vocab_size": gemma})
        self.clip_model = JinaText(config["clip_model"] | {"vocab_size": jina})
        self.next_dit = NextDiT_CLIP(config["diffusion"])

    def encode(self, gemma, jina):
        """Each is (ids, segments)."""
        return self.transformer(*gemma), self.clip_model(*jina), gemma[1]

    def velocity(self, latents, t, encoded):
        features, pooled, segments = encoded
        return self.next_dit(latents, t, features, pooled, segments)

    def compile_blocks(self):
        """Blocks alone: the same code for all layers, whatever the length of the texts."""
        torch._dynamo.config.recompile_limit = 64
        dit, gemma, jina = self.next_dit, self.transformer, self.clip_model
        refiners = [*dit.context_refiner, *dit.noise_refiner]
        texts = [*gemma.layers, *jina.encoder.layers]
        for block in [*dit.layers, *refiners, *texts]:
            block.compile(dynamic=True)


class Captions:
    """All captions of pictures of one size: (picture, which of its captions) → ids."""

    def __init__(self):
        self.flat, self.ends = [], []

    def add(self, flat, ends):
        self.flat.append(flat)
        self.ends.append(ends)

    def ids(self, picture, caption):
        shard, place = divmod(picture, len(self.ends[0]) // CAPTIONS)
        place = place * CAPTIONS + caption
        first = self.ends[shard][place - 1] if place else 0
        return self.flat[shard][first : self.ends[shard][place]]


class Library:
    """Latents on the device and captions beside them, grown as shards appear.

    A shard's latents are kept beside it for the next call.
    """

    def __init__(self, folder, autoencoder, device):
        self.folder, self.autoencoder, self.device = folder, autoencoder, device
        self.seen, self.count = set(), 0
        # By size in latents: captions for each encoder; all latents.
        self.captions, self.latents = {}, {}

    def grow(self, most):
        """Reads up to `most` new shards."""
        new = [path for path in sorted(self.folder.glob("shard-*.npz")) if path not in self.seen]
        parts = {}
        with ThreadPoolExecutor(READERS) as readers:
            for path, (pictures, latents, texts) in zip(
                new[:most], readers.map(read_for_training, new[:most])
            ):
                self.seen.add(path)
                if latents is None:
                    latents = self.encode(pictures)
                    unfinished = path.with_suffix(".part")
                    torch.save(latents.cpu(), unfinished)
                    unfinished.rename(path.with_suffix(".latents"))
                size = tuple(latents.shape[2:])
                parts.setdefault(size, []).append(latents.to(self.device))
                captions = self.captions.setdefault(size, (Captions(), Captions()))
                for one, text in zip(captions, texts):
                    one.add(*text)
                self.count += len(latents)
        for size, new_latents in parts.items():
            before = [self.latents[size]] if size in self.latents else []
            self.latents[size] = torch.cat([*before, *new_latents])

    @torch.no_grad()
    def encode(self, pictures):
        parts = []
        for part in pictures.split(64):
            part = to_float(part.to(self.device)).contiguous(memory_format=torch.channels_last)
            with autocast(self.device):
                parts.append(self.autoencoder.encode(part).half())
        return torch.cat(parts).contiguous()

    def at(self, size, places):
        """Latents by place among all pictures of the size."""
        return self.latents[size][places.to(self.device, non_blocking=True)].float()


def read_for_training(path):
    """Pictures or, if they are there, latents; and both encoders' captions."""
    known = path.with_suffix(".latents")
    latents = torch.load(known) if known.exists() else None
    pictures, texts = read_shard(path, with_pictures=latents is None)
    return pictures, latents, texts


class Batches:
    """Draws batches ahead, in a thread: lists of ids become arrays while the device works."""

    def __init__(self, library, batch, rng, empty):
        self.library, self.batch, self.rng, self.empty = library, batch, rng, empty
        self.ready = queue.Queue(maxsize=6)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            for batch in self.draw():
                self.ready.put(batch)

    def draw(self):
        counts = {size: len(latents) for size, latents in list(self.library.latents.items())}
        (size,) = self.rng.choices(list(counts), list(counts.values()))
        gemma, jina = self.library.captions[size]
        # The larger the pictures, the fewer.
        batch = min(self.batch, self.batch * USUAL_PIXELS // (size[0] * size[1]))
        drawn = []
        for _ in range(batch * SORTED_BATCHES):
            place = self.rng.randrange(counts[size])
            if self.rng.random() < EMPTY_PROMPTS:
                drawn.append((*self.empty, place))
            else:
                caption = self.rng.randrange(CAPTIONS)
                drawn.append((gemma.ids(place, caption), jina.ids(place, caption), place))
        drawn.sort(key=lambda one: len(one[0]))
        parts = [drawn[i : i + batch] for i in range(0, len(drawn), batch)]
        self.rng.shuffle(parts)
        for part in parts:
            texts = [padded_batch([one[i] for one in part]) for i in (0, 1)]
            places = torch.tensor([one[2] for one in part])
            if torch.cuda.is_available():
                texts = [tuple(x.pin_memory() for x in pair) for pair in texts]
                places = places.pin_memory()
            yield size, texts, places


def flow_loss(painter, latents, texts, t, noise, device):
    mixed = t[:, None, None, None] * latents + (1 - t[:, None, None, None]) * noise
    with autocast(device):
        encoded = painter.encode(*(on_device(pair, device) for pair in texts))
        velocity = painter.velocity(mixed, t, encoded)
    return (velocity.float() - (latents - noise)).pow(2).mean()


def shifted(t):
    return t / (t + SHIFT - SHIFT * t)


class Exam:
    """The loss on held-out scenes, with the same noise every time."""

    def __init__(self, folder, library, device):
        path = sorted(folder.glob("shard-*.npz"))[0]
        pictures, texts = read_shard(path)
        first = (Captions(), Captions())
        for one, text in zip(first, texts):
            one.add(*text)
        generator = torch.Generator().manual_seed(SEED)
        self.device = device
        self.latents = library.encode(pictures).float()
        count = len(self.latents)
        self.noise = torch.randn(self.latents.shape, generator=generator).to(device)
        self.t = shifted((torch.arange(count) + 0.5) / count).to(device)
        self.texts = [padded_batch([one.ids(i, 0) for i in range(count)]) for one in first]

    @torch.no_grad()
    def loss(self, painter):
        with torch.compiler.set_stance("force_eager"):
            inputs = (self.latents, self.texts, self.t, self.noise)
            return flow_loss(painter, *inputs, self.device)


def held_out_prompts(count):
    """(prompt, what it is) by turns: XML of two, XML of one, tags, sentence."""
    from prompts import sentence_prompt, tag_prompt, xml_prompt
    from scene import sample_scene

    rng = random.Random(SEED)
    made = []
    for i in range(count):
        kind = (xml_prompt, xml_prompt, tag_prompt, sentence_prompt)[i % 4]
        characters = (2, 1, 2, 1)[i % 4] if i % 8 < 4 else 2
        scene = sample_scene(rng, characters=characters, split="eval")
        made.append((kind(scene, rng, 0.0), scene))
    return made


@torch.no_grad()
def draw_sheet(painter, autoencoder, prompts, path, columns=8, **options):
    with torch.compiler.set_stance("force_eager"):
        latents = sample(painter, CaptionTokenizers(), prompts, (256, 256), **options)
    pictures = torch.cat([autoencoder.decode(part) for part in latents.split(16)]).clamp(-1, 1)
    rows = pictures.unflatten(0, (-1, columns)).permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)
    Image.fromarray(((rows + 1) * 127.5).round().byte().cpu().numpy()).save(path, quality=88)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_options(parser)
    parser.add_argument("--eval-data", type=Path, required=True, help="a shard of held-out scenes")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="Muon's highest rate")
    parser.add_argument("--adam-rate", type=float, default=ADAM_RATE)
    parser.add_argument("--sheet", type=int, default=48, help="pictures drawn at the end")
    options = parser.parse_args()
    device = pick_device()
    config = sizes(options.toy)
    run = Run(options.run, "diffusion", options.stop_after)
    state = run.load(device)
    progress = Progress(options.steps or STEPS, options.seconds, state)
    torch.manual_seed(SEED + progress.start)

    autoencoder = TinyAutoencoder(config["tiny"]).to(device)
    autoencoder.load_state_dict(torch.load(options.run / "autoencoder.pt", map_location=device))
    autoencoder.to(memory_format=torch.channels_last).requires_grad_(False)
    library = Library(options.data, autoencoder, device)
    library.grow(1_000_000)
    exam = Exam(options.eval_data, library, device)
    print(f"{library.count} pictures", flush=True)

    painter = Painter(config).to(device)
    named = list(painter.named_parameters())
    optimizer = Optimizer(named, MATRIX_BLOCKS, WEIGHT_DECAY, fused=device.type == "cuda")
    averaged = {name: value.detach().clone() for name, value in named}
    if state:
        painter.load_state_dict(state["model"])
        averaged = {name: state["averaged"][name] for name, _ in named}
        if "optimizer" in state:  # import_run.py has none
            optimizer.load_state_dict(state["optimizer"])
    if options.compile:
        painter.compile_blocks()
    empty = CaptionTokenizers().encode("")
    batches = Batches(library, options.batch, random.Random(SEED + progress.start), empty)

    def save(step):
        run.save(
            {
                "step": step,
                "elapsed": progress.elapsed(),
                "samples": seen,
                "model": painter.state_dict(),
                "optimizer": optimizer.state_dict(),
                "averaged": averaged,
            }
        )

    values = [value.detach() for _, value in named]
    seen = state["samples"] if state else 0
    saved, losses, step = time.monotonic(), [], progress.start - 1
    progress.began = time.monotonic()
    for step in progress.numbers():
        size, texts, places = batches.ready.get()
        latents = library.at(size, places)
        t = shifted(torch.rand(len(places), device=device))
        loss = flow_loss(painter, latents, texts, t, torch.randn_like(latents), device)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(optimizer.parameters, 1.0)
        optimizer.step(
            progress.rate(step, options.rate, WARM_UP),
            progress.rate(step, options.adam_rate, WARM_UP),
        )
        keep = min(EMA, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(averaged.values()), values, 1 - keep)
        losses.append(loss.detach())
        seen += len(places)
        if (step + 1) % LOG_STEPS == 0:
            mean, seconds = torch.stack(losses).mean(), progress.elapsed()
            run.log(step + 1, loss=mean, seconds=seconds, samples=seen, pictures=library.count)
            losses.clear()
        if (step + 1) % EVAL_STEPS == 0:
            run.log(step + 1, held_out=exam.loss(painter))
        if (step + 1) % NEW_SHARDS_STEPS == 0:
            library.grow(MOST_NEW_SHARDS)
        if time.monotonic() - saved > SAVE_SECONDS:
            save(step + 1)
            saved = time.monotonic()
        if run.out_of_time():
            break
    save(step + 1)
    for (_, value), average in zip(named, averaged.values()):
        value.data.copy_(average)
    run.log(step + 1, held_out_averaged=exam.loss(painter))
    if options.sheet:
        prompts = [prompt for prompt, _ in held_out_prompts(options.sheet)]
        draw_sheet(painter, autoencoder, prompts, options.run / "sheet.jpg")


if __name__ == "__main__":
    main()
