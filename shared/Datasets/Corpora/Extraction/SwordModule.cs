using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Datasets.Corpora.Extraction;

/// <summary>
/// A SWORD zText module. Per testament (<c>ot</c>, <c>nt</c>): <c>.bzs</c> has 12-byte records (offset, size, unpacked
/// size) of zlib blocks in <c>.bzz</c>; <c>.bzv</c> has a 10-byte record (block, offset, 2-byte length) per verse. All
/// little-endian; verses are OSIS markup.
/// </summary>
internal static partial class SwordModule
{
    private const int VersesPerDocument = 64;
    private const int MaxBlockBytes = 16 << 20;

    /// <summary>Documents of 64 verses, one verse a line, without notes, titles and markup.</summary>
    public static IEnumerable<Document> Verses(IReadOnlyDictionary<string, byte[]> files) =>
        ((string[])["ot", "nt"])
            .SelectMany(testament => ReadVerses(File(files, testament, "bzs"), File(files, testament, "bzz"), File(files, testament, "bzv")))
            .Chunk(VersesPerDocument)
            .Select((verses, index) => new Document($"verses-{index}", string.Join('\n', verses)));

    private static byte[] File(IReadOnlyDictionary<string, byte[]> files, string testament, string extension) =>
        files.SingleOrDefault(f => f.Key.EndsWith($"/{testament}.{extension}", StringComparison.Ordinal)).Value
            ?? throw new InvalidDataException($"{testament}.{extension} is missing");

    private static IEnumerable<string> ReadVerses(byte[] index, byte[] blocks, byte[] verses)
    {
        var unpacked = Enumerable.Range(0, index.Length / 12).Select(i => Unpack(index.AsSpan(12 * i, 12), blocks)).ToArray();
        for (var at = 0; at + 10 <= verses.Length; at += 10)
        {
            var block = BinaryPrimitives.ReadUInt32LittleEndian(verses.AsSpan(at));
            var start = BinaryPrimitives.ReadUInt32LittleEndian(verses.AsSpan(at + 4));
            var length = BinaryPrimitives.ReadUInt16LittleEndian(verses.AsSpan(at + 8));
            if (length == 0)
                continue;
            if (block >= unpacked.Length || start + (long)length > unpacked[block].Length)
                throw new InvalidDataException($"verse {at / 10} lies outside its block");
            var verse = WithoutMarkup(Encoding.UTF8.GetString(unpacked[block], (int)start, length));
            if (verse.Length > 0)
                yield return verse;
        }
    }

    private static byte[] Unpack(ReadOnlySpan<byte> record, byte[] blocks)
    {
        var offset = BinaryPrimitives.ReadUInt32LittleEndian(record);
        var size = BinaryPrimitives.ReadUInt32LittleEndian(record[4..]);
        if (offset + (long)size > blocks.Length)
            throw new InvalidDataException($"a block ends at {offset + (long)size} of {blocks.Length} bytes");
        using var zlib = new ZLibStream(new MemoryStream(blocks, (int)offset, (int)size), CompressionMode.Decompress);
        var result = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = zlib.Read(buffer)) > 0 && result.Length <= MaxBlockBytes;)
            result.Write(buffer, 0, read);
        return result.Length <= MaxBlockBytes ? result.ToArray() : throw new InvalidDataException("a block unpacks to more than 16 MiB");
    }

    private static string WithoutMarkup(string osis)
    {
        var text = Title().Replace(Note().Replace(osis, " "), "");
        return Space().Replace(WebUtility.HtmlDecode(Tag().Replace(text, "")), " ").Trim();
    }

    [GeneratedRegex(@"\s*<note\b.*?</note>\s*", RegexOptions.Singleline)]
    private static partial Regex Note();

    [GeneratedRegex(@"<title\b.*?</title>", RegexOptions.Singleline)]
    private static partial Regex Title();

    [GeneratedRegex("<[^>]+>")]
    private static partial Regex Tag();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
