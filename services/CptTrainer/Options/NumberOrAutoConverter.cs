using System.Numerics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.CptTrainer.Training;

namespace Espalier.CptTrainer.Options;

/// <summary>Reads a number, or the word <c>auto</c> as <see cref="StepLaw.Auto"/>.</summary>
public sealed class NumberOrAutoConverter<T> : JsonConverter<T> where T : struct, INumber<T>
{
    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType != JsonTokenType.String ? T.CreateChecked(reader.GetDouble())
        : reader.GetString() == StepLaw.Word ? T.CreateChecked(StepLaw.Auto)
        : throw new JsonException($"Expected a number or '{StepLaw.Word}'.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        if (value == T.CreateChecked(StepLaw.Auto))
            writer.WriteStringValue(StepLaw.Word);
        else
            JsonSerializer.Serialize(writer, value); // as without this converter
    }
}

/// <summary>Reads a list, or one value in place of a list of it.</summary>
public sealed class OneOrManyConverter<T> : JsonConverter<IReadOnlyList<T>>
{
    /// <inheritdoc/>
    public override IReadOnlyList<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.StartArray
            ? JsonSerializer.Deserialize<T[]>(ref reader, options)!
            : [JsonSerializer.Deserialize<T>(ref reader, options)!];

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<T> value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.ToArray(), options);
}
