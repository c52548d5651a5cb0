"""Makes tests/fixtures/schedulers: what the samplers and guidance of the public NewBie repository,
and the times of diffusers' flow-matching scheduler, give on small numbers.

From: the NewBie repository's `transport` (its ODE solvers are torchdiffeq's) and
`NextDiT_CLIP.forward_with_cfg`, and diffusers' FlowMatchEulerDiscreteScheduler driven as its
Lumina 2 pipeline does. The model is v(x, t) = A·tanh(x) + b·t, A mixing the 16 channels.

- samplers.json: for every method, number of steps and shift the result, the times at which the
  model was asked, and for DPM-Solver the result in both precisions. Upstream's DPM-Solver loses
  digits in float32 at its beginning (it divides by 1 − σ, which is about 1e-4 there), so that its
  float64 run is the exact one.
- guidance.json: guided velocities, and whether the unconditional sample was computed.
- diffusers_sigmas.json: the noise levels of runs.

Arrays are little-endian float32 (float64 for times) in base64.

Run: python tests/reference/schedulers.py --newbie PATH_OF_A_CLONE
(NewBieAI-Lab/NewBie-image-Exp0.1 at commit 709e9a4; packages in requirements.txt)
"""

import argparse
import base64
import os
from types import SimpleNamespace

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from _shared import FIXTURES, generator, write_json
from _upstream import import_upstream

FOLDER = FIXTURES / "schedulers"
CHANNELS = 16
SHAPE = (2, CHANNELS, 4, 4)
# Our names of the methods and torchdiffeq's.
ODE_METHODS = {"euler": "euler", "midpoint": "midpoint", "heun": "heun2"}
ODE_RUNS = [(1, 6.0), (2, 6.0), (3, 1.0), (8, 6.0), (8, 0.5), (30, 6.0)]
DPM_RUNS = [(2, 6.0), (3, 1.0), (5, 6.0), (8, 6.0), (8, 0.5), (16, 3.0), (30, 6.0)]
SIGMA_RUNS = [(1, 6.0), (4, 1.0), (28, 3.0), (30, 6.0)]


def packed(values, dtype="<f4"):
    return base64.b64encode(np.asarray(values, dtype=dtype).tobytes()).decode("ascii")


class Model:
    """The velocity field, in the dtype of its input, keeping the times at which it was asked."""

    def __init__(self, mix, drift):
        self.mix, self.drift, self.times = mix, drift, []

    def __call__(self, x, t):
        self.times.append(t[0].item())
        mixed = torch.einsum("oc,bchw->bohw", self.mix.to(x), torch.tanh(x))
        return mixed + (self.drift.to(x) * t.to(x)[:, None])[:, :, None, None]


def ode_runs(transport, mix, drift, noise):
    for name, method in ODE_METHODS.items():
        for steps, shift in ODE_RUNS:
            model = Model(mix, drift)
            # Upstream counts points, of which there is one more than there are steps.
            sample = transport.Sampler(transport.create_transport()).sample_ode(
                sampling_method=method, num_steps=steps + 1, time_shifting_factor=shift
            )
            result = sample(noise, lambda x, t: model(x, t))[-1]
            yield {
                "name": name,
                "steps": steps,
                "shift": shift,
                "times": packed(model.times, "<f8"),
                "result": packed(result.numpy()),
            }


def dpm_run(transport, mix, drift, noise, steps, shift):
    model = Model(mix, drift)
    sampler = transport.Sampler(transport.create_transport("Linear", "velocity"))
    sample = sampler.sample_dpm(lambda x, t: model(x, t), model_kwargs={})
    result = sample(
        noise,
        steps=steps,
        order=2,
        skip_type="time_uniform_flow",
        method="multistep",
        flow_shift=shift,
    )
    return result, model.times


def dpm_runs(transport, mix, drift, noise):
    for steps, shift in DPM_RUNS:
        single, _ = dpm_run(transport, mix, drift, noise, steps, shift)
        # Upstream makes its times in the default dtype.
        torch.set_default_dtype(torch.float64)
        double, times = dpm_run(transport, mix, drift, noise.double(), steps, shift)
        torch.set_default_dtype(torch.float32)
        loss = ((single - double).norm() / double.norm()).item()
        print(f"dpm-solver++ {steps} steps, shift {shift}: float32 differs by {loss:.1e}")
        yield {
            "name": "dpm-solver++",
            "steps": steps,
            "shift": shift,
            "times": packed(times, "<f8"),
            "result": packed(double.numpy()),
            "resultInFloat32": packed(single.numpy()),
        }


def guidance_cases(upstream_model, gen):
    shape = (CHANNELS, 3, 5)
    conditional = torch.randn(shape, generator=gen)
    unconditional = torch.randn(shape, generator=gen)

    def case(scale, renorm, trunc, time):
        asked = []

        def forward(x, *_):
            asked.append(len(x))
            return torch.stack([conditional, unconditional])[: len(x)]

        model = SimpleNamespace(in_channels=CHANNELS, forward=forward)
        guided = upstream_model.NextDiT_CLIP.forward_with_cfg(
            model,
            torch.zeros(2, *shape),
            torch.full((2,), time),
            torch.zeros(2, 1),
            torch.zeros(2, 1),
            scale,
            cfg_trunc=trunc,
            renorm_cfg=renorm,
        )
        return {
            "guidanceScale": scale,
            "renormCfg": renorm,
            "cfgTrunc": trunc,
            "timestep": time,
            "askedForUnconditional": asked == [2],
            "guided": packed(guided[0].numpy()),
        }

    cases = [
        case(scale, renorm, 100, 0.5)
        for scale in (0.0, 0.5, 1.0, 5.0)
        for renorm in (0.0, 0.5, 1.0, 2.5)
    ]
    cases += [case(5.0, 1.0, 0.5, time) for time in (0.0, 0.25, 0.5, 0.75)]
    return {
        "conditional": packed(conditional.numpy()),
        "unconditional": packed(unconditional.numpy()),
        "cases": cases,
    }


def diffusers_sigmas(steps, shift):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps))
    return {"steps": steps, "shift": shift, "sigmas": packed(scheduler.sigmas.numpy(), "<f8")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--newbie", required=True, help="a clone of the NewBie repository")
    upstream_model, transport = import_upstream(parser.parse_args().newbie)
    os.environ["DPM_TQDM"] = "True"  # upstream's switch: no progress bar

    gen = generator(7)
    mix = 0.5 * torch.randn(CHANNELS, CHANNELS, generator=gen)
    drift = torch.randn(CHANNELS, generator=gen)
    noise = torch.randn(SHAPE, generator=gen)
    with torch.no_grad():
        runs = [
            *ode_runs(transport, mix, drift, noise),
            *dpm_runs(transport, mix, drift, noise),
        ]
    write_json(
        FOLDER / "samplers.json",
        {
            "channels": CHANNELS,
            "mix": packed(mix.numpy()),
            "drift": packed(drift.numpy()),
            "noise": packed(noise.numpy()),
            "runs": runs,
        },
    )
    write_json(FOLDER / "guidance.json", guidance_cases(upstream_model, gen))
    sigmas = [diffusers_sigmas(steps, shift) for steps, shift in SIGMA_RUNS]
    write_json(FOLDER / "diffusers_sigmas.json", sigmas)


if __name__ == "__main__":
    main()
