using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

[Trigger("dataset.added", "A dataset is added.")]
internal sealed record DatasetAddedTrigger : TriggerSettings
{
    [Option("Dataset that must match; * stands for any text.")]
    public string Dataset { get; init; } = "*";
}
