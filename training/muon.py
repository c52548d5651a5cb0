"""Muon for the matrices inside blocks, AdamW for all else. Not run by itself.

Muon (Jordan et al. 2024) moves a matrix along its momentum with all singular values made about
equal. The factor 0.2·√(longer side) gives its steps the size of AdamW's, so that one learning rate
fits both (Liu et al. 2025, "Muon is scalable for LLM training").
"""

import torch

MOMENTUM = 0.95
STEP_SIZE = 0.2
# Jordan's quintic: five rounds bring singular values between about 0.7 and 1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonal(matrices):
    """[N, rows, columns] → the same with singular values about one."""
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon:
    """Over views: each is a whole matrix or some rows of a fused one."""

    def __init__(self, parameters, splits, weight_decay):
        self.weight_decay = weight_decay
        groups = {}
        for parameter, split in zip(parameters, splits, strict=True):
            first = 0
            for rows in split:
                place = (parameter, first, first + rows)
                groups.setdefault((rows, parameter.shape[1]), []).append(place)
                first += rows
        self.groups = groups
        self.momenta = {
            shape: torch.zeros(len(places), *shape, device=places[0][0].device)
            for shape, places in groups.items()
        }

    @torch.no_grad()
    def step(self, rate):
        for shape, places in self.groups.items():
            gradients = torch.stack([p.grad[first:last] for p, first, last in places])
            momenta = self.momenta[shape]
            momenta.lerp_(gradients, 1 - MOMENTUM)
            direction = orthogonal(gradients.lerp(momenta, MOMENTUM)).float()
            views = [p.data[first:last] for p, first, last in places]
            torch._foreach_mul_(views, 1 - rate * self.weight_decay)
            size = rate * STEP_SIZE * max(shape) ** 0.5
            torch._foreach_add_(views, list(direction.unbind(0)), alpha=-size)


class Optimizer:
    """Both, over the named parameters of several models."""

    def __init__(self, named, matrix_blocks, weight_decay, fused):
        matrices, splits, rest = [], [], []
        for name, parameter in named:
            if not parameter.requires_grad:
                continue
            is_matrix = parameter.ndim == 2 and any(block in name for block in matrix_blocks)
            if not is_matrix or "adaLN" in name:
                rest.append(parameter)
                continue
            matrices.append(parameter)
            rows = parameter.shape[0]
            # Fused projections are three matrices in one.
            if "Wqkv" in name:
                splits.append([rows // 3] * 3)
            elif "attention.qkv" in name:
                kv = rows - parameter.shape[1]
                splits.append([parameter.shape[1], kv // 2, kv // 2])
            else:
                splits.append([rows])
        self.muon = Muon(matrices, splits, weight_decay)
        decayed = [p for p in rest if p.ndim > 1]
        plain = [p for p in rest if p.ndim <= 1]
        self.adam = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=0.0,
            betas=(0.9, 0.98),
            fused=fused,
        )
        self.parameters = [*matrices, *rest]

    def make_gradients(self):
        """All zero, in memory that stays where it is; returns them."""
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.parameters]

    def step(self, muon_rate, adam_rate):
        self.muon.step(muon_rate)
        for group in self.adam.param_groups:
            group["lr"] = adam_rate
        self.adam.step()

    def state_dict(self):
        return {"adam": self.adam.state_dict(), "momenta": self.muon.momenta}

    def load_state_dict(self, state):
        self.adam.load_state_dict(state["adam"])
        self.muon.momenta = state["momenta"]
