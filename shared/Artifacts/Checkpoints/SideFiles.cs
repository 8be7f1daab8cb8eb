namespace Espalier.Artifacts.Checkpoints;

/// <summary>The files beside the weights that belong to a checkpoint. Everything else in a directory is left alone.</summary>
internal static class SideFiles
{
    public const string Config = "config.json";

    /// <summary>Largest config.json that is read.</summary>
    public const long MaxConfigBytes = 16L << 20;

    /// <summary>Largest other file that is read; vocabularies of a million entries stay far below.</summary>
    public const long MaxBytes = 256L << 20;

    private static readonly HashSet<string> Exact = new(StringComparer.Ordinal)
    {
        Config, "generation_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "README.md",
    };

    private static readonly string[] PickleEndings = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

    /// <summary>Whether a file of this name is taken.</summary>
    public static bool IsTaken(string name) =>
        Exact.Contains(name)
            || name.StartsWith("tokenizer", StringComparison.Ordinal) && name.EndsWith(".json", StringComparison.Ordinal)
            || name.StartsWith("LICENSE", StringComparison.Ordinal);

    /// <summary>Whether a name looks like pickled weights, which can run code when they are opened.</summary>
    public static bool IsPickle(string name) => PickleEndings.Any(e => name.EndsWith(e, StringComparison.OrdinalIgnoreCase));

    /// <summary>Largest size that is read under a name.</summary>
    public static long LimitOf(string name) => name == Config ? MaxConfigBytes : MaxBytes;
}
