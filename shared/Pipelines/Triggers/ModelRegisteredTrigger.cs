using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

[Trigger("model.registered", "A version of a model is registered.", Fields = ["model", "version", "root", "run"])]
internal sealed record ModelRegisteredTrigger : TriggerSettings
{
    [Option("Model that must match; * stands for any text.")]
    public string Model { get; init; } = "*";

    public override string? Mismatch(EventFields fields) => Compare(fields, "model", Model);
}
