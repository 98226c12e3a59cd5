#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains vggt-mini on the sets of data.py. All in one command: run.sh.

Stage 1  the patch embedding alone, as a descriptor: each patch must find its match among all
         patches of all other frames in the batch (cross-entropy over cosine similarities).
Stage 2  the whole aggregator on windows of 12 x 16 patches, two or three frames.
Stage 3  the same on whole pictures of up to 25 x 37 patches.

The loss of stages 2 and 3 is taken on the very numbers that vggt-attn exports: the head-mean of
the attention rows over the patches of all frames (no special tokens) in the last three global
layers shall lie, in equal shares, on the patch itself and on its match in every frame that sees it.
A small head on the final tokens tells where the patch lies in the other frame and if it is seen.
"""

import argparse
import copy
import math
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes of one thread: see class Team

import numpy as np
import torch
import torch.nn.functional as F

import model as M
from batches import Sets, make_batch
from data import add_folder_arguments
from model import CONFIG, MEAN, PATCH, SPECIAL, STD, Mini, write_safetensors

# --- losses --------------------------------------------------------------------


def corners(targets, hp, wp):
    """Bilinear soft target: patch index [..., 4], weight [..., 4] (0 where hidden), seen [...]."""
    seen = ~torch.isnan(targets[..., 0])
    t = torch.nan_to_num(targets) - 0.5
    x, y = t[..., 0].clamp(0, wp - 1), t[..., 1].clamp(0, hp - 1)
    x0, y0 = x.floor().clamp(max=wp - 2), y.floor().clamp(max=hp - 2)
    fx, fy = x - x0, y - y0
    base = (y0 * wp + x0).long()
    index = torch.stack([base, base + 1, base + wp, base + wp + 1], -1)
    weight = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], -1)
    return index, weight * seen[..., None], seen


def match_targets(targets, hp, wp, P):
    """For each token of each frame: key columns [B, S*P, 4 S], their shares, the row's weight."""
    B, S = targets.shape[:2]
    Np = hp * wp
    index, weight, seen = corners(targets, hp, wp)  # [B, S, S, Np, 4]
    me = torch.arange(S)
    index[:, me, me] = torch.arange(Np).view(1, 1, Np, 1)
    weight[:, me, me] = torch.tensor([1.0, 0, 0, 0])
    count = seen.sum(2)  # [B, S, Np]: other frames that see the patch
    weight = weight / (count + 1)[:, :, None, :, None]
    index = index + (torch.arange(S) * P + SPECIAL).view(1, 1, S, 1, 1)
    index, weight = (
        F.pad(a.permute(0, 1, 3, 2, 4).flatten(3), (0, 0, SPECIAL, 0)) for a in (index, weight)
    )
    row = F.pad(torch.where(count > 0, 1.0, 0.25), (SPECIAL, 0))
    return index.flatten(1, 2), weight.flatten(1, 2), row.flatten(1)


def attention_loss(a, index, weight, row, S, P):
    """Cross-entropy of the head-mean attention over all frames' patches. a [B, h, N, N]."""
    B, h, N, _ = a.shape
    got = torch.gather(a, 3, index[:, None].expand(-1, h, -1, -1)).float()
    special = a.view(B, h, N, S, P)[..., :SPECIAL].float().sum((3, 4))
    p = (got / (1 - special).clamp_min(1e-3)[..., None]).mean(1)
    return -((weight * (p + 1e-6).log()).sum(-1) * row).sum() / row.sum()


def head_loss(out, targets, hp, wp):
    """Frame 0 tells its place in frame 1, every other frame its place in frame 0; and if seen."""
    S = targets.shape[1]
    t = torch.stack([targets[:, s, 1 if s == 0 else 0] for s in range(S)], 1)
    seen = ~torch.isnan(t[..., 0])
    r, c = torch.meshgrid(torch.arange(hp) + 0.5, torch.arange(wp) + 0.5, indexing="ij")
    place = out[..., :2] * torch.tensor([wp, hp]) + torch.stack([c, r], -1).view(-1, 2)
    miss = F.smooth_l1_loss(place[seen], t[seen]) / wp * 4
    return miss + 0.2 * F.binary_cross_entropy_with_logits(out[..., 2], seen.float())


