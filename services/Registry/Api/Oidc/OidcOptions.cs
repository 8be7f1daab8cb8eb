using Espalier.Hosting.Authentication;

namespace Espalier.Registry.Api.Oidc;

/// <summary>
/// Sign-in by OpenID Connect: authorization code with PKCE. A claim names the person's groups, a group gives a role, and for each
/// role there is an API key, made with <c>espalier keys</c>, that the session acts with. Section <c>portal:oidc</c>.
/// </summary>
public sealed class OidcOptions
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

    /// <summary>
    /// Roles by group: <c>ml-team=submitter, ml-leads=promoter</c>. A person in several groups gets the highest role, a person in none
    /// is refused.
    /// </summary>
    public string Roles { get; set; } = "";

    /// <summary>Key that viewers act with.</summary>
    public string ViewerApiKey { get; set; } = "";

    /// <summary>Key that submitters act with.</summary>
    public string SubmitterApiKey { get; set; } = "";

    /// <summary>Key that promoters act with.</summary>
    public string PromoterApiKey { get; set; } = "";

    /// <summary>Key that administrators act with.</summary>
    public string AdminApiKey { get; set; } = "";

    /// <summary>Whether it is switched on.</summary>
    public bool IsOn => Issuer.Length > 0;

    /// <summary>The highest role of the groups, or null.</summary>
    public ApiRole? RoleOf(IReadOnlyCollection<string> groups)
    {
        var roles = Pairs().Where(p => groups.Contains(p.Group)).Select(p => Enum.Parse<ApiRole>(p.Role, ignoreCase: true)).ToList();
        return roles.Count == 0 ? null : roles.Max();
    }

    /// <summary>The key that a role acts with.</summary>
    public string KeyOf(ApiRole role) => role switch
    {
        ApiRole.Viewer => ViewerApiKey,
        ApiRole.Submitter => SubmitterApiKey,
        ApiRole.Promoter => PromoterApiKey,
        _ => AdminApiKey,
    };

    internal IEnumerable<(string Setting, string Message)> Problems()
    {
        if (!IsOn)
            yield break;
        if (!Uri.TryCreate(Issuer, UriKind.Absolute, out var issuer) || (issuer.Scheme != Uri.UriSchemeHttps && !issuer.IsLoopback))
            yield return ("issuer", $"'{Issuer}' must be an https address; http is for loopback only.");
        if (ClientId.Length == 0)
            yield return ("client-id", "It is empty: the issuer knows this portal by it.");
        if (Roles.Length == 0)
            yield return ("roles", "It is empty, so nobody could sign in: expected such as 'ml-team=submitter, ml-leads=promoter'.");
        foreach (var (group, role) in Pairs())
        {
            if (!Enum.TryParse<ApiRole>(role, ignoreCase: true, out var known) || !Enum.IsDefined(known))
                yield return ("roles", $"Group '{group}' has the role '{role}': expected viewer, submitter, promoter or admin.");
            else if (KeyOf(known).Length == 0)
                yield return ($"{role}-api-key", $"Group '{group}' has the role '{role}', but there is no key for it: make one with espalier keys.");
        }
    }

    private IEnumerable<(string Group, string Role)> Pairs() =>
        Roles.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.LastIndexOf('=') is > 0 and var at ? (pair[..at].Trim(), pair[(at + 1)..].Trim()) : (pair, ""));
}
