using System.Text.Json;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>Options of CAMERA-P.</summary>
[MethodOptions(typeof(PruneOptions), "camera-p")]
public sealed record CameraPOptions
{
    /// <summary>Share of the strongest token against the sum over all tokens.</summary>
    /// <value>0.9</value>
    [Option("How much of the energy is that of the strongest token, the rest is the sum over all tokens; 0.9 as published.", Min = 0, Max = 1)]
    public double Peak { get; init; } = 0.9;
}

/// <summary>
/// CAMERA-P (AAAI 2026): the energy that a neuron ("micro-expert") puts into the layer's output,
///   E_ej = |d_ej|^2 ((1-a) sum_t phi_tej^2 + a max_t phi_tej^2),  phi_tej = g_te h_tej
/// d_ej column j of down, g the combine weight. With a = 0 it is exactly the squared error of the output without that neuron.
/// Published with the neurons of all experts of a layer in one ranking: <c>scope: layer</c>. Unlike the published code, combine weights are
/// those of the model, and only tokens that came to the expert are computed, which gives the same. An expert without tokens scores 0.
/// </summary>
public sealed class CameraP : IPruningMethod
{
    private const string Squares = "gated-squares"; // sum_t phi^2
    private const string Peaks = "gated-peaks";     // max_t phi^2

    /// <inheritdoc/>
    public string Name => "camera-p";

    /// <inheritdoc/>
    public string Summary => "Energy that a neuron puts into the layer's output, without gradients (CAMERA-P, AAAI 2026).";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Neuron];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Activations;

    /// <inheritdoc/>
    public IReadOnlyList<string> Sums(JsonElement options) => [Squares, Peaks];

    /// <inheritdoc/>
    public void Observe(ExpertObservation seen, LayerSums sums)
    {
        using var scope = NewDisposeScope();
        var squares = (seen.Gates.to(float64).unsqueeze(1) * seen.Hidden.to(float64)).square();    // (T_e, F)
        var rows = stack([squares.sum([0L]), squares.amax([0L])]).cpu();                           // (2, F)
        var values = rows.data<double>().ToArray();
        sums.Add(Squares, seen.Expert, values.AsSpan(0, sums.Width));
        sums.Raise(Peaks, seen.Expert, values.AsSpan(sums.Width));
    }

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request)
    {
        var peak = request.Read<CameraPOptions>().Peak;
        var scores = new double[sums.Experts * sums.Width];
        for (var expert = 0; expert < sums.Experts; expert++)
        {
            using var scope = NewDisposeScope();
            var norms = request.Weights.Expert(expert, "down").to(float64).square().sum([0L]);     // (F)
            var lengths = norms.data<double>().ToArray();
            var (squares, peaks) = (sums.Sum(Squares, expert, sums.Width), sums.Sum(Peaks, expert, sums.Width));
            for (var neuron = 0; neuron < sums.Width; neuron++)
                scores[expert * sums.Width + neuron] = lengths[neuron] * ((1 - peak) * squares[neuron] + peak * peaks[neuron]);
        }
        return scores;
    }
}
