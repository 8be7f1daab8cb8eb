using System.Text.RegularExpressions;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>
/// Tensors that older writers stored and that say nothing: buffers of the rotary embedding, which follow from <c>config.json</c>, and
/// the head of a tied model where it is the embedding byte for byte. They are left out wherever a directory is read.
/// </summary>
internal static partial class RedundantTensors
{
    private const string Head = "lm_head.weight";
    private const string Embedding = "model.embed_tokens.weight";
    private const int ComparedAtOnce = 1 << 20;

    /// <summary>Finds them.</summary>
    /// <param name="source">The directory.</param>
    /// <param name="tiesEmbeddings">Whether <c>config.json</c> says that the head is the embedding.</param>
    /// <returns>Names in the directory, and a sentence about each kind.</returns>
    public static (HashSet<string> Names, IReadOnlyList<string> Notes) Find(ITensorBytes source, bool tiesEmbeddings)
    {
        var names = source.Names.Where(name => RotaryBuffer().IsMatch(name)).ToHashSet(StringComparer.Ordinal);
        var notes = new List<string>();
        if (names.Count > 0)
            notes.Add($"{names.Count} buffer(s) of the rotary embedding, such as '{names.Order(StringComparer.Ordinal).First()}', were left out: "
                + "they follow from config.json.");
        if (tiesEmbeddings && source.Names.Contains(Head) && source.Names.Contains(Embedding) && AreEqual(source))
        {
            names.Add(Head);
            notes.Add($"'{Head}' was left out: it is '{Embedding}' byte for byte, which config.json makes the head (tie_word_embeddings).");
        }
        return (names, notes);
    }

    private static bool AreEqual(ITensorBytes source)
    {
        var (head, embedding) = (source.Describe(Head), source.Describe(Embedding));
        if (head.DType != embedding.DType || !head.Shape.SequenceEqual(embedding.Shape))
            return false;
        var (a, b) = (new byte[ComparedAtOnce], new byte[ComparedAtOnce]);
        for (long offset = 0; offset < head.SizeBytes; offset += ComparedAtOnce)
        {
            var count = (int)Math.Min(ComparedAtOnce, head.SizeBytes - offset);
            source.ReadRange(Head, offset, a.AsSpan(0, count));
            source.ReadRange(Embedding, offset, b.AsSpan(0, count));
            if (!a.AsSpan(0, count).SequenceEqual(b.AsSpan(0, count)))
                return false;
        }
        return true;
    }

    [GeneratedRegex(@"(^|\.)rotary_emb\.(inv_freq|original_inv_freq|cos_cached|sin_cached)$", RegexOptions.CultureInvariant)]
    private static partial Regex RotaryBuffer();
}
