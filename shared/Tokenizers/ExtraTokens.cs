using System.Text;

namespace Espalier.Tokenizers;

/// <summary>Added tokens that only the files beside a vocabulary name.</summary>
internal static class ExtraTokens
{
    /// <summary>
    /// The settings' tokens that a definition lacks, with the ids that they get: a token of the vocabulary keeps its own, a taken id gives
    /// way to the next free one.
    /// </summary>
    public static List<AddedToken> Missing(BpeDefinition definition, TokenizerSettings settings)
    {
        var known = definition.AddedTokens.Select(token => token.Content).ToHashSet(StringComparer.Ordinal);
        var missing = new List<AddedToken>();
        HashSet<int>? taken = null;
        foreach (var token in settings.Added.Where(token => known.Add(token.Content)))
        {
            taken ??= [.. definition.Vocabulary.Values, .. definition.AddedTokens.Select(t => t.Id)];
            var id = definition.Vocabulary.TryGetValue(token.Content, out var own) ? own : taken.Contains(token.Id) ? taken.Max() + 1 : token.Id;
            taken.Add(id);
            missing.Add(token with { Id = id });
        }
        return missing;
    }

    /// <summary>
    /// The definition with special tokens that neither the vocabulary nor the added tokens have, numbered on from the last id as transformers
    /// does; and with those of the vocabulary matched whole in a text.
    /// </summary>
    public static BpeDefinition AddSpecial(BpeDefinition definition, IEnumerable<string> texts)
    {
        var added = definition.AddedTokens.ToList();
        foreach (var text in texts.Where(text => added.TrueForAll(token => token.Content != text)))
        {
            var next = definition.Vocabulary.Values.Concat(added.Select(token => token.Id)).DefaultIfEmpty(-1).Max() + 1;
            added.Add(new AddedToken(definition.Vocabulary.TryGetValue(text, out var id) ? id : next, text, Special: true));
        }
        return definition with { AddedTokens = added };
    }

    /// <summary>Bytes that differ whenever the ids of a text may: the files, and the tokens that they do not have themselves.</summary>
    public static byte[] Identity(ReadOnlyMemory<byte> file, IEnumerable<AddedToken> extra) => [.. file.Span, .. Spell(extra)];

    private static byte[] Spell(IEnumerable<AddedToken> tokens) => Encoding.UTF8.GetBytes(string.Join('\n', tokens));
}
