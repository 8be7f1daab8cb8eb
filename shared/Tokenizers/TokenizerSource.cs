namespace Espalier.Tokenizers;

/// <summary>The files of a checkpoint, as far as a tokenizer is concerned.</summary>
/// <param name="names">Paths of all files.</param>
/// <param name="read">Gives a file's bytes by path; called only for paths among <paramref name="names"/>.</param>
public sealed class TokenizerSource(IEnumerable<string> names, Func<string, byte[]> read)
{
    private readonly HashSet<string> _names = new(names, StringComparer.Ordinal);

    /// <summary>Files by name.</summary>
    public static TokenizerSource Of(IReadOnlyDictionary<string, byte[]> files) => new(files.Keys, name => files[name]);

    /// <summary>Names of the files that are not in a folder, in ordinal order.</summary>
    public IEnumerable<string> Names => _names.Where(name => !name.Contains('/', StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    /// <summary>A file's bytes, or null when it does not exist.</summary>
    public ReadOnlyMemory<byte>? Find(string name) => _names.Contains(name) ? read(name) : (ReadOnlyMemory<byte>?)null;
}
