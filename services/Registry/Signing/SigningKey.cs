using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;

namespace Espalier.Registry.Signing;

/// <summary>
/// A key that signs manifest roots: ECDSA over P-256 with SHA-256, the only algorithm that the runtime offers for this (it has
/// no ed25519 of its own). What is signed is the DSSE encoding of the root, so that a signature can mean nothing else.
/// </summary>
public sealed class SigningKey : IDisposable
{
    /// <summary>Name of the algorithm.</summary>
    public const string Algorithm = "ecdsa-p256-sha256";

    private const string PayloadType = "application/vnd.espalier.manifest-root";
    private const int LongestPem = 10_000;
    private const int KeySize = 256;
    private readonly ECDsa _key;

    private SigningKey(ECDsa key)
    {
        _key = key;
        Id = Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()))[..16];
    }

    /// <summary>First digits of the digest of the public key.</summary>
    public string Id { get; }

    /// <summary>The public key as PEM.</summary>
    public string PublicPem => _key.ExportSubjectPublicKeyInfoPem();

    /// <summary>The private key as PEM.</summary>
    public string PrivatePem => _key.ExportPkcs8PrivateKeyPem();

    /// <summary>Makes a key.</summary>
    public static SigningKey Create() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Reads a key, private or public, from PEM.</summary>
    /// <exception cref="UserInputException">It is not a key, or is one of another kind.</exception>
    public static SigningKey Parse(string pem)
    {
        if (pem.Length > LongestPem)
            throw new UserInputException($"The key has {pem.Length} characters; keys in PEM form have at most {LongestPem}.");
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            if (key.KeySize != KeySize || key.ExportParameters(false).Curve.Oid.Value != ECCurve.NamedCurves.nistP256.Oid.Value)
                throw new UserInputException("The key is not on the curve P-256: make one with espalier signing-key create FILE.");
            return new SigningKey(key);
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            key.Dispose();
            throw new UserInputException("The text is not an ECDSA key in PEM form: make one with espalier signing-key create FILE.", e);
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    /// <summary>Signs a manifest root.</summary>
    /// <exception cref="UserInputException">The key is only public.</exception>
    public byte[] Sign(Digest root)
    {
        try
        {
            return _key.SignData(Payload(root), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException e)
        {
            throw new UserInputException("This is a public key; signing needs the private one.", e);
        }
    }

    /// <summary>Whether a signature over a manifest root is this key's.</summary>
    public bool Verify(Digest root, ReadOnlySpan<byte> signature) =>
        _key.VerifyData(Payload(root), signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    // DSSE: length-prefixed type and body, so that no other text reads as this one.
    private static byte[] Payload(Digest root) => Encoding.ASCII.GetBytes($"DSSEv1 {PayloadType.Length} {PayloadType} {root.Hex.Length} {root.Hex}");
}
