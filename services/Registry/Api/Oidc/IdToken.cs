using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Espalier.Registry.Api.Oidc;

/// <summary>
/// An identity token (a JWT), checked: signature by a key of the issuer (RS256 or ES256, nothing else, above all not <c>none</c>),
/// issuer, audience, time and nonce. OpenID Connect Core 1.0, section 3.1.3.7.
/// </summary>
internal static class IdToken
{
    private const int LongestToken = 64 << 10;
    private static readonly TimeSpan Leeway = TimeSpan.FromMinutes(2);

    /// <summary>The claims of a token.</summary>
    /// <exception cref="OidcException">It is not what it should be.</exception>
    public static JsonElement Check(string token, JsonElement keys, OidcOptions options, string nonce, DateTimeOffset now)
    {
        var parts = token.Split('.');
        if (parts.Length != 3 || token.Length > LongestToken)
            throw new OidcException("The identity token is no JWT.");
        try
        {
            var header = Json(parts[0]);
            CheckSignature(header, keys, Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), Base64Url.DecodeFromChars(parts[2]));
            var claims = Json(parts[1]);
            CheckClaims(claims, options, nonce, now);
            return claims;
        }
        catch (Exception e) when (e is FormatException or JsonException or KeyNotFoundException or InvalidOperationException or CryptographicException)
        {
            throw new OidcException("The identity token cannot be read.", e);
        }
    }

    private static void CheckSignature(JsonElement header, JsonElement keys, byte[] signed, byte[] signature)
    {
        var algorithm = header.GetProperty("alg").GetString();
        var id = header.TryGetProperty("kid", out var kid) ? kid.GetString() : null;
        foreach (var key in keys.GetProperty("keys").EnumerateArray().Where(k => id is null || (k.TryGetProperty("kid", out var of) && of.GetString() == id)))
        {
            if ((algorithm, key.GetProperty("kty").GetString()) switch
            {
                ("RS256", "RSA") => IsRsa(key, signed, signature),
                ("ES256", "EC") => IsEllipticCurve(key, signed, signature),
                _ => false,
            })
                return;
        }
        throw new OidcException($"No key of the issuer has made the identity token's signature ({algorithm}).");
    }

    private static bool IsRsa(JsonElement key, byte[] signed, byte[] signature)
    {
        using var rsa = RSA.Create(new RSAParameters { Modulus = Bytes(key, "n"), Exponent = Bytes(key, "e") });
        return rsa.KeySize >= 2048 && rsa.VerifyData(signed, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
    }

    private static bool IsEllipticCurve(JsonElement key, byte[] signed, byte[] signature)
    {
        using var curve = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = Bytes(key, "x"), Y = Bytes(key, "y") } });
        return curve.VerifyData(signed, signature, HashAlgorithmName.SHA256);
    }

    private static void CheckClaims(JsonElement claims, OidcOptions options, string nonce, DateTimeOffset now)
    {
        if (claims.GetProperty("iss").GetString() != options.Issuer)
            throw new OidcException("The identity token is of another issuer.");
        var audience = claims.GetProperty("aud");
        if (!(audience.ValueKind == JsonValueKind.Array ? audience.EnumerateArray().Any(a => a.GetString() == options.ClientId) : audience.GetString() == options.ClientId))
            throw new OidcException("The identity token is for somebody else.");
        if (DateTimeOffset.FromUnixTimeSeconds(claims.GetProperty("exp").GetInt64()) + Leeway < now)
            throw new OidcException("The identity token is too old.");
        if (claims.GetProperty("nonce").GetString() != nonce)
            throw new OidcException("The identity token belongs to another sign-in.");
    }

    private static JsonElement Json(string part) => JsonSerializer.Deserialize<JsonElement>(Base64Url.DecodeFromChars(part));

    private static byte[] Bytes(JsonElement key, string name) => Base64Url.DecodeFromChars(key.GetProperty(name).GetString());
}
