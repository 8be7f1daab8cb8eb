using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Methods;
using Espalier.Quantizer.Mixing;
using Espalier.Stages;
using Espalier.Surgery.Calibration;

namespace Espalier.Quantizer;

/// <summary>What came out: sizes, and one line per matrix with its method, tokens, damping and errors.</summary>
internal sealed class QuantizationReport(QuantizationWork work, IReadOnlyList<MatrixRecord> records, long packedBytes, ManifestRef model)
{
    private const string ReportFile = "report.json";

    /// <summary>The calibration text; null when the method needs none.</summary>
    public CalibrationTokens? Tokens { get; init; }

    /// <summary>What was scaled before codes were chosen; empty for methods that scale nothing.</summary>
    public IReadOnlyList<FoldRecord> Folds { get; init; } = [];

    /// <summary>Which unit got how many bits; empty where all have the same.</summary>
    public IReadOnlyList<AllocationRecord> Allocation { get; init; } = [];

    /// <summary>Numbers for tables and gates.</summary>
    public static readonly string[] MetricNames = ["bits-per-weight", "bytes", "bytes-before", "matrices", "fallbacks", "relative-error"];

    public IReadOnlyDictionary<string, double> Metrics => new Dictionary<string, double>
    {
        ["bits-per-weight"] = BitsPerWeight,
        ["bytes"] = model.SizeBytes,
        ["bytes-before"] = work.Source.Manifest.SizeBytes,
        ["matrices"] = records.Count,
        ["fallbacks"] = records.Count(r => r.Fallback is not null),
        ["relative-error"] = records.Average(r => r.RelativeError),
    };

    /// <summary>What people have to know.</summary>
    public IReadOnlyList<string> Notes => Tokens?.Shortfall is { } shortfall ? [shortfall, .. work.Notes] : work.Notes;

    // Of the matrices that got codes: codes, scales, zero points and shapes.
    private double BitsPerWeight => 8.0 * packedBytes / records.Sum(r => Elements(r.Name));

    /// <summary>Stores the report as an artifact.</summary>
    public async Task<ManifestRef> WriteAsync(StageContext context, CancellationToken cancellationToken)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                Kind = "quantization",
                Scheme = work.Describe(),
                Calibration = Tokens?.ToJson(),
                Sizes = new { BitsPerWeight, Bytes = model.SizeBytes, BytesBefore = work.Source.Manifest.SizeBytes },
                Notes,
                Folds = Folds.Count == 0 ? null : Folds,
                Allocation = Allocation.Count == 0 ? null : Allocation,
                Matrices = records,
            },
            WireJson.Indented);
        var receipt = await context.Artifacts.Blobs.PutAsync(json, cancellationToken).ConfigureAwait(false);
        var manifest = new Manifest
        {
            Kind = ArtifactKind.Report,
            Files = [new FileEntry(ReportFile, receipt.Digest, receipt.SizeBytes)],
            Parents = [new Parent(work.Source.Root, "quantized", context.Step.Key)],
        };
        return await context.Artifacts.PublishAsync(manifest, cancellationToken).ConfigureAwait(false);
    }

    private long Elements(string name) => work.Source.Describe(name).Shape.Aggregate(1L, (product, extent) => product * extent);
}
