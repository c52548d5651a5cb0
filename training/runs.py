"""What the training stages share: a folder that holds a run, from which it continues after any
end. Not run by itself."""

import json
import os
import time
from pathlib import Path

import torch


class Run:
    """A stage's folder: its checkpoint, written whole or not at all, and its log of losses."""

    def __init__(self, folder: Path, name: str, seconds: float | None):
        self.folder, self.name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.pt"
        self.log_path = folder / f"{name}.jsonl"
        self.end = time.monotonic() + (seconds or float("inf"))

    def load(self, device):
        """The last checkpoint, or None."""
        if not self.path.exists():
            return None
        return torch.load(self.path, map_location=device, weights_only=False)

    def save(self, state):
        unfinished = self.path.with_suffix(f".{os.getpid()}")
        torch.save(state, unfinished)
        unfinished.rename(self.path)

    def log(self, step, **numbers):
        line = {"step": step} | {k: round(float(v), 6) for k, v in numbers.items()}
        with open(self.log_path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(self.name, *(f"{k} {v:g}" for k, v in line.items()), flush=True)

    def out_of_time(self):
        return time.monotonic() > self.end


class Progress:
    """How far a run is, from 0 to 1: by its steps, or by its time over all calls, if given one.

    Time is for a machine that is lent for so long; the same number of steps repeats such a run.
    """

    # Share of the run in which the learning rate falls.
    FALL = 0.7

    def __init__(self, steps, seconds, state):
        self.steps, self.seconds = steps, seconds
        self.start = state["step"] if state else 0
        self.before = state["elapsed"] if state else 0.0
        self.began = time.monotonic()

    def elapsed(self):
        return self.before + time.monotonic() - self.began

    def at(self, step):
        return self.elapsed() / self.seconds if self.seconds else step / self.steps

    def rate(self, step, peak, warm_up):
        """Up in a line, level, then down to nothing in a line."""
        return max(0.0, peak * min(1.0, (step + 1) / warm_up, (1 - self.at(step)) / self.FALL))

    def numbers(self):
        """The steps to be done."""
        step = self.start
        while self.at(step) < 1:
            yield step
            step += 1


def add_options(parser):
    """What every stage understands."""
    parser.add_argument("--data", type=Path, required=True, help="shards of render_dataset.py")
    parser.add_argument("--run", type=Path, required=True, help="checkpoints, losses, pictures")
    parser.add_argument("--steps", type=int, help="instead of the stage's own number")
    parser.add_argument("--for", type=float, dest="seconds", help="seconds of training, not steps")
    parser.add_argument("--stop-after", type=float, help="seconds until this call ends")
    parser.add_argument("--toy", action="store_true", help="tiny networks, to try the command")


def autocast(device):
    # A weight is used once a step: to keep its copy would only mean trouble for CUDA graphs.
    cuda = device.type == "cuda"
    return torch.autocast(device.type, torch.bfloat16, enabled=cuda, cache_enabled=False)


def pick_device():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return device
