using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Espalier.Bench;

/// <summary>
/// The peer: the decoder of <c>peer/eager_model.py</c> written plainly in TorchSharp, so that it runs the kernels that a
/// user of PyTorch 2.10 gets: one module per projection, PyTorch's own attention, a loop over experts that looks up its
/// tokens, <c>index_add_</c> into the result.
/// </summary>
internal sealed class EagerDecoder : Module<Tensor, Tensor>
{
    private readonly Embedding embed_tokens;
    private readonly ModuleList<EagerLayer> layers = new();
    private readonly EagerNorm norm;
    private readonly EagerLinear lm_head;
    private readonly Tensor _cosine, _sine; // (S, D)

    /// <summary>Makes a model with random weights of deviation 0.02.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="isBf16">Products compute in bfloat16 from float32 weights, as PyTorch's autocast does.</param>
    public EagerDecoder(BenchShape shape, bool isBf16) : base(nameof(EagerDecoder))
    {
        embed_tokens = Embedding(shape.Vocabulary, shape.Hidden);
        for (var layer = 0; layer < shape.Layers; layer++)
            layers.Add(new EagerLayer(shape, isBf16));
        norm = new EagerNorm(shape.Hidden);
        lm_head = new EagerLinear(shape.Hidden, shape.Vocabulary, isBf16);
        RegisterComponents();
        using var untracked = no_grad();
        foreach (var weight in parameters().Where(w => w.dim() > 1))
            init.normal_(weight, std: 0.02);

        using var scope = NewDisposeScope();
        var size = shape.Hidden / shape.Heads;
        var frequencies = 1 / pow(10000, arange(0, size, 2, dtype: float32) / size);
        var angles = outer(arange(shape.Length, dtype: float32), frequencies);
        angles = cat([angles, angles], -1);
        (_cosine, _sine) = (angles.cos().DetachFromDisposeScope(), angles.sin().DetachFromDisposeScope());
    }

    /// <summary>The routers' logits (T, E) of the last pass, by layer.</summary>
    public IReadOnlyList<Tensor> RouterLogits { get; private set; } = [];

    /// <summary>Logits (B, S, V) of token ids (B, S).</summary>
    public override Tensor forward(Tensor tokens)
    {
        var x = embed_tokens.call(tokens); // (B, S, H)
        var routers = new List<Tensor>();
        foreach (var layer in layers)
        {
            (x, var logits) = layer.Run(x, _cosine, _sine);
            routers.Add(logits);
        }
        RouterLogits = routers;
        return lm_head.call(norm.call(x));
    }
}

internal sealed class EagerLayer : Module
{
    private readonly EagerNorm input_layernorm, post_attention_layernorm;
    private readonly EagerAttention self_attn;
    private readonly EagerMoe mlp;

    public EagerLayer(BenchShape shape, bool isBf16) : base(nameof(EagerLayer))
    {
        (input_layernorm, post_attention_layernorm) = (new EagerNorm(shape.Hidden), new EagerNorm(shape.Hidden));
        (self_attn, mlp) = (new EagerAttention(shape, isBf16), new EagerMoe(shape, isBf16));
        RegisterComponents();
    }

    public (Tensor Hidden, Tensor RouterLogits) Run(Tensor x, Tensor cosine, Tensor sine)
    {
        x = x + self_attn.Run(input_layernorm.call(x), cosine, sine);
        var (mixed, logits) = mlp.Run(post_attention_layernorm.call(x));
        return (x + mixed, logits);
    }
}

internal sealed class EagerAttention : Module
{
    private readonly EagerLinear q_proj, k_proj, v_proj, o_proj;
    private readonly EagerNorm q_norm, k_norm;
    private readonly long _heads;

    public EagerAttention(BenchShape shape, bool isBf16) : base(nameof(EagerAttention))
    {
        _heads = shape.Heads;
        (q_proj, k_proj) = (new EagerLinear(shape.Hidden, shape.Hidden, isBf16), new EagerLinear(shape.Hidden, shape.Hidden, isBf16));
        (v_proj, o_proj) = (new EagerLinear(shape.Hidden, shape.Hidden, isBf16), new EagerLinear(shape.Hidden, shape.Hidden, isBf16));
        (q_norm, k_norm) = (new EagerNorm(shape.Hidden), new EagerNorm(shape.Hidden));
        RegisterComponents();
    }

