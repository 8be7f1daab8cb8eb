using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.CptTrainer.Options;

/// <summary>Reads a word or a number as text, so that <c>vocabulary: bytes</c> and <c>vocabulary: 2048</c> both work.</summary>
public sealed class TextOrNumberConverter : JsonConverter<string>
{
    /// <inheritdoc/>
    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number)
            ? number.ToString(CultureInfo.InvariantCulture)
            : reader.GetString() ?? throw new JsonException("Expected a word or a whole number.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
}
