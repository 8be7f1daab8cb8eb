#!/usr/bin/env python3
"""The peer of `espalier bench`: the same model, batch and tokens in eager PyTorch (the model is in eager_model.py).

Reads a number of steps from standard input, line by line; answers each with one line of JSON: seconds of every step, the
last loss, peak memory of the process and its memory before the model was made.
"""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from eager_model import Model


def memory(field):
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def main():
    p = argparse.ArgumentParser()
    for name in ("layers", "hidden", "heads", "experts", "top-k", "expert-size", "vocabulary", "batch", "length", "threads"):
        p.add_argument("--" + name, type=int, required=True)
    p.add_argument("--work", choices=["train", "calibrate"], required=True)
    p.add_argument("--precision", choices=["fp32", "bf16"], required=True)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    start = memory("VmRSS")
    model = Model(a)
    for w in model.parameters():
        if w.dim() > 1:
            nn.init.normal_(w, std=0.02)
    optimizer = None
    if a.work == "train":
        decay = [w for w in model.parameters() if w.dim() > 1]
        rest = [w for w in model.parameters() if w.dim() <= 1]
        groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
    count = a.batch * (a.length + 1)
    spread = torch.arange(count, dtype=torch.int64) * 2654435761

    def forward(tokens):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.precision == "bf16"):
            logits, routers = model(tokens[:, :-1])
            loss = F.cross_entropy(logits.float().reshape(-1, a.vocabulary), tokens[:, 1:].reshape(-1))
            if optimizer is None:
                return loss, loss
            return loss, loss + 1e-3 * torch.stack([r.float().logsumexp(-1).square().mean() for r in routers]).mean()

    def step(number):
        tokens = ((((spread + number * 40503) & 0xFFFFFFFF) >> 12) % a.vocabulary).view(a.batch, a.length + 1)
        begin = time.perf_counter()
        if optimizer is None:
            with torch.no_grad():
                value = forward(tokens)[0].item()
        else:
            loss, total = forward(tokens)
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            value = loss.item()
        return time.perf_counter() - begin, value

    done = 0
    for line in sys.stdin:
        seconds, loss = [], 0.0
        for _ in range(int(line)):
            took, loss = step(done)
            seconds.append(took)
            done += 1
        print(json.dumps({"seconds": seconds, "loss": loss, "peak-bytes": memory("VmHWM"), "start-bytes": start, "activation-bytes": 0}), flush=True)


if __name__ == "__main__":
    main()
