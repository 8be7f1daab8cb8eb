using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Checks who sent a request to a webhook. The signature is that of the registry's own webhooks, so one platform can start pipelines of
/// another: <c>X-Espalier-Signature: sha256=HEX</c>, the HMAC-SHA-256 of <c>TIMESTAMP.BODY</c>, with <c>X-Espalier-Timestamp</c> in seconds
/// since 1970.
/// </summary>
internal static class HookSignature
{
    public const string Signature = "X-Espalier-Signature", Timestamp = "X-Espalier-Timestamp", Delivery = "X-Espalier-Delivery";
    private const string Algorithm = "sha256=";

    /// <summary>Why a request is not taken; null when it is.</summary>
    public static string? Problem(IWebhookSettings hook, string secret, IHeaderDictionary headers, string body, DateTimeOffset now) =>
        hook.Proof == WebhookProof.Token ? TokenProblem(secret, headers) : SignatureProblem(hook, secret, headers, body, now);

    /// <summary>What a sender writes into the header.</summary>
    public static string Sign(string secret, string timestamp, string body) =>
        Algorithm + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{timestamp}.{body}")));

    private static string? TokenProblem(string secret, IHeaderDictionary headers) =>
        AuthenticationHeaderValue.TryParse(headers.Authorization, out var header) && header is { Scheme: "Bearer", Parameter: { } token }
            && AreEqual(token, secret)
            ? null
            : "The token is missing or wrong: Authorization: Bearer SECRET.";

    private static string? SignatureProblem(IWebhookSettings hook, string secret, IHeaderDictionary headers, string body, DateTimeOffset now)
    {
        var timestamp = headers[Timestamp].ToString();
        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds > int.MaxValue * 4L)
            return $"{Timestamp} is missing: the time of the request in seconds since 1970.";
        if (!AreEqual(headers[Signature].ToString(), Sign(secret, timestamp, body)))
            return $"{Signature} is missing or wrong: sha256=HEX of the HMAC-SHA-256 of TIMESTAMP.BODY.";
        var age = (now - DateTimeOffset.FromUnixTimeSeconds(seconds)).Duration();
        return age <= hook.ReplayWindow
            ? null
            : $"The request is {age.TotalSeconds:0} s old; at most {hook.ReplayWindow.TotalSeconds:0} s are allowed. Is the sender's clock right?";
    }

    // In a time that does not tell how much of it is right.
    private static bool AreEqual(string given, string expected) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given)), SHA256.HashData(Encoding.UTF8.GetBytes(expected)));
}