def descriptor_loss(tokens, targets, hp, wp, scale):
    """Stage 1. tokens [B, S, Np, C]: every patch against the patches of all frames but its own and
    those of the same place in the other triples (S - 1 of S frames), over cosine similarities."""
    B, S, Np, C = tokens.shape
    d = M.low(F.normalize(tokens.float(), dim=-1))
    index, weight, seen = corners(targets, hp, wp)
    b, total, n = torch.arange(B), 0.0, 0
    for i in range(S):
        others = [j for j in range(S) if j != i]
        keys = d[:, others].reshape(-1, C)
        logits = (M.low(scale) * d[:, i].reshape(-1, C) @ keys.T).float()
        logits = logits.view(B, Np, B, S - 1, Np)
        logp = logits - logits.flatten(2).logsumexp(2)[:, :, None, None, None]
        for k, j in enumerate(others):
            own = logp[b, :, b, k]  # [B, Np, Np]
            total = total - (torch.gather(own, 2, index[:, i, j]) * weight[:, i, j]).sum()
            n = n + seen[:, i, j].sum()
    return total / n.clamp_min(1)


# --- training --------------------------------------------------------------------


def start_patches(net, sets):
    """Patch projection := whitening of the commonest patch contents (principal components)."""
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(400):
        img = sets.img[0][int(rng.integers(len(sets.img[0]))), int(rng.integers(3))]
        for _ in range(50):
            y, x = (int(rng.integers(n - PATCH)) for n in img.shape[:2])
            rows.append(img[y : y + PATCH, x : x + PATCH].transpose(2, 0, 1) / 255.0)
    a = (np.stack(rows) - MEAN.numpy()) / STD.numpy()
    a = a.reshape(len(a), -1)
    value, vector = np.linalg.eigh(np.cov(a.T))
    projection = net.aggregator.patch_embed.patch_embed.proj
    C = len(projection.weight)
    value, vector = value[::-1][:C], vector[:, ::-1][:, :C]
    w = vector.T / (value[:, None] ** 0.4) * 0.8
    # Spread over the channels by a random rotation, so that every head sees every frequency.
    w = np.linalg.qr(rng.normal(size=(C, C)))[0] @ w
    projection.weight.data = torch.tensor(w, dtype=torch.float32).view(C, 3, PATCH, PATCH)
    projection.bias.data = torch.tensor(-w @ a.mean(0), dtype=torch.float32)


class Team:
    """Two processes of one thread each: no core ever waits for the other inside an operation.

    Each takes its own batches; after the backward pass they meet, average the gradients through
    shared memory and make the same optimiser step.
    """

    def __init__(self, size, parameters):
        self.size = size
        self.grads = torch.zeros(size, parameters).share_memory_()
        self.progress = torch.zeros(1, dtype=torch.float64).share_memory_()
        self.barrier = torch.multiprocessing.get_context("spawn").Barrier(size)

    def average(self, params, rank, progress):
        """Replaces the gradients by the team's mean; returns the first member's progress."""
        at = 0
        for p in params:
            n = p.numel()
            self.grads[rank, at : at + n] = 0 if p.grad is None else p.grad.view(-1)
            at += n
        if rank == 0:
            self.progress[0] = progress
        self.barrier.wait()
        mean, progress, at = self.grads[:, :at].mean(0), float(self.progress[0]), 0
        self.barrier.wait()
        for p in params:
            p.grad = mean[at : at + p.numel()].view(p.shape)
            at += p.numel()
        return progress


