using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.Pipelines.Triggers;

[Trigger("webhook", "A signed HTTP request arrives.", Fields = ["body.*", "delivery"])]
internal sealed record WebhookTrigger : TriggerSettings, IWebhookSettings
{
    [Option("name of the secret that signs the request", Required = true)]
    public string Secret { get; init; } = "";

    [Option("How a sender proves that it has the secret: by a signature over time stamp and body, or by sending it as a token.")]
    public WebhookProof Proof { get; init; } = WebhookProof.Signature;

    [Option("How old a signed request may be.")]
    public TimeSpan ReplayWindow { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>How a sender proves that it has the secret.</summary>
public enum WebhookProof
{
    /// <summary><c>X-Espalier-Signature: sha256=HEX</c> over <c>TIMESTAMP.BODY</c>, with <c>X-Espalier-Timestamp</c>.</summary>
    Signature,

    /// <summary><c>Authorization: Bearer SECRET</c>.</summary>
    Token,
}

/// <summary>What a receiver of requests must know of a webhook trigger.</summary>
public interface IWebhookSettings
{
    /// <summary>Name of the secret; the secret itself is in the settings of the orchestrator.</summary>
    string Secret { get; }

    /// <summary>How a sender proves that it has the secret.</summary>
    WebhookProof Proof { get; }

    /// <summary>How old a signed request may be, and how far ahead its time stamp.</summary>
    TimeSpan ReplayWindow { get; }
}

/// <summary>Checks a webhook.</summary>
internal sealed class WebhookTriggerValidator : AbstractValidator<WebhookTrigger>
{
    public WebhookTriggerValidator()
    {
        RuleFor(trigger => trigger.Secret).Must(Planning.StepNames.IsValid)
            .WithMessage($"'secret' is a name, never the secret itself: {Planning.StepNames.Rule}");
        RuleFor(trigger => trigger.ReplayWindow).InclusiveBetween(TimeSpan.FromSeconds(10), TimeSpan.FromHours(1))
            .WithMessage("'replay-window' must be 10s to 1h");
    }
}
