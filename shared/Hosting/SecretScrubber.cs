using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace Espalier.Hosting;

/// <summary>
/// Takes secrets out of text: the values of settings whose name says that they are secret, and what looks like a credential
/// in an address or a connection string.
/// </summary>
public sealed partial class SecretScrubber
{
    private const string Hidden = "***";
    private const int ShortestSecret = 6;
    private readonly string[] _secrets;

    /// <summary>Knows the secrets of a configuration.</summary>
    public SecretScrubber(IConfiguration configuration) : this(FindSecrets(configuration))
    {
    }

    /// <summary>Knows these secrets.</summary>
    public SecretScrubber(IEnumerable<string> secrets) =>
        // A word of a few letters would eat ordinary text; the patterns below still find it where it is written as a credential.
        _secrets = [.. secrets.Where(s => s.Length >= ShortestSecret).Distinct().OrderByDescending(s => s.Length)];

    /// <summary>The text without its secrets.</summary>
    public string Scrub(string text)
    {
        foreach (var secret in _secrets)
            text = text.Replace(secret, Hidden, StringComparison.Ordinal);
        text = CredentialInAddress().Replace(text, $"$1{Hidden}@");
        return CredentialInPair().Replace(text, $"$1{Hidden}");
    }

    private static IEnumerable<string> FindSecrets(IConfiguration configuration)
    {
        foreach (var (key, value) in configuration.AsEnumerable())
        {
            if (value is null)
                continue;
            if (SecretName().IsMatch(key))
                yield return value;
            foreach (Match match in CredentialInPair().Matches(value))
                yield return match.Groups[2].Value;
        }
    }

    [GeneratedRegex(@"(password|secret|token|api[-_:]?key|passphrase)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SecretName();

    [GeneratedRegex(@"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@:""]{1,200}(?::[^\s/@""]{0,200})?@", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex CredentialInAddress();

    [GeneratedRegex(
        @"\b((?:password|pwd|accountkey|sharedaccesssignature|sig|api[-_]?key)\s*=\s*)([^;&\s""]{1,2000})",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex CredentialInPair();
}
