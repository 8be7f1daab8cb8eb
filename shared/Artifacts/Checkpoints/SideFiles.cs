namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// The files beside the weights that belong to a checkpoint: configurations, tokenizers, chat templates, a model's own code, texts. They
/// are carried as bytes and never run. Everything else in a directory is left alone.
/// </summary>
internal static class SideFiles
{
    public const string Config = "config.json";

    /// <summary>Largest config.json that is read.</summary>
    public const long MaxConfigBytes = 16L << 20;

    /// <summary>Largest other file that is read; vocabularies of a million entries stay far below.</summary>
    public const long MaxBytes = 256L << 20;

    /// <summary>Most files that a checkpoint carries.</summary>
    public const int MostFiles = 1000;

    /// <summary>Deepest folder that is looked into: <c>additional_chat_templates</c> is at 1.</summary>
    public const int DeepestFolder = 4;

    private const int LongestPath = 512;

    // Another program's list of shards that are not taken along.
    private const string IndexEnding = ".index.json";

    private static readonly string[] Endings =
        [".json", ".jinja", ".txt", ".model", ".tiktoken", ".py", ".md", ".yaml", ".yml", ".spm", ".vocab", ".bpe", ".codes"];

    private static readonly string[] Beginnings = ["tokenizer", "LICENSE", "LICENCE", "NOTICE", "README", "USE_POLICY"];

    private static readonly string[] WeightEndings = [".safetensors", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".tflite", ".npz", ".npy"];

    private static readonly string[] PickleEndings = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

    /// <summary>Whether a file of this path within the directory is taken.</summary>
    public static bool IsTaken(string path)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        return path.Length <= LongestPath && !path.Any(c => c is '\\' or ':' || char.IsControl(c))
            && !name.EndsWith(IndexEnding, StringComparison.Ordinal) && !IsPickle(name) && !IsWeights(name)
            && (Endings.Any(ending => name.EndsWith(ending, StringComparison.Ordinal))
                || Beginnings.Any(beginning => name.StartsWith(beginning, StringComparison.Ordinal)));
    }

    /// <summary>Whether a name looks like weights, of any format.</summary>
    public static bool IsWeights(string name) => WeightEndings.Any(e => name.EndsWith(e, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether a name looks like pickled weights, which can run code when they are opened.</summary>
    public static bool IsPickle(string name) => PickleEndings.Any(e => name.EndsWith(e, StringComparison.OrdinalIgnoreCase));

    /// <summary>Largest size that is read under a name.</summary>
    public static long LimitOf(string name) => name == Config ? MaxConfigBytes : MaxBytes;
}
