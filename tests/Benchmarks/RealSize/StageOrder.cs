using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.RealSize;

/// <summary>What a process of its own has to do: one stage.</summary>
public sealed record StageOrder
{
    /// <summary>Name of the order that makes model and text.</summary>
    public const string Make = "make";

    /// <summary>Name of the order that writes a model as a Hugging Face directory.</summary>
    public const string Export = "export";

    /// <summary>A stage kind, <see cref="Make"/> or <see cref="Export"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>Folder of everything.</summary>
    public required string Folder { get; init; }

    /// <summary>Divides the shape that <see cref="Make"/> makes.</summary>
    public int Scale { get; init; } = 1;

    /// <summary>Layers of that shape; null for those that the scale gives.</summary>
    public int? Layers { get; init; }

    /// <summary>Options of the stage.</summary>
    public JsonElement Options { get; init; }

    /// <summary>Inputs of the stage; the model to export.</summary>
    public IReadOnlyList<StepInput> Inputs { get; init; } = [];
}

/// <summary>How it went.</summary>
public sealed record StageAnswer
{
    /// <summary>What came out.</summary>
    public IReadOnlyDictionary<string, ManifestRef> Outputs { get; init; } = new Dictionary<string, ManifestRef>();

    /// <summary>Metrics of the stage.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Wall time in seconds.</summary>
    public double Seconds { get; init; }

    /// <summary>Highest resident memory of the process, the whole runtime included.</summary>
    public long PeakBytes { get; init; }

    /// <summary>Peak memory that a plan states for the step; null where it states none.</summary>
    public long? EstimatedBytes { get; init; }

    /// <summary>What went wrong, as a user would read it; null when nothing did.</summary>
    public string? Failure { get; init; }
}
