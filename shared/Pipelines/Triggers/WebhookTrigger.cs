using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

[Trigger("webhook", "A signed HTTP request arrives.")]
internal sealed record WebhookTrigger : TriggerSettings
{
    [Option("name of the secret that signs the request", Required = true)]
    public string Secret { get; init; } = "";
}
