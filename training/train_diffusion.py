"""Trains the three networks that turn a prompt into latents, together, from nothing or from the
published weights (import_run.py).

From: shards of render_dataset.py, read as they appear; the trained autoencoder of the same run.
Run:  python training/train_diffusion.py --data FOLDER --run FOLDER --eval-data FOLDER
Continues from the run's checkpoint. With --stop-after it ends in time, to be started again.

Flow matching as upstream does it: x = t·latents + (1 − t)·noise, the network says latents − noise.
One caption in ten is replaced by the empty prompt, which guidance needs. With --soften S training goes
on so that guidance w does what w · S did before: what a prompt adds to the empty prompt is S times as
much as it was. See `Softening`.

Batches have few shapes: captions are sorted into BUCKETS by length. On a GPU forward and backward of
each shape are recorded once, as a CUDA graph; thousands of small kernels then start as one.
"""

import argparse
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from captions import DEMO, LENGTH_STEP, TOKENIZER_FOLDERS, CaptionTokenizers, left_padded, on_device
from captions import padded_batch, vocabulary_size
from configs import sizes
from muon import Optimizer
from networks import Gemma3Text, JinaText, NextDiT_CLIP, Segments, TinyAutoencoder
from PIL import Image
from render_dataset import CAPTIONS, drop_pictures, read_shard
from runs import Progress, Run, add_options, autocast, pick_device
from sampling import noise_of, sample
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
# less than at the 4096 of the real model: so a milder shift, for 256 × 256 pixels; larger ones have
# it times the root of how many times larger they are (Esser et al. 2024), for noise hides less there.
SHIFT = 2.5
EXAM_SHIFT = 3.0
# A difference in an eye counts (1 + 0.5 + 3) times, elsewhere on a head 1.5 times: they are the
# smallest part of a picture of two, and what a viewer looks at.
EYE_WEIGHT, HEAD_WEIGHT = 3.0, 0.5
EMA = 0.9995
SAVE_SECONDS = 90
LOG_STEPS = 100
EVAL_STEPS = 2000
# The longest captions of a batch in tokens of Gemma and of Jina, and one place of padding more:
# kernels are seldom tried on segments without a token.
BUCKETS = np.array([(48, 80), (72, 104), (88, 128), (104, 152), (144, 208)])
# Samples drawn at once, to be sorted into the buckets.
DRAWN = 4096
# Of a latent of 256 × 256 pixels, and of one of its cells.
USUAL_PIXELS = 32 * 32
CELL = 8
READERS = 4
FIRST_SHARDS = 32
MOST_NEW_SHARDS = 8
LOOK_SECONDS = 1.0
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


def published(config, device, folder=DEMO):
    """The three networks with the weights of a model folder."""
    from import_run import networks_of

    painter = Painter(config)
    painter.load_state_dict(networks_of(folder))
    return painter.eval().requires_grad_(False).to(device)


class Rows:
    """A tensor on the device to which a thread adds rows while others are read."""

    def __init__(self, first):
        self.buffer, self.count = first, len(first)

    def append(self, more):
        end = self.count + len(more)
        if end > len(self.buffer):
            room = self.buffer.new_empty(2 * end, *more.shape[1:])
            room[: self.count] = self.buffer[: self.count]
            self.buffer = room
        self.buffer[self.count : end] = more
        self.count = end

    def at(self, places):
        buffer = self.buffer
        if buffer.is_cuda:  # the thread has a stream of its own, and may drop the buffer
            buffer.record_stream(torch.cuda.current_stream())
        return buffer[places]


