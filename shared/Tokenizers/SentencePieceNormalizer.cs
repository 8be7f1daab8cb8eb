using System.Text;

namespace Espalier.Tokenizers;

/// <summary>SentencePiece's normalization: the character map, runs of spaces, the mark for spaces, the space before a text.</summary>
internal sealed class SentencePieceNormalizer(SentencePieceFile file, ByteTrie userDefined)
{
    private static readonly byte[] Mark = "▁"u8.ToArray();
    private static readonly byte[] Space = " "u8.ToArray();
    private static readonly byte[] Replacement = "\uFFFD"u8.ToArray();

    private byte[] SpaceOrMark => file.EscapesSpaces ? Mark : Space;

    /// <summary>The normal form of a text, as UTF-8.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="addsPrefix">Whether this part of a text gets the space before it, where the model asks for one.</param>
    public byte[] Normalize(ReadOnlySpan<byte> text, bool addsPrefix)
    {
        var at = file.RemovesExtraSpaces ? SkipSpaces(text) : 0;
        if (at == text.Length)
            return [];
        addsPrefix &= file.AddsDummyPrefix;
        var result = new List<byte>(text.Length + text.Length / 2);
        if (addsPrefix && !file.MarksSpacesBehind)
            result.AddRange(SpaceOrMark);
        var isAfterSpace = file.RemovesExtraSpaces;
        while (at < text.Length)
        {
            at += Next(text[at..], out var normal);
            while (isAfterSpace && normal.StartsWith(Space))
                normal = normal[1..];
            if (normal.Length > 0)
            {
                foreach (var value in normal)
                {
                    if (value == ' ')
                        result.AddRange(SpaceOrMark);
                    else
                        result.Add(value);
                }
                isAfterSpace = normal[^1] == ' ';
            }
            if (!file.RemovesExtraSpaces)
                isAfterSpace = false;
        }
        if (file.RemovesExtraSpaces)
            TrimEnd(result);
        if (addsPrefix && file.MarksSpacesBehind)
            result.AddRange(SpaceOrMark);
        return [.. result];
    }

    private int SkipSpaces(ReadOnlySpan<byte> text)
    {
        var at = 0;
        while (at < text.Length)
        {
            var length = Next(text[at..], out var normal);
            if (!normal.SequenceEqual(Space))
                break;
            at += length;
        }
        return at;
    }

    private void TrimEnd(List<byte> text)
    {
        var space = SpaceOrMark;
        while (text.Count >= space.Length && System.Runtime.InteropServices.CollectionsMarshal.AsSpan(text)[^space.Length..].SequenceEqual(space))
            text.RemoveRange(text.Count - space.Length, space.Length);
    }

    // What comes next and its normal form: a user-defined piece as it is, else by the map, else one character.
    private int Next(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> normal)
    {
        var length = userDefined.LongestPrefix(text);
        if (length > 0)
        {
            normal = text[..length];
            return length;
        }
        length = file.Map.Find(text, out normal);
        if (length > 0)
            return length;
        if (Rune.DecodeFromUtf8(text, out _, out length) == System.Buffers.OperationStatus.Done)
        {
            normal = text[..length];
            return length;
        }
        normal = Replacement;
        return 1;
    }
}
