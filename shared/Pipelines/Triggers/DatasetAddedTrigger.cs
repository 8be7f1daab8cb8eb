using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

[Trigger("dataset.added", "A run has made a dataset that the store did not have.", Fields = ["dataset", "root", "run", "step"])]
internal sealed record DatasetAddedTrigger : TriggerSettings
{
    [Option("Source of the dataset, such as corpus:general, that must match; * stands for any text.")]
    public string Dataset { get; init; } = "*";

    public override string? Mismatch(EventFields fields) => Compare(fields, "dataset", Dataset);
}
