namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Secrets of webhooks by name: the setting <c>secrets:NAME</c>, in the environment <c>ESPALIER__SECRETS__NAME</c> with underscores for
/// hyphens. They are read when they are needed, and are in no event, answer or log.
/// </summary>
internal sealed class HookSecrets(IConfiguration configuration)
{
    private const string Section = "secrets";

    /// <summary>The secret, or null when it is not set.</summary>
    public string? Find(string name) =>
        (configuration[$"{Section}:{name}"] ?? configuration[$"{Section}:{Underscored(name)}"]) is { Length: > 0 } secret ? secret : null;

    /// <summary>How to set a secret.</summary>
    public static string Remedy(string name) =>
        $"the secret '{name}' is not set: an administrator sets {Section}:{name} of the orchestrator "
            + $"(ESPALIER__SECRETS__{Underscored(name).ToUpperInvariant()})";

    private static string Underscored(string name) => name.Replace('-', '_');
}
