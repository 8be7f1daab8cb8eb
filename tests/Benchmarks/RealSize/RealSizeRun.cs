using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.RealSize;

/// <summary>One line of the table.</summary>
/// <param name="Stage">What was done.</param>
/// <param name="Seconds">Wall time of its process.</param>
/// <param name="PeakBytes">Highest resident memory of its process.</param>
/// <param name="EstimatedBytes">Peak memory that a plan states; null where it states none.</param>
/// <param name="Bytes">Size of what came out.</param>
/// <param name="NewBytes">Bytes on the disk that were not there before.</param>
public sealed record StageRow(string Stage, double Seconds, long PeakBytes, long? EstimatedBytes, long Bytes, long NewBytes);

/// <summary>What the whole run gave.</summary>
/// <param name="Parameters">Weights of the made model.</param>
/// <param name="Rows">Stage by stage.</param>
/// <param name="Metrics">What the evaluation found.</param>
public sealed record RealSizeResult(long Parameters, IReadOnlyList<StageRow> Rows, IReadOnlyDictionary<string, double> Metrics);

/// <summary>A stage did not end well.</summary>
public sealed class StageRunException(string message) : Exception(message);

/// <summary>Makes a checkpoint and takes it through the stages, each in a process of its own, so that its peak memory is its alone.</summary>
/// <param name="folder">Where everything goes; it must not exist.</param>
/// <param name="scale">As of <see cref="RealSizeModel.Config"/>.</param>
/// <param name="layers">As of <see cref="RealSizeModel.Config"/>.</param>
/// <param name="method">Method of quantization.</param>
/// <param name="child">Program and arguments that start <see cref="StageChild"/>.</param>
/// <param name="say">Hears what is being done.</param>
public sealed class RealSizeRun(string folder, int scale, int? layers, string method, IReadOnlyList<string> child, Action<string> say)
{
    private const string Model = "model", Calibration = "calibration.data";
    private readonly List<StageRow> _rows = [];

    /// <summary>Runs everything; the folder stays.</summary>
    /// <exception cref="StageRunException">A stage failed, with what its user would read.</exception>
    public async Task<RealSizeResult> RunAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var made = await DoAsync(StageOrder.Make, StageOrder.Make, "{}", [], cancellationToken).ConfigureAwait(false);
        var (model, data) = (made.Outputs[Model], made.Outputs[OutputNames.Data]);
        var grown = await ModelAsync(StageKinds.Upcycle, """
            {"method":"copy","multiplier":2,"router":{"method":"copy-noise"},"calibration":{"data":"input","samples":4,"length":128,"batches":1},"seed":1}
            """, model, data, cancellationToken).ConfigureAwait(false);
        var pruned = await ModelAsync(StageKinds.Prune, """
            {"method":"heapr","ratio":0.5,"calibration":{"data":"input","samples":4,"length":128,"batch":4},"seed":1}
            """, grown, data, cancellationToken).ConfigureAwait(false);
        var quantized = await ModelAsync(StageKinds.Quantize, $$"""
            {"method":"{{method}}","bits":4,"group-size":32,"calibration":{"data":"input","samples":4,"length":128,"batch":4},"seed":1}
            """, pruned, data, cancellationToken).ConfigureAwait(false);
        var scores = await DoAsync(StageKinds.Evaluate, StageKinds.Evaluate, """
            {"tasks":["validation-loss","agreement"],"data":"input","split":"all","length":512,"batch":4,"max-tokens":2000,"reference":"pruned",
             "resamples":1000,"xz":false}
            """, [new StepInput("pruned", Model, pruned), new StepInput("quantized", Model, quantized), new StepInput("text", "data", data)], cancellationToken)
            .ConfigureAwait(false);
        foreach (var (name, exported) in new[] { ("pruned", pruned), ("quantized", quantized) })
            await DoAsync(StageOrder.Export, $"export, {name}", "{}", [new StepInput(name, Model, exported)], cancellationToken).ConfigureAwait(false);
        return new RealSizeResult(RealSizeModel.Config(scale, layers).TotalParameters, _rows, scores.Metrics);
    }

    private async Task<ManifestRef> ModelAsync(
        string kind, string options, ManifestRef model, ManifestRef data, CancellationToken cancellationToken) =>
        (await DoAsync(kind, kind, options, [new StepInput("before", Model, model), new StepInput("text", Calibration, data)], cancellationToken)
            .ConfigureAwait(false)).Outputs[Model];

    private async Task<StageAnswer> DoAsync(
        string kind, string stage, string options, IReadOnlyList<StepInput> inputs, CancellationToken cancellationToken)
    {
        var before = FolderBytes();
        var order = new StageOrder
        {
            Kind = kind, Folder = folder, Scale = scale, Layers = layers, Options = JsonSerializer.Deserialize<JsonElement>(options), Inputs = inputs,
        };
        say($"{stage} ...");
        var answer = await StageProcess.RunAsync(child, order, cancellationToken).ConfigureAwait(false);
        if (answer.Failure is { } failure)
            throw new StageRunException($"{stage}: {failure}");
        var bytes = answer.Outputs.Values.Sum(o => o.SizeBytes);
        _rows.Add(new StageRow(stage, answer.Seconds, answer.PeakBytes, answer.EstimatedBytes, bytes, FolderBytes() - before));
        return answer;
    }

    private long FolderBytes() => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);
}
