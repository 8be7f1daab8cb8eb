using Espalier.Pipelines.Options;

namespace Espalier.CptTrainer.Commands;

/// <summary>Options of the stage <c>command</c>.</summary>
public sealed record CommandOptions
{
    /// <summary>The program and its arguments; no shell reads them.</summary>
    [Option("The program and its arguments, one text each. No shell reads them: for one, write [sh, -c, \"...\"].", Required = true)]
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>What the program leaves.</summary>
    [Option("What the program leaves in its folder.", Required = true)]
    public required CommandOutputs Outputs { get; init; }

    /// <summary>Checkpoint that the program finds in <c>model</c>.</summary>
    [Option("Model that the program finds in 'model', as a Hugging Face directory; may be left out when the step has one model among its needs, or none.",
        Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>Text that the program finds in <c>data</c>.</summary>
    [Option("Text that the program finds in 'data' as JSON lines: train/DOMAIN.jsonl, validation/DOMAIN.jsonl, held-out/DOMAIN.jsonl.",
        Kind = OptionKind.Dataset)]
    public string? Data { get; init; }

    /// <summary>Container image, on <c>device: kubernetes</c>.</summary>
    [Option("On device: kubernetes, the container image to run, by its digest (NAME@sha256:...); by a tag only together with 'version', since a tag can "
        + "come to mean another image.")]
    public string? Image { get; init; }

    /// <summary>GPUs of each node.</summary>
    /// <value>0</value>
    [Option("On device: kubernetes, GPUs of each node.", Min = 0, Max = 64)]
    public int Gpus { get; init; }

    /// <summary>Pods that run the program together.</summary>
    /// <value>1</value>
    [Option("On device: kubernetes, how many pods run the program together. Each finds NODE_RANK, NNODES, MASTER_ADDR and MASTER_PORT in its environment, "
        + "and $(NODE_RANK) in an argument stands for its value.", Min = 1, Max = 1024)]
    public int Nodes { get; init; } = 1;

    /// <summary>Variables of the program's environment.</summary>
    [Option("Variables of the program's environment, beside those of the worker. They are stored with the run: no place for secrets.")]
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>What the program is, for the cache.</summary>
    [Option("Names what the program is, such as a commit or an image digest. Another version is new work; the same command, version and inputs are not.")]
    public string? Version { get; init; }
}

/// <summary>What a program leaves.</summary>
public sealed record CommandOutputs
{
    /// <summary>Folder with the checkpoint.</summary>
    [Option("Folder below that of the program in which it writes the new model, as a Hugging Face directory.", Required = true)]
    public required string Model { get; init; }
}