class Samples:
    """All pictures of one size. Caption 0 is the empty one; picture i has those from
    1 + CAPTIONS · i on."""

    def __init__(self, latents, marks, empty_captions, lengths):
        self.latents, self.marks = Rows(latents[:0]), Rows(marks[:0])
        self.captions = [Rows(rows) for rows in empty_captions]
        self.lengths = Rows(torch.from_numpy(lengths).to(latents.device))
        # What is drawn from: known to the host, and complete on the device.
        self.ready, self.ready_lengths = 0, lengths

    def append(self, latents, marks, captions, lengths):
        self.latents.append(latents)
        self.marks.append(marks)
        for rows, more in zip(self.captions, captions):
            rows.append(more)
        self.lengths.append(torch.from_numpy(lengths).to(latents.device))
        if latents.is_cuda:
            torch.cuda.current_stream().synchronize()
        self.ready_lengths = np.concatenate([self.ready_lengths, lengths])
        self.ready = self.latents.count


class Batch(NamedTuple):
    latents: torch.Tensor
    marks: torch.Tensor
    gemma: torch.Tensor
    jina: torch.Tensor
    lengths: torch.Tensor
    t: torch.Tensor
    noise: torch.Tensor

    def texts(self):
        """For each encoder: ids and segments."""
        rows = self.gemma, self.jina
        return [
            (ids, Segments.of(ids.shape[1] - self.lengths[:, i], ids.shape[1]))
            for i, ids in enumerate(rows)
        ]


class Library:
    """Latents and captions on the device, grown as shards appear.

    A shard's latents are kept beside it for the next call; with `light` its pictures are not. `lock`
    is held while the device is used by whoever grows it.
    """

    def __init__(self, folder, autoencoder, device, light=False):
        self.light = light
        self.folder, self.autoencoder, self.device = folder, autoencoder, device
        self.seen, self.count, self.lock = set(), 0, threading.Lock()
        self.stopping = threading.Event()
        self.samples = {}
        empty = CaptionTokenizers().encode("")
        rows = [
            left_padded(np.array(ids, dtype=np.uint16), np.array([len(ids)]), most)[0]
            for ids, most in zip(empty, BUCKETS[-1])
        ]
        self.empty = [torch.from_numpy(row).to(device) for row in rows]
        self.empty_lengths = np.array([[len(ids) for ids in empty]])
        self.empty_length = torch.from_numpy(self.empty_lengths[0]).to(device)

    def empty_texts(self, count):
        """The empty prompt as often, as `Batch.texts` gives it."""
        rows = [row[:, -LENGTH_STEP:].long().expand(count, -1) for row in self.empty]
        return [
            (ids, Segments.of((LENGTH_STEP - length).expand(count), LENGTH_STEP))
            for ids, length in zip(rows, self.empty_length)
        ]

    def grow(self, most):
        """Reads up to `most` new shards; how many it found."""
        new = [path for path in sorted(self.folder.glob("shard-*.npz")) if path not in self.seen]
        new = new[:most]
        with ThreadPoolExecutor(READERS) as readers:
            for path, parts in zip(new, readers.map(read_for_training, new)):
                with self.lock:
                    self.add(path, *parts)
                self.seen.add(path)
        return len(new)

    def add(self, path, pictures, latents, marks, captions, lengths):
        if latents is None:
            latents = self.encode(pictures)
            unfinished = path.with_suffix(".part")
            torch.save(latents.cpu(), unfinished)
            unfinished.rename(path.with_suffix(".latents"))
            if self.light:
                drop_pictures(path)
        latents, marks = latents.to(self.device), marks.to(self.device)
        size = tuple(latents.shape[2:])
        if size not in self.samples:
            self.samples[size] = Samples(latents, marks, self.empty, self.empty_lengths)
        captions = [rows.to(self.device) for rows in captions]
        self.samples[size].append(latents, marks, captions, lengths)
        self.count += len(latents)

    def grow_always(self):
        """In a thread of its own, until `stop`."""

        def run():
            while not self.stopping.is_set():
                if not self.grow(MOST_NEW_SHARDS):
                    self.stopping.wait(LOOK_SECONDS)

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join()

    @torch.no_grad()
    def encode(self, pictures):
        parts = []
        for part in pictures.split(64):
            part = to_float(part.to(self.device)).contiguous(memory_format=torch.channels_last)
            with autocast(self.device):
                parts.append(self.autoencoder.encode(part).half())
        return torch.cat(parts).contiguous()

    def batch(self, size, bucket, places):
        """Of places [2, B]: which pictures, which captions."""
        samples = self.samples[size]
        pictures, captions = on_device_soon(places, self.device)
        gemma, jina = (
            rows.at(captions)[:, -length:].long()
            for rows, length in zip(samples.captions, BUCKETS[bucket].tolist())
        )
        latents = samples.latents.at(pictures).float()
        return Batch(
            latents,
            samples.marks.at(pictures),
            gemma,
            jina,
            samples.lengths.at(captions),
            shifted(torch.rand(len(pictures), device=self.device), shift_of(size)),
            torch.randn_like(latents),
        )


