using Espalier.Modeling;

namespace Espalier.Bench;

/// <summary>A model and batch whose speed is measured.</summary>
/// <param name="Name">Kebab-case.</param>
/// <param name="Layers">Decoder layers.</param>
/// <param name="Hidden">Width.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Experts">Experts per layer.</param>
/// <param name="TopK">Experts per token.</param>
/// <param name="ExpertSize">Width of an expert.</param>
/// <param name="Vocabulary">Token ids.</param>
/// <param name="Batch">Sequences of a step.</param>
/// <param name="Length">Tokens of a sequence.</param>
internal sealed record BenchShape(string Name, int Layers, int Hidden, int Heads, int Experts, int TopK, int ExpertSize, int Vocabulary, int Batch, int Length)
{
    /// <summary>The four shapes of the table, then <c>small</c> grown to 64 experts.</summary>
    public static IReadOnlyList<BenchShape> All { get; } =
    [
        new("tiny", 4, 128, 4, 8, 2, 256, 256, 16, 128), // overhead rules: tests and the quickstart
        new("small", 4, 256, 4, 8, 2, 512, 4096, 8, 256),
        new("base", 8, 512, 8, 32, 4, 512, 4096, 4, 512),
        new("fine-grained", 8, 512, 8, 64, 8, 256, 4096, 4, 512),
        new("small-64", 4, 256, 4, 64, 2, 512, 4096, 8, 256),
    ];

    /// <summary>Names of the table's shapes.</summary>
    public static IReadOnlyList<string> Table { get; } = ["tiny", "small", "base", "fine-grained"];

    /// <summary>Tokens of a step.</summary>
    public int Tokens => Batch * Length;

    /// <summary>The model.</summary>
    public ModelConfig Config => ModelConfig.Tiny(Vocabulary) with
    {
        HiddenSize = Hidden,
        Layers = Layers,
        Heads = Heads,
        KeyValueHeads = Heads,
        HeadSize = Hidden / Heads,
        Experts = Experts,
        ExpertsPerToken = TopK,
        ExpertSize = ExpertSize,
        MaxPositions = Length,
    };

    /// <summary>Multiplications and additions of the products of one forward pass; causal attention counts half its square.</summary>
    public double ForwardFlops
    {
        get
        {
            var perLayer = 4.0 * Hidden * Hidden + 3.0 * TopK * Hidden * ExpertSize + (double)Experts * Hidden + Hidden * (double)Length;
            return 2 * (Layers * perLayer + (double)Hidden * Vocabulary) * Tokens;
        }
    }

    /// <summary>Those of a training step: backward costs twice forward.</summary>
    public double StepFlops => 3 * ForwardFlops;

    /// <summary>
    /// Bytes that an optimizer step must move, per parameter 7 numbers of 4 bytes: weight, gradient and both moments are
    /// read, weight and moments written.
    /// </summary>
    public double OptimizerBytes => 28.0 * Config.TotalParameters;

    /// <summary>
    /// Bytes that our training step moves when nothing that is written waits in a cache: 60 per parameter (weights read
    /// three times, gradients written, added to, measured and cleared, the optimizer's 7) and kept activations twice.
    /// </summary>
    public double StepBytes(long activationBytes) => 60.0 * Config.TotalParameters + 2.0 * activationBytes;

    /// <summary>Token ids of step <paramref name="step"/>, (Batch, Length + 1) row by row; the peer's script makes the same.</summary>
    public long[] Ids(int step)
    {
        var ids = new long[Batch * (Length + 1)];
        for (var i = 0; i < ids.Length; i++)
            ids[i] = (unchecked((uint)i * 2654435761u + (uint)step * 40503u) >> 12) % (uint)Vocabulary;
        return ids;
    }
}
