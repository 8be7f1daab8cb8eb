using Espalier.Contracts;
using Espalier.Registry.Api.Oidc;

namespace Espalier.Registry.Api;

/// <summary>Settings of the web portal. Section <c>portal</c> of the configuration.</summary>
public sealed class PortalOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "portal";

    /// <summary>Address of the orchestrator, such as <c>http://127.0.0.1:8080</c>; without it, runs cannot be seen here.</summary>
    /// <value>none</value>
    public string Orchestrator { get; set; } = "";

    /// <summary>A crash matrix as JSON, written by the project CrashMatrix; shown when it exists.</summary>
    /// <value>none</value>
    public string CrashMatrix { get; set; } = "";

    /// <summary>How long an unused session lives.</summary>
    /// <value>12 hours, to within a tenth; 1 minute to 30 days</value>
    public TimeSpan SessionIdle { get; set; } = TimeSpan.FromHours(12);

    /// <summary>Wrong keys that one address may try in a minute before it must wait.</summary>
    /// <value>10; 1 to 1000</value>
    public int WrongKeysPerMinute { get; set; } = 10;

    /// <summary>The address that browsers reach the portal at, when it is not the one that this process sees, as behind a proxy.</summary>
    /// <value>none: as the request says</value>
    public string Address { get; set; } = "";

    /// <summary>Sign-in by an OpenID Connect provider.</summary>
    public OidcOptions Oidc { get; set; } = new();

    /// <summary>Whether browsers may send our cookies over http: never, when they reach the portal by https.</summary>
    internal CookieSecurePolicy CookieSecurity =>
        Address.StartsWith("https:", StringComparison.OrdinalIgnoreCase) ? CookieSecurePolicy.Always : CookieSecurePolicy.SameAsRequest;

    /// <summary>Checks every setting.</summary>
    /// <exception cref="UserInputException">Names every setting that is wrong, its value and what is allowed.</exception>
    public void Validate()
    {
        var problems = Problems().Concat(Oidc.Problems().Select(p => ($"oidc:{p.Setting}", p.Message)))
            .Select(p => new Problem($"{Section}:{p.Item1}", 0, 0, p.Item2)).ToList();
        if (problems.Count > 0)
            throw new UserInputException(problems);
    }

    private IEnumerable<(string, string)> Problems()
    {
        if (Orchestrator.Length > 0 && (!Uri.TryCreate(Orchestrator, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https")))
            yield return ("orchestrator", $"'{Orchestrator}' is not an address: expected one such as http://127.0.0.1:8080.");
        if (SessionIdle < TimeSpan.FromMinutes(1) || SessionIdle > TimeSpan.FromDays(30))
            yield return ("session-idle", $"{SessionIdle} is out of range: allowed is 1 minute to 30 days.");
        if (WrongKeysPerMinute is < 1 or > 1000)
            yield return ("wrong-keys-per-minute", $"{WrongKeysPerMinute} is out of range: allowed is 1 to 1000.");
    }
}