def on_device_soon(array, device):
    """Without waiting for what the device is doing."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def read_for_training(path):
    """Pictures or, if they are there, latents; circles; both encoders' captions and lengths."""
    known = path.with_suffix(".latents")
    latents = torch.load(known) if known.exists() else None
    pictures, texts, marks = read_shard(path, with_pictures=latents is None)
    rows, lengths = zip(*(left_padded(*text, most) for text, most in zip(texts, BUCKETS[-1])))
    return pictures, latents, marks, [torch.from_numpy(x) for x in rows], np.stack(lengths, axis=1)


class Draws:
    """Which samples make the next batch, without end: (size, bucket, places [2, B])."""

    def __init__(self, library, batch, seed, empty=EMPTY_PROMPTS):
        self.library, self.batch, self.empty = library, batch, empty
        self.rng = np.random.default_rng(seed)
        self.waiting = {}

    def __iter__(self):
        while True:
            yield from self.draw()

    def draw(self):
        counts = {size: one.ready for size, one in list(self.library.samples.items())}
        share = np.array(list(counts.values())) / sum(counts.values())
        size = list(counts)[self.rng.choice(len(share), p=share)]
        # The larger the pictures, the fewer.
        batch = min(self.batch, self.batch * USUAL_PIXELS // (size[0] * size[1]))
        pictures = self.rng.integers(counts[size], size=DRAWN)
        captions = 1 + CAPTIONS * pictures + self.rng.integers(CAPTIONS, size=DRAWN)
        captions[self.rng.random(DRAWN) < self.empty] = 0
        lengths = self.library.samples[size].ready_lengths[captions]
        buckets = np.max(
            [np.searchsorted(BUCKETS[:, i], lengths[:, i], side="right") for i in (0, 1)], axis=0
        )
        full = []
        for bucket in range(len(BUCKETS)):
            new = np.stack([pictures, captions])[:, buckets == bucket]
            key = size, bucket
            waiting = np.concatenate([self.waiting.get(key, new[:, :0]), new], axis=1)
            whole = waiting.shape[1] // batch * batch
            self.waiting[key] = waiting[:, whole:]
            for places in np.split(waiting[:, :whole], max(1, whole // batch), axis=1):
                if whole:
                    full.append((size, bucket, places))
        self.rng.shuffle(full)
        return full


def importance(marks, rows, columns):
    """Circles [B, N, 3] in pixels → weights [B, 1, rows, columns] of a latent's cells."""
    y = (torch.arange(rows, device=marks.device) + 0.5) * CELL
    x = (torch.arange(columns, device=marks.device) + 0.5) * CELL
    across, down, radius = marks[..., None, None].unbind(2)
    inside = (x - across).square() + (y[:, None] - down).square() < radius.square()
    # Of three circles two are eyes.
    of_head = inside[:, 2::3].any(1)
    of_eye = inside[:, 0::3].any(1) | inside[:, 1::3].any(1)
    return (1 + EYE_WEIGHT * of_eye.float() + HEAD_WEIGHT * of_head.float())[:, None]


def mixture(latents, t, noise):
    t = t[:, None, None, None]
    return t * latents + (1 - t) * noise


class Softening:
    """What to learn so that guidance pulls less: u + share · (v − u), where u is the velocity that
    the weights of the beginning, `teacher`, have for the empty prompt, and v what is right. Guidance
    w then gives u + w · share · (v − u), which is what guidance w · share gave.

    v is, by halves, the picture's own velocity and the teacher's for the same caption: the former is
    right on average and varies much, the latter does not vary. For the empty prompt nothing changes.
    """

    OWN = 0.5

    def __init__(self, teacher, share, empty_texts):
        self.teacher, self.share, self.empty_texts = teacher, share, empty_texts

    @torch.no_grad()
    def __call__(self, mixed, t, texts, right, device):
        with autocast(device):
            empty, known = (
                self.teacher.velocity(mixed, t, self.teacher.encode(*side)).float()
                for side in (self.empty_texts(len(t)), texts)
            )
        wanted = self.OWN * known + (1 - self.OWN) * right
        return empty + self.share * (wanted - empty)


def squared_error(painter, latents, texts, t, noise, device, soften=None):
    mixed, right = mixture(latents, t, noise), latents - noise
    if soften:
        right = soften(mixed, t, texts, right, device)
    with autocast(device):
        velocity = painter.velocity(mixed, t, painter.encode(*texts))
    return (velocity.float() - right).square()


class Gradients:
    """Loss and gradients of a batch. On a GPU a shape that was met once is a CUDA graph."""

    def __init__(self, painter, gradients, lock, device, soften=None):
        self.painter, self.gradients, self.lock, self.device = painter, gradients, lock, device
        self.soften = soften
        self.graphs = {}
        self.pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    def work(self, batch):
        torch._foreach_zero_(self.gradients)
        inputs = batch.latents, batch.texts(), batch.t, batch.noise
        errors = squared_error(self.painter, *inputs, self.device, self.soften)
        weights = importance(batch.marks, *batch.latents.shape[2:])
        loss = (errors * weights).mean() / weights.mean()
        loss.backward()
        return loss.detach()

    def __call__(self, batch):
        if self.device.type != "cuda":
            return self.work(batch)
        key = tuple(x.shape for x in batch)
        if key in self.graphs:
            inputs, graph, loss = self.graphs[key]
            torch._foreach_copy_(list(inputs), list(batch))
            graph.replay()
            return loss.clone()
        # Whatever must happen once (loading kernels, choosing them) happens before the recording.
        loss = self.work(batch)
        with self.lock:
            torch.cuda.synchronize()
            self.graphs[key] = self.record(batch)
        return loss

    def record(self, batch):
        inputs = Batch(*(x.clone() for x in batch))
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
        try:
            loss = self.work(inputs)
        finally:
            graph.capture_end()
        return inputs, graph, loss


def shift_of(size):
    """Of a latent's height and width."""
    return SHIFT * (size[0] * size[1] / USUAL_PIXELS) ** 0.5


def shifted(t, shift):
    return t / (t + shift - shift * t)


class Exam:
    """The loss on held-out scenes, with the same noise every time and equal weights; of velocities
    with guidance 1 / share where that is to be as good as no guidance was."""

    def __init__(self, folder, library, device, share=1.0):
        pictures, texts, _ = read_shard(sorted(folder.glob("shard-*.npz"))[0])
        generator = torch.Generator().manual_seed(SEED)
        self.latents = library.encode(pictures).float()
        count = len(self.latents)
        noise = torch.randn(self.latents.shape, generator=generator).to(device)
        t = shifted((torch.arange(count) + 0.5) / count, EXAM_SHIFT).to(device)
        # The first caption of each.
        captions = [np.split(ids, ends[:-1])[::CAPTIONS] for ids, ends in texts]
        texts = [on_device(padded_batch(rows), device) for rows in captions]
        self.inputs = self.latents, texts, t, noise, device
        self.empty, self.share = library.empty_texts(count), share

    @torch.no_grad()
    def loss(self, painter):
        if self.share == 1:
            return squared_error(painter, *self.inputs).mean()
        latents, texts, t, noise, device = self.inputs
        mixed = mixture(latents, t, noise)
        with autocast(device):
            said, empty = (
                painter.velocity(mixed, t, painter.encode(*side)).float()
                for side in (texts, self.empty)
            )
        return (empty + (said - empty) / self.share - (latents - noise)).square().mean()


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
    noise = noise_of(range(len(prompts)), (256, 256))
    latents = sample(painter, CaptionTokenizers(), prompts, noise, **options)
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
    parser.add_argument("--soften", type=float, default=1.0, help="share of guidance that is left")
    parser.add_argument("--light", action="store_true", help="delete pictures once encoded")
    parser.add_argument("--sheet", type=int, default=48, help="pictures drawn at the end")
    options = parser.parse_args()
    device = pick_device()
    if device.type == "cuda":  # CUDA graphs cannot be recorded on the first stream
        torch.cuda.set_stream(torch.cuda.Stream())
    config = sizes(options.toy)
    run = Run(options.run, "diffusion", options.stop_after)
    state = run.load(device)
    progress = Progress(options.steps or STEPS, options.seconds, state)
    torch.manual_seed(SEED + progress.start)

    autoencoder = TinyAutoencoder(config["tiny"]).to(device)
    autoencoder.load_state_dict(torch.load(options.run / "autoencoder.pt", map_location=device))
    autoencoder.to(memory_format=torch.channels_last).requires_grad_(False)
    library = Library(options.data, autoencoder, device, options.light)
    exam = Exam(options.eval_data, library, device, options.soften)
    library.grow(FIRST_SHARDS)
    library.grow_always()
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
    gradients = optimizer.make_gradients()
    soften = None
    if options.soften != 1:
        teacher = published(config, device)
        soften = Softening(teacher, options.soften, library.empty_texts)
    work = Gradients(painter, gradients, library.lock, device, soften)
    draws = iter(Draws(library, options.batch, SEED + progress.start))

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
    run.log(progress.start, held_out=exam.loss(painter))
    saved, losses, step = time.monotonic(), [], progress.start - 1
    progress.began = time.monotonic()
    for step in progress.numbers():
        size, bucket, places = next(draws)
        losses.append(work(library.batch(size, bucket, places)))
        nn.utils.clip_grad_norm_(optimizer.parameters, 1.0)
        optimizer.step(
            progress.rate(step, options.rate, WARM_UP),
            progress.rate(step, options.adam_rate, WARM_UP),
        )
        keep = min(EMA, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(averaged.values()), values, 1 - keep)
        seen += places.shape[1]
        if (step + 1) % LOG_STEPS == 0:
            mean, seconds = torch.stack(losses).mean(), progress.elapsed()
            run.log(step + 1, loss=mean, seconds=seconds, samples=seen, pictures=library.count)
            losses.clear()
        if (step + 1) % EVAL_STEPS == 0:
            run.log(step + 1, held_out=exam.loss(painter))
        if time.monotonic() - saved > SAVE_SECONDS:
            save(step + 1)
            saved = time.monotonic()
        if run.out_of_time():
            break
    library.stop()
    save(step + 1)
    for (_, value), average in zip(named, averaged.values()):
        value.data.copy_(average)
    run.log(step + 1, held_out_averaged=exam.loss(painter))
    if options.sheet:
        prompts = [prompt for prompt, _ in held_out_prompts(options.sheet)]
        draw_sheet(painter, autoencoder, prompts, options.run / "sheet.jpg")


if __name__ == "__main__":
    main()
