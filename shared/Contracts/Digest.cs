using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.Contracts;

/// <summary>A SHA-256 digest: the name of a blob, a manifest or a step. Written as 64 lower-case hex digits.</summary>
[JsonConverter(typeof(DigestJsonConverter))]
public readonly record struct Digest : IComparable<Digest>
{
    /// <summary>What its text looks like, as a regular expression.</summary>
    public const string Pattern = "^[0-9a-f]{64}$";

    /// <summary>Length of the written form.</summary>
    public const int HexLength = 64;

    private readonly string? _hex;

    private Digest(string hex) => _hex = hex;

    /// <summary>The 64 lower-case hex digits.</summary>
    /// <exception cref="InvalidOperationException">The value is <c>default</c> and names nothing.</exception>
    public string Hex => _hex ?? throw new InvalidOperationException("An empty digest names nothing.");

    /// <summary>Whether this is <c>default</c>, which names nothing.</summary>
    public bool IsEmpty => _hex is null;

    /// <summary>The first 12 hex digits, for messages and tables.</summary>
    public string Short => Hex[..12];

    /// <summary>The digest of some bytes.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return FromHash(hash);
    }

    /// <summary>Wraps a finished SHA-256 hash of 32 bytes.</summary>
    public static Digest FromHash(ReadOnlySpan<byte> hash) =>
        hash.Length == SHA256.HashSizeInBytes
            ? new Digest(Convert.ToHexStringLower(hash))
            : throw new ArgumentException($"A SHA-256 hash has {SHA256.HashSizeInBytes} bytes, not {hash.Length}.", nameof(hash));

    /// <summary>Reads 64 lower-case hex digits, with or without the prefix <c>sha256:</c>.</summary>
    /// <exception cref="FormatException">The text is anything else.</exception>
    public static Digest Parse(string text) =>
        TryParse(text, out var digest)
            ? digest
            : throw new FormatException($"'{text}' is not a digest: expected 64 lower-case hex digits, optionally after 'sha256:'.");

    /// <summary>Reads 64 lower-case hex digits, with or without the prefix <c>sha256:</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Digest digest)
    {
        digest = default;
        if (text is null)
            return false;
        if (text.StartsWith("sha256:", StringComparison.Ordinal))
            text = text["sha256:".Length..];
        if (text.Length != HexLength || text.AsSpan().ContainsAnyExcept("0123456789abcdef"))
            return false;
        digest = new Digest(text);
        return true;
    }

    /// <summary>Orders by hex digits.</summary>
    public int CompareTo(Digest other) => string.CompareOrdinal(_hex, other._hex);

    /// <summary>The 64 hex digits, or an empty text for <c>default</c>.</summary>
    public override string ToString() => _hex ?? "";
}

/// <summary>Writes a digest as its hex digits.</summary>
public sealed class DigestJsonConverter : JsonConverter<Digest>
{
    /// <inheritdoc/>
    public override Digest Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Digest.TryParse(reader.GetString(), out var digest)
            ? digest
            : throw new JsonException("Expected a digest of 64 lower-case hex digits.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Hex);

    /// <inheritdoc/>
    public override Digest ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Digest.Parse(reader.GetString()!);

    /// <inheritdoc/>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) =>
        writer.WritePropertyName(value.Hex);
}
