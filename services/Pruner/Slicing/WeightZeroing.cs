using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Slicing;

/// <summary>
/// Sets single weights of routed experts to zero, one matrix at a time, and counts them. Shapes stay as they are, and a zero is stored like any
/// other number.
/// </summary>
/// <param name="method">Scores the weights.</param>
/// <param name="ratio">Share of each row that goes; what <see cref="WeightPattern.TwoOfFour"/> takes does not depend on it.</param>
/// <param name="layers">What is to be scored of each MoE layer, and on which sums.</param>
/// <param name="kept">Experts that stay whole, by place among the MoE layers.</param>
internal sealed class WeightZeroing(
    IPruningMethod method, double ratio, IReadOnlyList<(ScoreRequest Request, LayerSums Sums)> layers, IReadOnlySet<(int Layer, int Expert)> kept)
{
    private const int GroupSize = 4;
    private readonly SortedDictionary<string, long> _zeros = new(StringComparer.Ordinal); // by projection

    /// <summary>Weights of routed experts that are zero.</summary>
    public long Zeros => _zeros.Values.Sum();

    /// <summary>The bytes of one matrix of an expert with the weights of the lowest scores as zeros; equal scores: the lower column stays.</summary>
    public byte[] Zero(TensorEntry tensor, int layer, int expert, byte[] bytes)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var place = layers.Select((l, index) => (l.Request.Layer, index)).First(l => l.Layer == layer).index;
        var projection = new[] { "gate", "up", "down" }.First(p => TensorNames.Expert(layer, expert, p) == tensor.Name);
        if (!kept.Contains((place, expert)))
        {
            var width = (int)tensor.Shape[1];
            var element = FloatBytes.ElementSize(tensor.DType);
            var goes = Goes(Scores(expert, projection, layers[place])).cpu();                     // (rows, n) columns
            var (columns, perRow) = (goes.data<long>().ToArray(), (int)goes.shape[1]);
            for (var i = 0; i < columns.Length; i++)
                bytes.AsSpan((i / perRow * width + (int)columns[i]) * element, element).Clear();
        }
        _zeros[projection] = _zeros.GetValueOrDefault(projection) + CountZeros(tensor.DType, bytes);
        return bytes;
    }

    /// <summary>What people have to know.</summary>
    /// <param name="share">Share of the routed experts' weights that are zero, as text.</param>
    public IEnumerable<string> Notes(string share)
    {
        yield return $"{share} of the routed experts' weights are zero, and the model takes as many bytes and as much time as before: zeros are stored and "
            + "multiplied like other numbers. Granularity expert or neuron makes it smaller. Plain training after this step moves them away from zero again.";
    }

    /// <summary>For report and manifest.</summary>
    public JsonObject ToJson() => new()
    {
        ["method"] = method.Name,
        ["pattern"] = method.Pattern == WeightPattern.Row ? "row" : "2:4",
        ["zeros"] = Zeros,
        ["zeros-by-projection"] = new JsonObject(_zeros.Select(z => KeyValuePair.Create(z.Key, (JsonNode?)z.Value))),
    };

    private Tensor Scores(int expert, string projection, (ScoreRequest Request, LayerSums Sums) of)
    {
        try
        {
            return method.ScoreWeights(expert, projection, of.Sums, of.Request);
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException($"The source model cannot be read: {e.Message}", e);
        }
    }

    // Columns of each row that go: (rows, n) int64.
    private Tensor Goes(Tensor scores)
    {
        var (rows, width) = (scores.shape[0], scores.shape[1]);
        if (method.Pattern == WeightPattern.Row)
            return Lowest(scores, (long)Math.Floor(ratio * width + 1e-9)).contiguous();
        var groups = Lowest(scores.view(rows, width / GroupSize, GroupSize), GroupSize / 2);      // (rows, groups, 2)
        var starts = (arange(width / GroupSize, device: scores.device) * GroupSize).view(1, -1, 1);
        return (groups + starts).view(rows, -1).contiguous();
    }

    private static Tensor Lowest(Tensor scores, long count)
    {
        var (_, order) = scores.sort(dim: -1, descending: true, stable: true);
        return order.narrow(-1, order.shape[^1] - count, count);
    }

    private static long CountZeros(string dtype, byte[] bytes) => FloatBytes.ToFloats(dtype, bytes).LongCount(value => value == 0);
}
