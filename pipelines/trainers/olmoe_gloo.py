"""Continues pre-training of an OLMoE checkpoint over several processes (PyTorch, gloo): an example of a program for `uses: command`.

It reads what the platform lays out, `model/` (a Hugging Face directory with a byte vocabulary) and `data/train/*.jsonl`, and writes
`out/`. Each process takes its share of every batch; gradients are averaged by all_reduce, so the weights of all processes stay equal.
Progress is one JSON object a line on standard output. `state/` survives a kill: the next attempt goes on from the last saved step.
"""

import argparse
import json
import math
import os
import pathlib
import random
import shutil
import struct

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

END = "<|endoftext|>"
NAMES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def read_weights(folder):
    weights = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        data = bytearray(path.read_bytes())
        length = struct.unpack("<Q", data[:8])[0]
        for name, entry in json.loads(data[8:8 + length]).items():
            if name == "__metadata__":
                continue
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensor = torch.frombuffer(data[begin:end], dtype=NAMES[entry["dtype"]])
            weights[name] = tensor.reshape(entry["shape"]).to(torch.float32)
    return weights


def write_weights(path, weights):
    header, offset = {}, 0
    for name, tensor in sorted(weights.items()):
        size = tensor.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(weights):
            file.write(weights[name].detach().contiguous().numpy().tobytes())


def byte_ids(folder):
    """Ids of the 256 bytes, in GPT-2's spelling of bytes as characters."""
    vocabulary = json.loads((pathlib.Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (chr(256 + i) for i in range(256))
    spelling = [chr(b) if b in plain else next(others) for b in range(256)]
    if len(vocabulary) > 257:
        raise SystemExit("This example reads byte vocabularies only; train the base with 'vocabulary: bytes'.")
    return [vocabulary[c] for c in spelling]


def read_tokens(folder, ids, end):
    tokens = []
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                tokens += [ids[b] for b in json.loads(line)["text"].encode()]
                tokens.append(end)
    return torch.tensor(tokens)


def norm(x, weight, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def rotate(x, theta):
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = torch.arange(x.shape[-2], dtype=torch.float32)[:, None] * frequency
    cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


def attention(x, w, layer, config):
    batch, length, _ = x.shape
    heads, epsilon = config["num_attention_heads"], config["rms_norm_eps"]
    groups = config["num_key_value_heads"]
    name = f"model.layers.{layer}.self_attn."
    q = norm(x @ w[name + "q_proj.weight"].T, w[name + "q_norm.weight"], epsilon).view(batch, length, heads, -1).transpose(1, 2)
    k = norm(x @ w[name + "k_proj.weight"].T, w[name + "k_norm.weight"], epsilon).view(batch, length, groups, -1).transpose(1, 2)
    v = (x @ w[name + "v_proj.weight"].T).view(batch, length, groups, -1).transpose(1, 2)
    k, v = (t.repeat_interleave(heads // groups, 1) for t in (rotate(k, config["rope_theta"]), v))
    scores = rotate(q, config["rope_theta"]) @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1) @ w[name + "o_proj.weight"].T


def experts(x, w, layer, config):
    name = f"model.layers.{layer}.mlp."
    flat = x.reshape(-1, x.shape[-1])
    gates, chosen = (flat @ w[name + "gate.weight"].T).softmax(-1).topk(config["num_experts_per_tok"], -1)
    if config["norm_topk_prob"]:
        gates = gates / gates.sum(-1, keepdim=True)
    out = torch.zeros_like(flat)
    for expert in range(config["num_experts"]):
        rows, slot = (chosen == expert).nonzero(as_tuple=True)
        of = flat[rows]
        own = f"{name}experts.{expert}."
        inner = F.silu(of @ w[own + "gate_proj.weight"].T) * (of @ w[own + "up_proj.weight"].T)
        out = out.index_add(0, rows, inner @ w[own + "down_proj.weight"].T * gates[rows, slot][:, None])
    return out.view_as(x)


def loss_of(batch, w, config):
    epsilon = config["rms_norm_eps"]
    x = w["model.embed_tokens.weight"][batch[:, :-1]]
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}."
        x = x + attention(norm(x, w[name + "input_layernorm.weight"], epsilon), w, layer, config)
        x = x + experts(norm(x, w[name + "post_attention_layernorm.weight"], epsilon), w, layer, config)
    head = w["model.embed_tokens.weight"] if config["tie_word_embeddings"] else w["lm_head.weight"]
    logits = norm(x, w["model.norm.weight"], epsilon) @ head.T
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def save_state(path, step, w, optimizer):
    torch.save({"step": step, "weights": w, "optimizer": optimizer.state_dict()}, path + ".new")
    os.replace(path + ".new", path)


def train(rank, world, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=world)
    config = json.loads(pathlib.Path("model/config.json").read_text(encoding="utf-8"))
    tokens = read_tokens("data/train", byte_ids("model"), config["eos_token_id"])
    w = {name: tensor.requires_grad_() for name, tensor in read_weights("model").items()}
    if any("e_score_correction_bias" in name for name in w):
        raise SystemExit("The model has a selection bias, which OLMoE's own code does not know; train the base with 'balance: loss'.")
    optimizer = torch.optim.AdamW(w.values(), lr=args.rate, betas=(0.9, 0.95), weight_decay=0.1)
    first, state = 0, "state/trainer.pt"
    if os.path.exists(state):
        saved = torch.load(state)
        first = saved["step"]
        optimizer.load_state_dict(saved["optimizer"])
        with torch.no_grad():
            for name, tensor in saved["weights"].items():
                w[name].copy_(tensor)
    share = args.batch // world
    for step in range(first, args.steps):
        starts = random.Random(f"{args.seed}:{step}")
        rows = [starts.randrange(len(tokens) - args.length - 1) for _ in range(share * world)][rank::world]
        batch = torch.stack([tokens[at:at + args.length + 1] for at in rows])
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1.0, (step + 1) / 10, (args.steps - step) / max(1, args.steps // 5))
        optimizer.zero_grad()
        loss = loss_of(batch, w, config)
        loss.backward()
        for tensor in w.values():
            if tensor.grad is None:  # an expert that no token of this process chose
                tensor.grad = torch.zeros_like(tensor)
            dist.all_reduce(tensor.grad)
            tensor.grad /= world
        mean = loss.detach().clone()
        dist.all_reduce(mean)
        norm_of_gradient = torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        optimizer.step()
        if rank == 0:
            done = (step + 1) * share * world * args.length
            print(json.dumps({
                "phase": "training", "done": done, "total": args.steps * share * world * args.length, "unit": "tokens",
                "loss": mean.item() / world, "grad-norm": float(norm_of_gradient), "processes": world,
            }), flush=True)
            if (step + 1) % args.save_every == 0:
                save_state(state, step + 1, w, optimizer)
    if rank == 0:
        shutil.copytree("model", "out", ignore=shutil.ignore_patterns("*.safetensors", "*.safetensors.index.json"))
        write_weights("out/model.safetensors", w)
    dist.barrier()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=16, help="sequences of all processes together")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=20)
    parser.add_argument("--port", type=int, default=random.SystemRandom().randrange(20000, 32000))
    arguments = parser.parse_args()
    if arguments.batch % arguments.processes:
        raise SystemExit(f"--batch {arguments.batch} cannot be shared by {arguments.processes} processes: make it a multiple.")
    mp.spawn(train, (arguments.processes, arguments), nprocs=arguments.processes)
