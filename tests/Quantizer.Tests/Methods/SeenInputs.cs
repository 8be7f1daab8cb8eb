using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Methods;

/// <summary>What came into every matrix of the first layer, token by token.</summary>
internal sealed class SeenInputs : IMoeObserver
{
    private readonly Dictionary<string, List<double[]>> _seen = [];

    public List<double[]> Block { get; } = [];

    public static double[][] Rows(Tensor matrix) => [.. matrix.to(float64).contiguous().data<double>().ToArray().Chunk((int)matrix.shape[1])];

    public List<double[]> Of(string name) => _seen[name.EndsWith("up_proj.weight", StringComparison.Ordinal)
        ? name.Replace("up_proj", "gate_proj", StringComparison.Ordinal)
        : name.Contains("self_attn", StringComparison.Ordinal) && !name.Contains("o_proj", StringComparison.Ordinal) ? "attention" : name];

    public void OnAttention(AttentionTrace trace)
    {
        Add("attention", trace.Input);
        Add(TensorNames.Attention(0, "o_proj.weight"), trace.Context);
    }

    public void OnRouting(RoutingTrace trace) => Block.AddRange(Rows(trace.Input));

    public Tensor OnExpert(ExpertTrace trace)
    {
        Add(TensorNames.Expert(0, trace.Expert, "gate"), trace.Input);
        Add(TensorNames.Expert(0, trace.Expert, "down"), trace.Hidden);
        return trace.Output;
    }

    private void Add(string name, Tensor inputs)
    {
        if (!_seen.TryGetValue(name, out var seen))
            _seen[name] = seen = [];
        seen.AddRange(Rows(inputs));
    }
}
