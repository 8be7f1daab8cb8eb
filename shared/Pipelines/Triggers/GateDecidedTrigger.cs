using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

[Trigger("gate.decided", "The gate of an alias lets a version pass, or refuses it.",
    Fields = ["model", "alias", "version", "allowed", "rule", "failed", "approvals", "actor", "run"])]
internal sealed record GateDecidedTrigger : TriggerSettings
{
    [Option("Model that must match; * stands for any text.")]
    public string Model { get; init; } = "*";

    [Option("Alias that must match; * stands for any text.")]
    public string Alias { get; init; } = "*";

    public override string? Mismatch(EventFields fields) => Compare(fields, "model", Model) ?? Compare(fields, "alias", Alias);
}