def groups(net, decay):
    """Optimiser groups: weight decay for matrices and kernels only."""
    decayed, free = [], []
    for name, p in net.named_parameters():
        matrix = p.ndim > 1 and "token" not in name and "pos_embed" not in name
        (decayed if matrix else free).append(p)
    return [dict(params=decayed, weight_decay=decay), dict(params=free, weight_decay=0.0)]


class Stage:
    """Runs for a given time; the learning rate warms up, then falls as a cosine of the clock.

    Keeps a running mean of the weights: what the stage hands on.
    """

    def __init__(self, path, net, minutes, lr, floor, params, team, rank, average=0.995):
        self.opt = torch.optim.AdamW(params, lr=lr, betas=(0.9, 0.98))
        self.params = [p for g in self.opt.param_groups for p in g["params"]]
        self.path, self.net, self.seconds, self.lr, self.floor = path, net, minutes * 60, lr, floor
        self.team, self.rank, self.done = team, rank, False
        self.start, self.step, self.sums = time.time(), 0, {}
        self.mean, self.average = copy.deepcopy(net), average

    def update(self, loss, **parts):
        """One step of the optimiser; `parts` of the loss are for the log."""
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        progress = (time.time() - self.start) / self.seconds
        t = min(self.team.average(self.params, self.rank, progress), 1)
        self.done = t >= 1
        cosine = self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * t))
        for g in self.opt.param_groups:
            g["lr"] = self.lr * min((self.step + 1) / 120, 1) * cosine
        norm = torch.nn.utils.clip_grad_norm_(self.params, 1.0)
        if torch.isfinite(norm):
            self.opt.step()
        self.step += 1
        if self.rank == 0:
            self.follow(dict(parts, loss=loss.detach(), norm=norm))

    def follow(self, figures):
        a = min(self.average, self.step / (self.step + 10))
        with torch.no_grad():
            for m, p in zip(self.mean.parameters(), self.net.parameters()):
                m.lerp_(p, 1 - a)
        for k, v in figures.items():
            self.sums.setdefault(k, []).append(float(v))
        if self.step % 50 == 0:
            means = " ".join(f"{k} {np.mean(v):.3f}" for k, v in self.sums.items())
            spent = time.time() - self.start
            print(f"{self.path.stem} {self.step:5d} {spent:6.0f} s {means}", flush=True)
            self.sums = {}
        if self.step % 300 == 0:
            self.save()

    def finish(self):
        """Saves; both members go on from the averaged weights."""
        if self.rank == 0:
            self.save()
        self.team.barrier.wait()
        self.net.load_state_dict(torch.load(self.path)["mean"])

    def save(self):
        state = {"net": self.net.state_dict(), "mean": self.mean.state_dict(), "config": CONFIG}
        torch.save(state, self.path)


def train_patches(net, work, minutes, team, rank, B=6, S=2, hp=12, wp=16):
    """Stage 1."""
    rng, rng_t = np.random.default_rng([1, rank]), torch.Generator().manual_seed(10 + rank)
    sets, shares = Sets(work, ["train", "fern", "flower"]), [0.9, 0.05, 0.05]
    dino = net.aggregator.patch_embed
    net.scale = torch.nn.Parameter(torch.tensor(0.0))  # of the logits: 12 exp(10 scale)
    params = groups(dino, 0.02) + [dict(params=[net.scale], weight_decay=0.0)]
    stage = Stage(work / "stage1.pt", net, minutes, 2e-3, 0.05, params, team, rank, 0.99)
    while not stage.done:
        x, grid, rc, targets = make_batch(sets, shares, rng, rng_t, B, S, hp, wp)
        tokens = dino(x.flatten(0, 1), grid, rc.flatten(0, 1)).view(B, S, hp * wp, -1)
        scale = 12 * (10 * net.scale).exp()
        stage.update(descriptor_loss(tokens, targets, hp, wp, scale), scale=scale.detach())
    stage.finish()
    del net.scale


