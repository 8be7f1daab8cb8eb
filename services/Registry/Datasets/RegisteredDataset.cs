using Espalier.Contracts;

namespace Espalier.Registry.Datasets;

/// <summary>A dataset with a name and a version.</summary>
public sealed record RegisteredDataset
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its version, from 1; a number is never given out again.</summary>
    public required int Version { get; init; }

    /// <summary>Its artifact.</summary>
    public required Digest Root { get; init; }

    /// <summary>Bytes of the artifact.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>What it was made of, such as <c>corpus:general</c> or <c>dir</c>.</summary>
    public required string Source { get; init; }

    /// <summary>UTF-8 bytes of its training text.</summary>
    public required long TrainBytes { get; init; }

    /// <summary>The run that registered it.</summary>
    public required Guid Run { get; init; }

    /// <summary>Free text.</summary>
    public required string Description { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>As options of pipelines name it.</summary>
    public string Reference => $"dataset:{Name}@{Version}";
}
