#!/usr/bin/env python3
"""An OLMoE decoder written the way common model libraries write it: one module per projection, a loop over experts that
looks up its tokens, index_add_ into the result. Needs only PyTorch (Debian: python3-torch).
"""
import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        dtype = x.dtype
        x = x.to(torch.float32)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * x.to(dtype)


def rotate_half(x):
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)
        self.q_norm, self.k_norm = RMSNorm(width), RMSNorm(width)

    def forward(self, x, cos, sin, mask):
        b, s, width = x.shape
        q = self.q_norm(self.q_proj(x)).view(b, s, self.heads, self.size).transpose(1, 2)
        k = self.k_norm(self.k_proj(x)).view(b, s, self.heads, self.size).transpose(1, 2)
        v = self.v_proj(x).view(b, s, self.heads, self.size).transpose(1, 2)
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        scores = torch.matmul(q, k.transpose(2, 3)) / self.size ** 0.5 + mask
        weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
        out = torch.matmul(weights, v).transpose(1, 2).reshape(b, s, width)
        return self.o_proj(out)


class Expert(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class SparseMoe(nn.Module):
    def __init__(self, width, inner, experts, top_k):
        super().__init__()
        self.top_k, self.num_experts = top_k, experts
        self.gate = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(Expert(width, inner) for _ in range(experts))

    def forward(self, hidden):
        b, s, width = hidden.shape
        hidden = hidden.view(-1, width)
        logits = self.gate(hidden)
        weights = F.softmax(logits, dim=1, dtype=torch.float)
        weights, selected = torch.topk(weights, self.top_k, dim=-1)
        weights = weights.to(hidden.dtype)
        final = torch.zeros((b * s, width), dtype=hidden.dtype)
        mask = F.one_hot(selected, num_classes=self.num_experts).permute(2, 1, 0)
        for e in range(self.num_experts):
            slot, token = torch.where(mask[e])
            state = hidden[None, token].reshape(-1, width)
            out = self.experts[e](state) * weights[token, slot, None]
            final.index_add_(0, token, out.to(hidden.dtype))
        return final.reshape(b, s, width), logits


class Layer(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(a.hidden), RMSNorm(a.hidden)
        self.self_attn = Attention(a.hidden, a.heads)
        self.mlp = SparseMoe(a.hidden, a.expert_size, a.experts, a.top_k)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        out, logits = self.mlp(self.post_attention_layernorm(x))
        return x + out, logits


class Model(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.embed_tokens = nn.Embedding(a.vocabulary, a.hidden)
        self.layers = nn.ModuleList(Layer(a) for _ in range(a.layers))
        self.norm = RMSNorm(a.hidden)
        self.lm_head = nn.Linear(a.hidden, a.vocabulary, bias=False)
        size = a.hidden // a.heads
        inv = 1.0 / (10000 ** (torch.arange(0, size, 2).float() / size))
        angles = torch.outer(torch.arange(a.length).float(), inv)
        angles = torch.cat((angles, angles), dim=-1)
        self.cos, self.sin = angles.cos(), angles.sin()
        self.mask = torch.full((a.length, a.length), float("-inf")).triu(1)

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        routers = []
        for layer in self.layers:
            x, logits = layer(x, self.cos, self.sin, self.mask)
            routers.append(logits)
        return self.lm_head(self.norm(x)), routers
