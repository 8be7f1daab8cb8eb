"""Third opinion on the families: writes tiny checkpoints with numpy, lets the command line compute their logits, and
compares with numpy's own, float64. Run it by hand:  python3 check_with_numpy.py dotnet PATH/TO/espalier.dll
"""
import json, os, struct, subprocess, sys, tempfile
import numpy as np

H, V, L, NH, NKV, D = 32, 64, 2, 4, 2, 8


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))


def read_safetensors(path):
    data = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    kinds = {"F32": np.float32, "I32": np.int32}
    return {n: np.frombuffer(data[start + e["data_offsets"][0]:start + e["data_offsets"][1]], kinds[e["dtype"]]).reshape(e["shape"])
            for n, e in header.items() if n != "__metadata__"}


def norm(x, w, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def swiglu(x, gate, up, down):
    g = x @ gate.T
    return (g / (1 + np.exp(-g)) * (x @ up.T)) @ down.T


def rotate(x, theta):  # (S, heads, d), halves
    d = x.shape[-1]
    angle = np.arange(x.shape[0])[:, None] * theta ** (-2.0 * np.arange(d // 2) / d)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :d // 2], x[..., d // 2:]
    return np.concatenate([a * c - b * s, b * c + a * s], -1)


def attend(q, k, v, scale):  # (S, heads, d)
    scores = np.einsum("ihd,jhd->hij", q, k) * scale
    scores += np.triu(np.full(scores.shape[1:], -np.inf), 1)
    return np.einsum("hij,jhd->ihd", softmax(scores), v).reshape(q.shape[0], -1)


def plain_attention(w, p, x, theta, head_norms, eps):
    q, k, v = (((x @ w[f"{p}self_attn.{n}_proj.weight"].T) + w.get(f"{p}self_attn.{n}_proj.bias", 0)).reshape(len(x), -1, D) for n in "qkv")
    if head_norms:
        q, k = norm(q, w[p + "self_attn.q_norm.weight"], eps), norm(k, w[p + "self_attn.k_norm.weight"], eps)
    q, k = rotate(q, theta), rotate(k, theta)
    return attend(q, k.repeat(NH // NKV, 1), v.repeat(NH // NKV, 1), D ** -0.5) @ w[p + "self_attn.o_proj.weight"].T


def latent_attention(w, p, x):
    dn, dr, dv, rank = 8, 4, 6, 10
    a = p + "self_attn."
    q = (norm(x @ w[a + "q_a_proj.weight"].T, w[a + "q_a_layernorm.weight"], 1e-6) @ w[a + "q_b_proj.weight"].T).reshape(len(x), NH, dn + dr)
    both = x @ w[a + "kv_a_proj_with_mqa.weight"].T
    kv = (norm(both[:, :rank], w[a + "kv_a_layernorm.weight"], 1e-6) @ w[a + "kv_b_proj.weight"].T).reshape(len(x), NH, dn + dv)
    apart = lambda t: np.concatenate([t[..., 0::2], t[..., 1::2]], -1)  # pairs lie side by side in the file
    kr = rotate(apart(both[:, None, rank:]), 1e4).repeat(NH, 1)
    q = np.concatenate([q[..., :dn], rotate(apart(q[..., dn:]), 1e4)], -1)
    return attend(q, np.concatenate([kv[..., :dn], kr], -1), kv[..., dn:], (dn + dr) ** -0.5) @ w[a + "o_proj.weight"].T


def mixture(x, chosen, gates, expert):
    return np.stack([sum(g * expert(e, row) for e, g in zip(es, gs)) for row, es, gs in zip(x, chosen, gates)])


def best(scores, count):
    return np.argsort(-scores, -1, kind="stable")[:, :count]


def mixtral(w, p, x):
    z = x @ w[p + "block_sparse_moe.gate.weight"].T
    chosen = best(z, 2)
    e = lambda i, r: swiglu(r, *(w[f"{p}block_sparse_moe.experts.{i}.{n}.weight"] for n in ("w1", "w3", "w2")))
    return mixture(x, chosen, softmax(np.take_along_axis(z, chosen, -1)), e), chosen


def expert_of(w, p):
    return lambda i, r: swiglu(r, *(w[f"{p}mlp.experts.{i}.{n}_proj.weight"] for n in ("gate", "up", "down")))


def qwen2_moe(w, p, x):
    s = softmax(x @ w[p + "mlp.gate.weight"].T)
    chosen = best(s, 2)
    shared = swiglu(x, *(w[f"{p}mlp.shared_expert.{n}_proj.weight"] for n in ("gate", "up", "down")))
    return mixture(x, chosen, np.take_along_axis(s, chosen, -1), expert_of(w, p)) + shared / (1 + np.exp(-x @ w[p + "mlp.shared_expert_gate.weight"].T)), chosen


def deepseek_v3(w, p, x):
    s = 1 / (1 + np.exp(-x @ w[p + "mlp.gate.weight"].T))
    c = s + w[p + "mlp.gate.e_score_correction_bias"]
    groups = np.sort(c.reshape(len(x), 2, 4), -1)[..., -2:].sum(-1)
    c = np.where(np.repeat(np.arange(2)[None] == groups.argmax(-1)[:, None], 4, 1), c, -np.inf)
    chosen = best(c, 2)
    g = np.take_along_axis(s, chosen, -1)
    return mixture(x, chosen, g / (g.sum(-1, keepdims=True) + 1e-20) * 2.5, expert_of(w, p)) + swiglu(x, *(w[f"{p}mlp.shared_experts.{n}_proj.weight"] for n in ("gate", "up", "down"))), chosen


def family(name, random):
    w = {}
    def add(key, *shape):
        spread = 0.3 if key.endswith(("norm.weight", "bias")) else 1.6 / shape[-1] ** 0.5
        w[key] = (random.normal(1 if key.endswith("norm.weight") else 0, spread, shape)).astype(np.float32)
    def mlp(prefix, inner, names=("gate_proj", "up_proj", "down_proj")):
        add(f"{prefix}{names[0]}.weight", inner, H), add(f"{prefix}{names[1]}.weight", inner, H), add(f"{prefix}{names[2]}.weight", H, inner)
    add("model.embed_tokens.weight", V, H), add("model.norm.weight", H), add("lm_head.weight", V, H)
    config = {"model_type": name, "vocab_size": V, "hidden_size": H, "num_hidden_layers": L, "num_attention_heads": NH, "num_key_value_heads": NKV, "rms_norm_eps": 1e-5,
              "hidden_act": "silu", "max_position_embeddings": 64, "tie_word_embeddings": False, "num_experts_per_tok": 2, "rope_theta": 10000.0, "torch_dtype": "float32"}
    for layer in range(L):
        p = f"model.layers.{layer}."
        add(p + "input_layernorm.weight", H), add(p + "post_attention_layernorm.weight", H)
        if name == "deepseek_v3":
            a = p + "self_attn."
            add(a + "q_a_proj.weight", 12, H), add(a + "q_a_layernorm.weight", 12), add(a + "q_b_proj.weight", NH * 12, 12), add(a + "kv_a_proj_with_mqa.weight", 14, H)
            add(a + "kv_a_layernorm.weight", 10), add(a + "kv_b_proj.weight", NH * 14, 10), add(a + "o_proj.weight", H, NH * 6)
            add(p + "mlp.gate.weight", 8, H), add(p + "mlp.gate.e_score_correction_bias", 8), mlp(p + "mlp.shared_experts.", 10)
            for e in range(8): mlp(f"{p}mlp.experts.{e}.", 10)
            continue
        for n, heads in zip("qkv", (NH, NKV, NKV)):
            add(f"{p}self_attn.{n}_proj.weight", heads * D, H)
            if name == "qwen2_moe": add(f"{p}self_attn.{n}_proj.bias", heads * D)
        add(p + "self_attn.o_proj.weight", H, NH * D)
        if name == "mixtral":
            add(p + "block_sparse_moe.gate.weight", 4, H)
            for e in range(4): mlp(f"{p}block_sparse_moe.experts.{e}.", 20, ("w1", "w3", "w2"))
        else:
            add(p + "mlp.gate.weight", 6, H), mlp(p + "mlp.shared_expert.", 20), add(p + "mlp.shared_expert_gate.weight", 1, H)
            for e in range(6): mlp(f"{p}mlp.experts.{e}.", 12)
    config.update({"mixtral": {"num_local_experts": 4, "intermediate_size": 20},
                   "qwen2_moe": {"num_experts": 6, "moe_intermediate_size": 12, "intermediate_size": 20, "shared_expert_intermediate_size": 20, "norm_topk_prob": False, "decoder_sparse_step": 1, "mlp_only_layers": []},
                   "deepseek_v3": {"n_routed_experts": 8, "moe_intermediate_size": 10, "intermediate_size": 20, "n_shared_experts": 1, "first_k_dense_replace": 0, "n_group": 2, "topk_group": 1, "routed_scaling_factor": 2.5,
                                   "norm_topk_prob": True, "num_key_value_heads": NH, "q_lora_rank": 12, "kv_lora_rank": 10, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 6}}[name])
    return config, w


for name, block in (("mixtral", mixtral), ("qwen2_moe", qwen2_moe), ("deepseek_v3", deepseek_v3)):
    config, weights = family(name, np.random.default_rng(5))
    tokens = [1, 5, 9, 60, 33, 2, 2, 17]
    wide = {k: v.astype(np.float64) for k, v in weights.items()}
    hidden, experts = wide["model.embed_tokens.weight"][tokens], []
    for layer in range(L):
        p = f"model.layers.{layer}."
        x = norm(hidden, wide[p + "input_layernorm.weight"], 1e-5)
        hidden = hidden + (latent_attention(wide, p, x) if name == "deepseek_v3" else plain_attention(wide, p, x, 1e4, False, 1e-5))
        out, chosen = block(wide, p, norm(hidden, wide[p + "post_attention_layernorm.weight"], 1e-5))
        hidden = hidden + out
        experts.append(chosen)
    expected = norm(hidden, wide["model.norm.weight"], 1e-5) @ wide["lm_head.weight"].T
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(folder + "/model")
        json.dump(config, open(folder + "/model/config.json", "w"))
        write_safetensors(folder + "/model/model.safetensors", weights)
        options = json.dumps({"tasks": ["logits"], "tokens": [tokens], "precision": "fp32"})
        subprocess.run([*sys.argv[1:], "stage", "evaluate", "--input", folder + "/model", "--output", folder + "/out", "--with", options], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "ESPALIER_HOME": folder + "/home"})
        got = read_safetensors(folder + "/out/logits.safetensors")
    error = np.abs(got["logits"][0] - expected).max()
    same = all((got[f"experts.{layer}"][0] == experts[layer]).all() for layer in range(L))
    print(f"{name}: largest logit {np.abs(expected).max():.2f}, largest error {error:.1e}, experts {'the same' if same else 'DIFFER'}")
    assert error < 1e-4 and same