# Sets of stages 2 and 3, and how often each is drawn for small windows and for large ones.
SETS = ["train", "fern", "flower", "train_large", "fern_large", "flower_large"]
SMALL, LARGE = [0.84, 0.04, 0.04, 0.06, 0.01, 0.01], [0, 0, 0, 0.8, 0.1, 0.1]
# (share, sets' shares, triples a batch, frames, rows, columns); rows and columns may be ranges
STAGE2 = [(0.5, SMALL, 2, 3, 12, 16), (0.5, SMALL, 3, 2, 12, 16)]
STAGE3 = [(0.4, SMALL, 2, 3, 12, 16), (0.35, LARGE, 1, 2, 25, 37),
          (0.25, LARGE, 1, 2, (14, 22), (20, 30))]
LAYER_WEIGHTS = {CONFIG["depth"] - 3: 0.5, CONFIG["depth"] - 2: 1.0, CONFIG["depth"] - 1: 1.0}


def train_whole(name, net, work, shapes, minutes, lr, floor, team, rank, seed):
    """Stages 2 and 3."""
    rng = np.random.default_rng([seed, rank])
    rng_t = torch.Generator().manual_seed(10 * seed + rank)
    both = np.random.default_rng(seed)  # the two take batches of the same shape
    sets = Sets(work, SETS)
    stage = Stage(work / f"{name}.pt", net, minutes, lr, floor, groups(net, 0.05), team, rank)
    while not stage.done:
        choice = int(both.choice(len(shapes), p=[s[0] for s in shapes]))
        _, shares, B, S, hp, wp = shapes[choice]
        if isinstance(hp, tuple):
            hp, wp = int(both.integers(*hp)), int(both.integers(*wp))
        x, grid, rc, targets = make_batch(sets, shares, rng, rng_t, B, S, hp, wp)
        P = SPECIAL + hp * wp
        tokens, rows = net.aggregator(x, grid, rc, "attention", tuple(LAYER_WEIGHTS))
        wanted = match_targets(targets, hp, wp, P)
        parts = {f"L{i}": attention_loss(rows[i], *wanted, S, P) for i in LAYER_WEIGHTS}
        parts["head"] = head_loss(net.head(tokens[:, :, SPECIAL:]), targets, hp, wp)
        loss = sum(w * parts[f"L{i}"] for i, w in LAYER_WEIGHTS.items()) + 0.5 * parts["head"]
        stage.update(loss, **{k: v.detach() for k, v in parts.items()})
    stage.finish()


def work_as(rank, team, args):
    """One member of the team, from first to last stage."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    M.compute = torch.bfloat16
    net = Mini(**CONFIG)
    if args.init:
        net.load_state_dict(torch.load(args.init)["mean"], strict=False)
    else:
        start_patches(net, Sets(args.work, ["train"]))
    stage1, stage2, stage3 = args.minutes
    if stage1:
        train_patches(net, args.work, stage1, team, rank)
    if stage2:
        train_whole("stage2", net, args.work, STAGE2, stage2, 1.2e-3, 0.1, team, rank, seed=2)
    if stage3:
        train_whole("stage3", net, args.work, STAGE3, stage3, 4e-4, 0.02, team, rank, seed=3)
    if rank == 0:
        state = {k: v for k, v in net.state_dict().items() if k.startswith("aggregator.")}
        path = args.work / f"{args.name}.safetensors"
        write_safetensors(path, state, {"format": "pt", "name": args.name})
        print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs=3, default=[8, 34, 13],
                        help="of the three stages; 0 leaves one out (default: 8 34 13)")
    parser.add_argument("--init", help="checkpoint (.pt of a stage) to go on from")
    parser.add_argument("--name", default="vggt-mini",
                        help="of the .safetensors in the work folder (default: vggt-mini)")
    add_folder_arguments(parser)
    args = parser.parse_args()
    team = Team(2, sum(p.numel() for p in Mini(**CONFIG).parameters()) + 1)
    torch.multiprocessing.spawn(work_as, (team, args), nprocs=team.size)


if __name__ == "__main__":
    main()
