using Espalier.Contracts;

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

    /// <summary>How long a session lives that nobody uses.</summary>
    /// <value>12 hours; 1 minute to 30 days</value>
    public TimeSpan SessionIdle { get; set; } = TimeSpan.FromHours(12);

    /// <summary>Wrong keys that one address may try in a minute before it must wait.</summary>
    /// <value>10; 1 to 1000</value>
    public int WrongKeysPerMinute { get; set; } = 10;

    /// <summary>Sign-in by an OpenID Connect provider.</summary>
    public PortalOidcOptions Oidc { get; set; } = new();

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
            yield return ("orchestrator", $"'{Orchestrator}' is no address: expected one such as http://127.0.0.1:8080.");
        if (SessionIdle < TimeSpan.FromMinutes(1) || SessionIdle > TimeSpan.FromDays(30))
            yield return ("session-idle", $"{SessionIdle} is out of range: allowed is 1 minute to 30 days.");
        if (WrongKeysPerMinute is < 1 or > 1000)
            yield return ("wrong-keys-per-minute", $"{WrongKeysPerMinute} is out of range: allowed is 1 to 1000.");
    }
}

/// <summary>
/// Sign-in by OpenID Connect: authorization code with PKCE. A claim names the person's groups; a group gives a role; and for each
/// role there is an API key, made with <c>espalier keys</c>, that the session acts with.
/// </summary>
public sealed class PortalOidcOptions
{
    /// <summary>The issuer, such as <c>https://login.example.org/realms/lab</c>; empty switches it off.</summary>
    /// <value>none</value>
    public string Issuer { get; set; } = "";

    /// <summary>Our name at the issuer.</summary>
    public string ClientId { get; set; } = "";

    /// <summary>Our secret at the issuer; empty for a public client.</summary>
    public string ClientSecret { get; set; } = "";

    /// <summary>The claim that lists groups.</summary>
    /// <value>groups</value>
    public string GroupsClaim { get; set; } = "groups";

    /// <summary>Role (viewer, submitter, promoter, admin) by group; a person gets the highest.</summary>
    public IDictionary<string, string> Roles { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>API key by role.</summary>
    public IDictionary<string, string> Keys { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether it is switched on.</summary>
    public bool IsOn => Issuer.Length > 0;

    internal IEnumerable<(string Setting, string Message)> Problems()
    {
        if (!IsOn)
            yield break;
        if (!Uri.TryCreate(Issuer, UriKind.Absolute, out var issuer) || (issuer.Scheme != Uri.UriSchemeHttps && !issuer.IsLoopback))
            yield return ("issuer", $"'{Issuer}' must be an https address; http is for loopback only.");
        if (ClientId.Length == 0)
            yield return ("client-id", "It is empty: the issuer knows this portal by it.");
        foreach (var (group, role) in Roles)
        {
            if (!Enum.TryParse<Hosting.Authentication.ApiRole>(role, ignoreCase: true, out _))
                yield return ($"roles:{group}", $"There is no role '{role}': expected viewer, submitter, promoter or admin.");
            else if (!Keys.ContainsKey(role))
                yield return ($"keys:{role}", $"Group '{group}' has the role '{role}', but there is no key for it: make one with espalier keys.");
        }
    }
}