    // x: (B, S, H)
    public Tensor Run(Tensor x, Tensor cosine, Tensor sine)
    {
        var (q, k, v) = (Heads(q_norm.call(q_proj.call(x))), Heads(k_norm.call(k_proj.call(x))), Heads(v_proj.call(x))); // (B, N, S, D)
        (q, k) = (Rotate(q).to_type(v.dtype), Rotate(k).to_type(v.dtype));
        var context = functional.scaled_dot_product_attention(q, k, v, is_casual: true);
        return o_proj.call(context.transpose(1, 2).reshape(x.shape));

        Tensor Heads(Tensor projected) => projected.view(x.shape[0], x.shape[1], _heads, -1).transpose(1, 2);

        Tensor Rotate(Tensor heads)
        {
            var halves = heads.chunk(2, -1);
            return heads * cosine + cat([-halves[1], halves[0]], -1) * sine;
        }
    }
}

internal sealed class EagerMoe : Module
{
    private readonly EagerLinear gate;
    private readonly ModuleList<EagerExpert> experts = new();
    private readonly int _topK;

    public EagerMoe(BenchShape shape, bool isBf16) : base(nameof(EagerMoe))
    {
        _topK = shape.TopK;
        gate = new EagerLinear(shape.Hidden, shape.Experts, isBf16);
        for (var expert = 0; expert < shape.Experts; expert++)
            experts.Add(new EagerExpert(shape, isBf16));
        RegisterComponents();
    }

    public (Tensor Mixed, Tensor RouterLogits) Run(Tensor x)
    {
        var hidden = x.view(-1, x.shape[^1]);                                                // (T, H)
        var logits = gate.call(hidden);                                                      // (T, E)
        var (weights, selected) = functional.softmax(logits, 1, float32).topk(_topK, -1);    // (T, K)
        var mixed = zeros_like(hidden);
        for (var expert = 0; expert < experts.Count; expert++)
        {
            var chosen = (selected == expert).nonzero();                                     // (n, 2): token, choice
            var (token, choice) = (chosen.select(1, 0), chosen.select(1, 1));
            var share = weights.index(TensorIndex.Tensor(token), TensorIndex.Tensor(choice)).unsqueeze(1); // (n, 1)
            var output = experts[expert].call(hidden.index_select(0, token)) * share;        // (n, H)
            mixed.index_add_(0, token, output.to_type(mixed.dtype), 1);
        }
        return (mixed.view(x.shape), logits);
    }
}

internal sealed class EagerExpert : Module<Tensor, Tensor>
{
    private readonly EagerLinear gate_proj, up_proj, down_proj;

    public EagerExpert(BenchShape shape, bool isBf16) : base(nameof(EagerExpert))
    {
        (gate_proj, up_proj) = (new EagerLinear(shape.Hidden, shape.ExpertSize, isBf16), new EagerLinear(shape.Hidden, shape.ExpertSize, isBf16));
        down_proj = new EagerLinear(shape.ExpertSize, shape.Hidden, isBf16);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => down_proj.call(functional.silu(gate_proj.call(x)) * up_proj.call(x));
}

internal sealed class EagerLinear : Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly bool _isBf16;

    public EagerLinear(long inputs, long outputs, bool isBf16) : base(nameof(EagerLinear))
    {
        (weight, _isBf16) = (Parameter(empty(outputs, inputs)), isBf16);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => _isBf16 ? functional.linear(x.bfloat16(), weight.bfloat16()) : functional.linear(x, weight);
}

internal sealed class EagerNorm : Module<Tensor, Tensor>
{
    private const double Epsilon = 1e-5;

    private readonly Parameter weight;

    public EagerNorm(long width) : base(nameof(EagerNorm))
    {
        weight = Parameter(ones(width));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        var wide = x.to_type(float32);
        return weight * (wide * rsqrt(wide.pow(2).mean([-1], keepdim: true) + Epsilon)).to_type(x.dtype);
    }
}
