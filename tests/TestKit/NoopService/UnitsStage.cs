using System.Globalization;
using System.Text;
using System.Text.Json;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Stages;

namespace Espalier.NoopService;

/// <summary>Options of the test stage.</summary>
public sealed record UnitsOptions
{
    /// <summary>Text in every unit.</summary>
    [Option("Text that every unit contains.")]
    public string Text { get; init; } = "";

    /// <summary>Number of units.</summary>
    [Option("Number of units.", Min = 0, Max = 100_000)]
    public int Units { get; init; }

    /// <summary>A file without which the second half does not begin.</summary>
    [Option("The stage waits half-way until this file exists.")]
    public string Gate { get; init; } = "";

    /// <summary>A model to read.</summary>
    [Option("A model to read.", Kind = OptionKind.Model)]
    public string? From { get; init; }
}

/// <summary>A stage with units and a cursor but without tensors: each unit is a blob, the cursor lists the finished ones.</summary>
public sealed class UnitsStage : IStage
{
    /// <inheritdoc/>
    public string Kind => "noop";

    /// <inheritdoc/>
    public Type OptionsType => typeof(UnitsOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new() { Outputs = [OutputNames.Model] };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<UnitsOptions>();
        var saved = await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false);
        var files = saved is null ? [] : JsonSerializer.Deserialize<List<FileEntry>>(saved, WireJson.Options)!;
        var before = files.Count;
        for (var unit = files.Count; unit < options.Units; unit++)
        {
            while (options.Gate.Length > 0 && unit >= options.Units / 2 && !File.Exists(options.Gate))
                await Task.Delay(50, cancellationToken).ConfigureAwait(false);
            var blob = await context.Artifacts.Blobs.PutAsync(Encoding.UTF8.GetBytes($"{options.Text} {unit}"), cancellationToken).ConfigureAwait(false);
            files.Add(new FileEntry(unit.ToString("d6", CultureInfo.InvariantCulture), blob.Digest, blob.SizeBytes));
            await context.Cursor.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(files, WireJson.Options), cancellationToken).ConfigureAwait(false);
            context.Progress.Report("units", unit + 1, options.Units, "units");
        }
        context.Progress.Metric("units-of-this-attempt", files.Count - before);
        var head = await context.Artifacts.Blobs.PutAsync(
            Encoding.UTF8.GetBytes(options.Text + string.Concat(context.Inputs.Select(i => i.Artifact.Root.Hex))), cancellationToken).ConfigureAwait(false);
        var model = await context.Artifacts.PublishAsync(new Manifest
        {
            Kind = ArtifactKind.Report,
            Files = [.. files, new FileEntry("head", head.Digest, head.SizeBytes)],
        }, cancellationToken).ConfigureAwait(false);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = model },
            Metrics = new Dictionary<string, double> { ["units"] = options.Units },
        };
    }
}
