namespace Espalier.Pipelines.Options;

/// <summary>How options name artifacts that no step of the pipeline makes.</summary>
public static class ArtifactForms
{
    /// <summary>Text from registry packages, by name.</summary>
    public const string Corpus = "corpus:";

    /// <summary>One text file.</summary>
    public const string File = "file:";

    /// <summary>A folder of text files.</summary>
    public const string Directory = "dir:";

    /// <summary>A file of JSON objects, one a line, with the text of a document in each; <c>.gz</c> and <c>.zst</c> as well.</summary>
    public const string JsonLines = "jsonl:";

    /// <summary>A Parquet file with a column of texts.</summary>
    public const string Parquet = "parquet:";

    /// <summary>A registered dataset: <c>dataset:NAME@VERSION</c>, or <c>dataset:NAME</c>, the newest.</summary>
    public const string RegisteredDataset = "dataset:";

    /// <summary>Forms of a source of text, for messages.</summary>
    public const string SourceForms = "corpus:NAME, file:PATH, dir:PATH, jsonl:PATH, parquet:PATH or dataset:NAME@VERSION";

    /// <summary>A registered model: <c>model:NAME@ALIAS</c> or <c>model:NAME@VERSION</c>.</summary>
    public const string RegisteredModel = "model:";

    /// <summary>A dataset option that was left out, until the planner has found the dataset of a step upstream.</summary>
    internal const string Upstream = "upstream";

    /// <summary>How a planned step's options refer to one of its inputs.</summary>
    public const string Input = "input:";

    /// <summary>Forms of a dataset.</summary>
    public static IReadOnlyList<string> Dataset { get; } = [Corpus, File, Directory, JsonLines, Parquet, RegisteredDataset];

    /// <summary>Forms of the user's own files.</summary>
    public static IReadOnlyList<string> Own { get; } = [File, Directory, JsonLines, Parquet];

    /// <summary>Forms whose text is a field of records.</summary>
    public static IReadOnlyList<string> WithFields { get; } = [JsonLines, Parquet];

    /// <summary>Forms of a model.</summary>
    public static IReadOnlyList<string> Model { get; } = [RegisteredModel];
}
