using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>
/// Sees what happens inside the MoE blocks during a forward pass: calibration for pruning and quantization, routing
/// metrics. Tensors belong to the forward pass; keep a clone, not the tensor. Shapes: T tokens of the batch flattened
/// in order, E experts, K selected, H width, F expert width, T_e tokens routed to expert e.
/// </summary>
public interface IMoeObserver
{
    /// <summary>After attention, before its output projection is added to the stream.</summary>
    void OnAttention(AttentionTrace trace) { }

    /// <summary>After routing, before any expert runs.</summary>
    void OnRouting(RoutingTrace trace) { }

    /// <summary>
    /// After one expert ran. Returns the output that the block goes on with, normally <c>trace.Output</c>; an observer
    /// that needs the gradient at this point returns <c>trace.Output + probe</c> with a zero leaf <c>probe</c>.
    /// </summary>
    Tensor OnExpert(ExpertTrace trace) => trace.Output;

    /// <summary>After the product of gate and up in an MLP that every token uses: a dense layer's, or a shared expert.</summary>
    void OnMlp(MlpTrace trace) { }

    /// <summary>
    /// After the MoE block, shared expert included. <paramref name="residual"/> (T, H) is the stream before the block,
    /// <paramref name="output"/> (T, H) what is added to it.
    /// </summary>
    void OnBlock(int layer, Tensor residual, Tensor output) { }
}

/// <summary>Inputs of the attention projections of one layer.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="Input">(T, H) input of the query, key and value projections.</param>
/// <param name="Context">(T, heads * head size) input of the output projection.</param>
public sealed record AttentionTrace(int Layer, Tensor Input, Tensor Context);

/// <summary>Inputs of the projections of an MLP that every token uses.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="Prefix"><c>mlp.</c> in a dense layer, <c>mlp.shared_expert.</c> for a shared expert.</param>
/// <param name="Input">(T, H) input of the gate and up projections.</param>
/// <param name="Hidden">(T, I) input of the down projection.</param>
public sealed record MlpTrace(int Layer, string Prefix, Tensor Input, Tensor Hidden);

/// <summary>Routing of one layer.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="Input">(T, H) block input after the norm.</param>
/// <param name="Logits">(T, E) router logits, float32.</param>
/// <param name="Scores">(T, E) softmax probabilities or sigmoid scores, float32, without selection bias.</param>
/// <param name="Selected">(T, K) expert indices, int64, best first.</param>
/// <param name="Gates">(T, K) combine weights, float32.</param>
public sealed record RoutingTrace(int Layer, Tensor Input, Tensor Logits, Tensor Scores, Tensor Selected, Tensor Gates)
{
    /// <summary>Tokens that each expert got, E numbers that sum to T K, or to the choices in use.</summary>
    public IReadOnlyList<long> Counts { get; init; } = [];

    /// <summary>(T, K) which choices are in use, the first of each token always; null for all. The gates of the others are 0.</summary>
    public Tensor? Used { get; init; }

    /// <summary>(E, H) the model's own router.</summary>
    public Tensor? Router { get; init; }

    /// <summary>The experts of each token that are in use, best first.</summary>
    public IReadOnlyList<long[]> SelectedByToken()
    {
        using var selected = Selected.cpu().contiguous();
        using var used = Used?.cpu().contiguous();
        var rows = selected.data<long>().ToArray().Chunk((int)Selected.shape[1]).ToList();
        return used is null ? rows
            : [.. rows.Zip(used.data<bool>().ToArray().Chunk((int)Selected.shape[1]), (row, inUse) => row.Where((_, i) => inUse[i]).ToArray())];
    }
}

/// <summary>One expert's share of a batch; experts without tokens have none.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="Expert">Expert index.</param>
/// <param name="Tokens">(T_e) indices of the routed tokens, int64, ascending.</param>
/// <param name="Gates">(T_e) combine weights of these tokens.</param>
/// <param name="Input">(T_e, H) expert input.</param>
/// <param name="Hidden">(T_e, F) input of the down projection: silu(gate) * up.</param>
/// <param name="Output">(T_e, H) output of the down projection, before the combine weight.</param>
public sealed record ExpertTrace(int Layer, int Expert, Tensor Tokens, Tensor Gates, Tensor Input, Tensor Hidden, Tensor Output);
