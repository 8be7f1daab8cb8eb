using System.Globalization;
using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Calibration;

/// <summary>
/// Sums x x^T over the inputs of every matrix of one layer, in float64. Gate and up of an expert share their input, and so
/// do query, key and value. With <see cref="HessianRequest.AllTokens"/> every expert sees every token of the block;
/// with <see cref="HessianRequest.WeightByGate"/> a routed token counts with the square of its combine weight, which turns the error of
/// the expert's output into the error of the block's.
/// Memory: while batches run, only the inputs of the block and who got which token are kept. The sums of an expert are
/// formed when it is asked for and dropped when the next one is, so one expert's are there at a time, not all of them.
/// </summary>
internal sealed class HessianCollector(MoeDecoder decoder, HessianRequest request) : IMoeObserver, IDisposable
{
    private readonly MomentSum _attentionInput = new();
    private readonly MomentSum _attentionContext = new();
    private readonly MomentSum _mlpInput = new();  // of a dense layer's MLP, or of the shared expert
    private readonly MomentSum _mlpHidden = new();
    private readonly List<BlockInputs> _blocks = [];
    private ExpertMoments? _expert;
    private MomentSum? _everyToken;
    private long _calibrationTokens;

    /// <summary>Runs the layer on one batch (B, S, H).</summary>
    public void Run(Tensor batch)
    {
        using var scope = NewDisposeScope();
        decoder.RunLayer(0, batch, this);
    }

    /// <summary>The moments of a matrix's input, or null when no token reached it. The caller disposes the Hessian.</summary>
    /// <param name="weightName">Name of the weight on disk; the layer in it is not looked at.</param>
    public InputMoments? Find(string weightName)
    {
        using var untracked = no_grad();
        return SumOf(weightName).ToMoments(_calibrationTokens);
    }

    /// <summary>
    /// mean |x| and max |x| (in) of a matrix's input, float32 on the CPU, in the caller's dispose scope; null when no token reached it. Gate and up of
    /// experts read what every token brings, since their norm is one.
    /// </summary>
    public (Tensor Mean, Tensor Peak)? FindMagnitudes(string weightName)
    {
        using var untracked = no_grad();
        if (!weightName.Contains(".mlp.experts.", StringComparison.Ordinal) || weightName.EndsWith("down_proj.weight", StringComparison.Ordinal))
            return SumOf(weightName).Magnitudes();
        using var sum = new MomentSum();
        foreach (var block in _blocks)
            sum.AddMagnitudesOnly(block.Input);
        return sum.Magnitudes();
    }

    /// <summary>
    /// max |x| (in) over the tokens that reach a reader of the block's input, float32 on the CPU, in the caller's dispose scope: those routed to an
    /// expert; all for the shared expert and the router. Null when there are none.
    /// </summary>
    public Tensor? FindRoutedPeaks(string weightName)
    {
        using var untracked = no_grad();
        var expert = weightName.Contains(".mlp.experts.", StringComparison.Ordinal)
            ? int.Parse(weightName.Split('.')[^3], CultureInfo.InvariantCulture) : (int?)null;
        using var scope = NewDisposeScope();
        using var sum = new MomentSum();
        foreach (var block in _blocks)
        {
            if ((expert is { } own ? block.Of(own).Input : block.Input) is { } input)
                sum.AddMagnitudesOnly(input);
        }
        return sum.Magnitudes()?.Peak.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void OnAttention(AttentionTrace trace)
    {
        _attentionInput.Add(trace.Input);
        _attentionContext.Add(trace.Context);
        _calibrationTokens += trace.Input.shape[0];
    }

    /// <inheritdoc/>
    public void OnMlp(MlpTrace trace)
    {
        _mlpInput.Add(trace.Input);
        _mlpHidden.Add(trace.Hidden);
    }

    /// <inheritdoc/>
    public void OnRouting(RoutingTrace trace) => _blocks.Add(new BlockInputs(trace.Input.alias().DetachFromDisposeScope(), decoder.Config.Experts));

    /// <inheritdoc/>
    public Tensor OnExpert(ExpertTrace trace)
    {
        if (!request.AllTokens)
            _blocks[^1].Route(trace.Expert, trace.Tokens, request.WeightByGate ? trace.Gates : null);
        return trace.Output;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _attentionInput.Dispose();
        _attentionContext.Dispose();
        _mlpInput.Dispose();
        _mlpHidden.Dispose();
        _everyToken?.Dispose();
        _expert?.Dispose();
        _blocks.ForEach(b => b.Dispose());
        decoder.Dispose();
    }

    private MomentSum SumOf(string weightName)
    {
        if (weightName.EndsWith("self_attn.o_proj.weight", StringComparison.Ordinal))
            return _attentionContext;
        if (weightName.Contains(".self_attn.", StringComparison.Ordinal))
            return _attentionInput;
        if (!weightName.Contains(".mlp.experts.", StringComparison.Ordinal))
            return weightName.EndsWith("down_proj.weight", StringComparison.Ordinal) ? _mlpHidden : _mlpInput;
        var parts = weightName.Split('.'); // model.layers.L.mlp.experts.E.PROJECTION.weight
        var expert = int.Parse(parts[^3], CultureInfo.InvariantCulture);
        if (parts[^2] != "down_proj" && request.AllTokens)
            return _everyToken ??= SumOfEveryToken();
        if (_expert?.Expert != expert)
        {
            _expert?.Dispose();
            _expert = ExpertMoments.Of(expert, decoder.GetExpert(0, expert), _blocks, request.AllTokens);
        }
        return parts[^2] == "down_proj" ? _expert.Hidden : _expert.Input;
    }

    private MomentSum SumOfEveryToken()
    {
        var sum = new MomentSum();
        foreach (var block in _blocks)
            sum.Add(block.Input);
        return sum;
    }
}
