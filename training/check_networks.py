"""Compares networks.py with the references, in float32 on random weights: same names, same outputs.

From: upstream's NextDiT_CLIP, transformers' Gemma3TextModel, ComfyUI's jina_clip_2.py, diffusers'
      AutoencoderTiny and AutoencoderKL.
Run:  python training/check_networks.py --upstream PATH_TO_CLONE --comfyui-file PATH_TO/jina_clip_2.py
      (the Python environment is that of tests/reference/README.md)
"""

import argparse
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "reference"))

import gemma3
import jina_clip
import next_dit
from _shared import draw_weights, generator, relative, shapes_of
from _upstream import import_upstream
from configs import sizes
from networks import Gemma3Text, JinaText, KlAutoencoder, NextDiT_CLIP, Segments, TinyAutoencoder

TOLERANCE = 1e-5
LENGTHS = [5, 1, 12]
GEN = generator(11)


def drawn(model, centre_and_spread, seed):
    weights = draw_weights(shapes_of(model), seed, centre_and_spread)
    model.load_state_dict(weights)
    return weights


def left_padded(rows):
    """[Lᵢ, …] → [B, longest, …] with something that is no zero in front of the shorter ones."""
    longest = max(len(row) for row in rows)
    padded = torch.full((len(rows), longest, *rows[0].shape[1:]), 7, dtype=rows[0].dtype)
    for place, row in zip(padded, rows):
        place[longest - len(row) :] = row
    padding = torch.tensor([longest - len(row) for row in rows])
    return padded, Segments.of(padding, longest)


def report(name, ours, theirs):
    difference = max(relative(a, b) for a, b in zip(ours, theirs, strict=True))
    print(f"{name}: {difference:.1e}")
    assert difference < TOLERANCE, name


def check_next_dit(upstream):
    config = sizes()["diffusion"] | {"n_layers": 2}
    arguments = {k: v for k, v in config.items() if k != "sample_size"}
    theirs = upstream.NextDiT_CLIP(**arguments).eval()
    ours = NextDiT_CLIP(config)
    ours.load_state_dict(drawn(theirs, next_dit.centre_and_spread, 1), strict=True)
    captions = [torch.randn(n, config["cap_feat_dim"], generator=GEN) for n in LENGTHS]
    pooled = torch.randn(len(LENGTHS), config["clip_text_dim"], generator=GEN)
    latents = torch.randn(len(LENGTHS), 16, 8, 12, generator=GEN)
    t = torch.rand(len(LENGTHS), generator=GEN)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    right = torch.nn.utils.rnn.pad_sequence(captions, batch_first=True)
    with torch.no_grad():
        expected = theirs(latents, t, right, mask.long(), clip_text_pooled=pooled)
        left, segments = left_padded(captions)
        report("NextDiT_CLIP", ours(latents, t, left, pooled, segments), expected)


def check_gemma():
    config = sizes()["text_encoder"] | {"vocab_size": 300, "num_hidden_layers": 3}
    theirs, ours = gemma3.build(config), Gemma3Text(config)
    ours.load_state_dict(drawn(theirs, gemma3.centre_and_spread, 2), strict=True)
    texts = [torch.randint(0, 300, (n,), generator=GEN) for n in LENGTHS]
    ids, segments = left_padded(texts)
    with torch.no_grad():
        features = ours(ids, segments)
        ends = [row[len(row) - n :] for row, n in zip(features, LENGTHS)]
        report("Gemma3Text", ends, [gemma3.evaluate(theirs, text)[0] for text in texts])


def check_jina(comfyui):
    config = sizes()["clip_model"] | {"vocab_size": 300}
    theirs, ours = jina_clip.build(comfyui, config), JinaText(config)
    weights = drawn(theirs, jina_clip.centre_and_spread, 3)
    ours.load_state_dict({k.removeprefix("model."): v for k, v in weights.items()}, strict=True)
    texts = [torch.randint(0, 300, (n,), generator=GEN) for n in LENGTHS]
    with torch.no_grad():
        pooled = ours(*left_padded(texts))
        report("JinaText", pooled, [jina_clip.evaluate(theirs, text)[0] for text in texts])


def check_autoencoders():
    config, pictures = sizes(), torch.rand(2, 3, 32, 48, generator=GEN) * 2 - 1
    latents = torch.randn(2, 16, 4, 6, generator=GEN) * 2
    tiny, theirs = TinyAutoencoder(config["tiny"]), AutoencoderTiny.from_config(config["tiny"])
    theirs.load_state_dict(tiny.state_dict(), strict=True)
    kl, their_kl = KlAutoencoder(config["kl"]), AutoencoderKL.from_config(config["kl"])
    their_kl.load_state_dict(kl.state_dict(), strict=True)
    with torch.no_grad():
        report("TinyAutoencoder.encode", tiny.encode(pictures), theirs.encode(pictures).latents)
        report("TinyAutoencoder.decode", tiny.decode(latents), theirs.decode(latents).sample)
        theirs = their_kl.encode(pictures).latent_dist
        report("KlAutoencoder.encode", kl.encode(pictures), theirs.mean)
        spread = torch.full_like(theirs.std, kl.SPREAD)
        report("KlAutoencoder's variance", spread, theirs.std)
        report("KlAutoencoder.decode", kl.decode(latents), their_kl.decode(latents).sample)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream", required=True, help="clone of NewBie-image-Exp0.1")
    parser.add_argument("--comfyui-file", required=True, help="ComfyUI's jina_clip_2.py")
    options = parser.parse_args()
    check_next_dit(import_upstream(options.upstream)[0])
    check_gemma()
    check_jina(jina_clip.import_comfyui(options.comfyui_file))
    check_autoencoders()
    for name, model in {
        "diffusion": NextDiT_CLIP,
        "text_encoder": Gemma3Text,
        "clip_model": JinaText,
        "tiny": TinyAutoencoder,
        "kl": KlAutoencoder,
    }.items():
        built = model(sizes()[name] | {"vocab_size": 0})
        count = sum(parameter.numel() for parameter in built.parameters())
        print(f"{name}: {count / 1e6:.2f} M parameters (without a vocabulary)")


if __name__ == "__main__":
    main()
