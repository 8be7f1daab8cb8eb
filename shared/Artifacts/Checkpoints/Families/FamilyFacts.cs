using System.Text.Json;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>The few facts of <c>config.json</c> that tensor names and stacked experts depend on; whether the model makes sense is not asked here.</summary>
/// <param name="Family"><c>model_type</c>, or null.</param>
/// <param name="Hidden">Width of the residual stream, or null.</param>
/// <param name="Experts">Routed experts, or null.</param>
/// <param name="TiesEmbeddings">Whether the output head is the embedding.</param>
internal sealed record FamilyFacts(string? Family, long? Hidden, long? Experts, bool TiesEmbeddings)
{
    public static FamilyFacts Read(ReadOnlyMemory<byte> config)
    {
        using var document = JsonDocument.Parse(ByteOrderMark.Skip(config));
        var root = document.RootElement;
        var family = Find(root, "model_type") is { ValueKind: JsonValueKind.String } name ? name.GetString() : null;
        return new FamilyFacts(
            family,
            Number(root, FamilyNames.KeyOf(family, "hidden_size")),
            FamilyNames.ExpertsKeys.Select(key => FamilyNames.KeyOf(family, key)).Select(key => Number(root, key))
                .FirstOrDefault(number => number is not null),
            Find(root, "tie_word_embeddings") is { ValueKind: JsonValueKind.True });
    }

    private static JsonElement? Find(JsonElement root, string key) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty(key, out var value) ? value : null;

    private static long? Number(JsonElement root, string key) =>
        Find(root, key) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) ? number : null;
}
