"""Draws a run's losses over its steps.

From: the .jsonl files in a run's folder.
Run:  python training/plot_losses.py --run FOLDER --out training/loss.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STAGES = {
    "tiny": "AutoencoderTiny: pixels and edges",
    "kl": "AutoencoderKL's decoder: the same",
    "diffusion": "NextDiT, Gemma 3, Jina CLIP: velocity",
}
COLORS = {"loss": "#3b6fb6", "held_out": "#d1495b", "held_out_averaged": "#2e933c"}
LABELS = {
    "loss": "training, mean of 100 steps",
    "held_out": "held-out scenes",
    "held_out_averaged": "held-out scenes, averaged weights",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "loss.png")
    options = parser.parse_args()
    figure, axes = plt.subplots(1, len(STAGES), figsize=(12, 3.2), dpi=80)
    for axis, (name, title) in zip(axes, STAGES.items()):
        lines = (options.run / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        for key, label in LABELS.items():
            points = [(r["step"], r[key]) for r in records if key in r]
            if points:
                few = key != "loss"
                style = {"marker": "o", "markersize": 4, "linestyle": "none"} if few else {}
                axis.plot(*zip(*points), color=COLORS[key], label=label, **style)
        axis.set(title=title, xlabel="steps", yscale="log")
        axis.grid(alpha=0.3, which="both")
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(options.out)


if __name__ == "__main__":
    main()
