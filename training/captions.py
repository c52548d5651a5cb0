"""From a prompt to what the two text encoders read: token ids with and without the system prompt.
Not run by itself."""

import json
from pathlib import Path

import numpy as np
import torch
from networks import Segments
from prompt_language import SYSTEM_PLAIN, SYSTEM_XML
from tokenizers import Tokenizer

DEMO = Path(__file__).resolve().parent.parent / "models" / "demo"
TOKENIZER_FOLDERS = {"gemma": "transformer", "jina": "clip_model"}

# Rows of a batch are padded to a multiple of this, so that few lengths occur; by one at least, since
# kernels are seldom tried on segments without a token.
LENGTH_STEP = 8


def with_system_prompt(prompt):
    """An empty prompt stays empty: it is what guidance compares with."""
    if not prompt:
        return prompt
    return (SYSTEM_XML if prompt.startswith("<") else SYSTEM_PLAIN) + prompt


class CaptionTokenizers:
    """The tokenizers of both encoders."""

    def __init__(self, folder=DEMO):
        self.gemma, self.jina = (
            Tokenizer.from_file(str(folder / name / "tokenizer.json"))
            for name in TOKENIZER_FOLDERS.values()
        )

    def encode(self, prompt):
        """(Gemma's ids, Jina's ids), with `<bos>`, and with `<s>` and `</s>`."""
        return self.gemma.encode(with_system_prompt(prompt)).ids, self.jina.encode(prompt).ids


def vocabulary_size(folder):
    """One more than the highest id."""
    contents = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return len(contents["model"]["vocab"])


def padded_batch(rows):
    """Rows of ids → ids [B, L] padded on the left, padding [B]; both int64 on the CPU."""
    longest = max(len(row) for row in rows)
    length = (longest // LENGTH_STEP + 1) * LENGTH_STEP
    ids = np.zeros((len(rows), length), dtype=np.int64)
    for place, row in zip(ids, rows):
        place[length - len(row) :] = row
    padding = np.array([length - len(row) for row in rows], dtype=np.int64)
    return torch.from_numpy(ids), torch.from_numpy(padding)


def left_padded(ids, ends, length):
    """All ids in a row and the end of each caption's → int16 [captions, length], how long each is.

    A caption that is too long becomes an empty row; its length tells."""
    lengths = np.diff(ends, prepend=0)
    fits = lengths <= length
    rows = np.zeros((len(ends), length), dtype=np.int16)
    rows[(np.arange(length) >= (length - lengths)[:, None]) & fits[:, None]] = ids[
        np.repeat(fits, lengths)
    ]
    return rows, lengths


def on_device(batch, device):
    """What `padded_batch` gives → ids and their segments on a device."""
    ids, padding = (part.to(device, non_blocking=True) for part in batch)
    return ids, Segments.of(padding, ids.shape[1])
