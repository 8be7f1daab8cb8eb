using System.Text;
using Espalier.Datasets.Sources;

namespace Espalier.Datasets.Corpora.Extraction;

/// <summary>Texts that need no decoding.</summary>
internal static class PlainFiles
{
    /// <summary>One document per file, named by the last part of its path.</summary>
    public static IEnumerable<Document> ByName(IReadOnlyDictionary<string, byte[]> files) =>
        files.Select(file => new Document(Path.GetFileName(file.Key), Encoding.UTF8.GetString(file.Value)));

    /// <summary>One document per file, named by its path.</summary>
    public static IEnumerable<Document> ByPath(IReadOnlyDictionary<string, byte[]> files) =>
        files.Select(file => new Document(file.Key, Encoding.UTF8.GetString(file.Value)));

    /// <summary>Files cut into passages of about 2 KB, named by file and number: many small documents out of little text.</summary>
    public static IEnumerable<Document> Passages(IReadOnlyDictionary<string, byte[]> files) =>
        ByName(files).SelectMany(file => TextPieces.Cut(file.Text).Select((passage, index) => new Document($"{file.Id}/{index}", passage.Text)));
}
