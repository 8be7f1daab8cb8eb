using Espalier.Datasets;
using Espalier.Pipelines.Options;

namespace Espalier.CptTrainer.Options;

/// <summary>When and on what the loss is measured while training.</summary>
public sealed record ValidateOptions
{
    /// <summary>Tokens of training between measurements.</summary>
    /// <value>a tenth of the run</value>
    [Option("Tokens of training between measurements, rounded up to whole points of the report's curve; there is one before the first step and one after the "
        + "last in any case; left out: a tenth of the run.", Kind = OptionKind.Count, Min = 1, Max = 1e15)]
    public long? Every { get; init; }

    /// <summary>Most tokens of a domain.</summary>
    /// <value>50000</value>
    [Option("At most so many tokens of each domain, from its beginning.", Kind = OptionKind.Count, Min = 2, Max = 1e12)]
    public long Tokens { get; init; } = 50_000;

    /// <summary>Which documents.</summary>
    /// <value>held-out</value>
    [Option("Which documents: held-out, as an evaluation uses; validation, if results may not be looked at yet.",
        Choices = [DatasetSplits.HeldOut, DatasetSplits.Validation])]
    public string Split { get; init; } = DatasetSplits.HeldOut;
}
