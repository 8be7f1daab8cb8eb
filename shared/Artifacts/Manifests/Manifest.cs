using System.Text.Json.Nodes;
using Espalier.Contracts;

namespace Espalier.Artifacts.Manifests;

/// <summary>
/// What an artifact consists of. Its canonical JSON is stored as a blob and the digest of that is the artifact's
/// identity, so nothing here may depend on clock, host or user; those go into the receipt of the step.
/// </summary>
public sealed record Manifest
{
    /// <summary>Format version of this record.</summary>
    public int Version { get; init; } = 1;

    /// <summary>What the artifact is.</summary>
    public required ArtifactKind Kind { get; init; }

    /// <summary>Whole files by path, sorted by path: <c>config.json</c>, <c>tokenizer.json</c>, <c>report.html</c>.</summary>
    public IReadOnlyList<FileEntry> Files { get; init; } = [];

    /// <summary>Tensors sorted by name; a stacked expert tensor is cut into one entry per expert.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; init; } = [];

    /// <summary>Artifacts this one was made from.</summary>
    public IReadOnlyList<Parent> Parents { get; init; } = [];

    /// <summary>For a surgical step: where each expert came from, sorted by layer, then expert.</summary>
    public IReadOnlyList<ExpertOrigin> Experts { get; init; } = [];

    /// <summary>Small facts about the artifact that later steps read, by name.</summary>
    public JsonObject? Properties { get; init; }

    /// <summary>Bytes of everything listed.</summary>
    public long SizeBytes => Files.Sum(f => f.SizeBytes) + Tensors.Sum(t => t.SizeBytes);
}

/// <summary>One file.</summary>
public sealed record FileEntry(string Path, Digest Blob, long SizeBytes);

/// <summary>One tensor: where its bytes are.</summary>
/// <param name="Name">Name as on disk in the Hugging Face layout.</param>
/// <param name="DType">safetensors name of the element type: <c>F32</c>, <c>BF16</c>, <c>I32</c>.</param>
/// <param name="Shape">Extents; empty for a scalar.</param>
/// <param name="Blob">Blob that holds the bytes; small tensors share one.</param>
/// <param name="Offset">First byte within the blob.</param>
/// <param name="SizeBytes">Number of bytes.</param>
public sealed record TensorEntry(string Name, string DType, IReadOnlyList<long> Shape, Digest Blob, long Offset, long SizeBytes);

/// <summary>One artifact this one was made from.</summary>
/// <param name="Manifest">Its root.</param>
/// <param name="Relation">How: <c>trained</c>, <c>upcycled</c>, <c>pruned</c>, <c>quantized</c>, <c>data</c>,
/// <c>tokenizer</c>, <c>evaluated</c>, <c>imported</c>.</param>
/// <param name="StepKey">The step that did it, or null for an import.</param>
public sealed record Parent(Digest Manifest, string Relation, Digest? StepKey);

/// <summary>Expert genealogy: expert (<paramref name="Layer"/>, <paramref name="Expert"/>) came from an expert of a parent.</summary>
public sealed record ExpertOrigin(int Layer, int Expert, Digest Parent, int ParentLayer, int ParentExpert);
