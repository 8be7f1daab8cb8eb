using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

[Trigger("alias.moved", "An alias moves to another version; version 0 when it is removed.",
    Fields = ["model", "alias", "version", "previous-version", "actor", "reason", "run"])]
internal sealed record AliasMovedTrigger : TriggerSettings
{
    [Option("Model that must match; * stands for any text.")]
    public string Model { get; init; } = "*";

    [Option("Alias that must match; * stands for any text.")]
    public string Alias { get; init; } = "*";

    public override string? Mismatch(EventFields fields) => Compare(fields, "model", Model) ?? Compare(fields, "alias", Alias);
}
