using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Calibration;

/// <summary>What came into an MoE block in one batch, and which expert got which token.</summary>
/// <param name="input">(T, H).</param>
/// <param name="experts">E.</param>
internal sealed class BlockInputs(Tensor input, int experts) : IDisposable
{
    private readonly (Tensor Tokens, Tensor? Gates)?[] _routed = new (Tensor, Tensor?)?[experts];

    /// <summary>(T, H).</summary>
    public Tensor Input { get; } = input;

    /// <summary>Remembers an expert's tokens.</summary>
    /// <param name="expert">Which.</param>
    /// <param name="tokens">(T_e) indices into the input.</param>
    /// <param name="gates">(T_e) combine weights; null when they do not matter.</param>
    public void Route(int expert, Tensor tokens, Tensor? gates) =>
        _routed[expert] = (tokens.alias().DetachFromDisposeScope(), gates?.detach().DetachFromDisposeScope());

    /// <summary>An expert's inputs (T_e, H), in the caller's dispose scope, and combine weights; null when it got none.</summary>
    public (Tensor? Input, Tensor? Gates) Of(int expert) =>
        _routed[expert] is { } routed ? (Input.index_select(0, routed.Tokens), routed.Gates) : (null, null);

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.Dispose();
        foreach (var routed in _routed)
        {
            routed?.Tokens.Dispose();
            routed?.Gates?.Dispose();
        }
    }
}
