using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

[Trigger("alias.moved", "An alias moves to another version.")]
internal sealed record AliasMovedTrigger : TriggerSettings
{
    [Option("Model that must match; * stands for any text.")]
    public string Model { get; init; } = "*";

    [Option("Alias that must match; * stands for any text.")]
    public string Alias { get; init; } = "*";
}
