using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Triggers;

namespace Espalier.Pipelines.Planning;

/// <summary>What the planner has to know from outside the file.</summary>
public sealed record PlanningContext
{
    /// <summary>The stage kinds there are.</summary>
    public required IReadOnlyCollection<StageDefinition> Stages { get; init; }

    /// <summary>The kinds of triggers that <c>on</c> may name.</summary>
    /// <value><see cref="TriggerKind.BuiltIn"/></value>
    public IReadOnlyCollection<TriggerKind> Triggers { get; init; } = TriggerKind.BuiltIn;

    /// <summary>Folder that <c>file:</c> and <c>dir:</c> paths start from.</summary>
    /// <value>the folder of the pipeline file</value>
    public string? BaseDirectory { get; init; }

    /// <summary>
    /// Digest of the content behind <c>file:/full/path</c> or <c>dir:/full/path</c>, so that changed text is new work; throws
    /// <see cref="UserInputException"/> when there is none. Null leaves the content unchecked.
    /// </summary>
    public Func<string, string>? Fingerprint { get; init; }

    /// <summary>
    /// Looks at the beginning of a source before anything is made of it, and returns the names of the domains that it gives; throws
    /// <see cref="UserInputException"/> when it is empty, or its records have no such field. Null looks at nothing.
    /// </summary>
    public Func<DataSource, IReadOnlyList<string>>? Examine { get; init; }

    /// <summary>
    /// Refuses full paths of files and folders that may not be read here, by <see cref="UserInputException"/>, whether they exist or not.
    /// Null admits all.
    /// </summary>
    public Action<string>? Admit { get; init; }

    /// <summary>What the registry has behind <c>model:NAME@ALIAS</c> or <c>dataset:NAME@VERSION</c>. Null where none can be asked.</summary>
    public Func<string, ModelFound>? FindRegistered { get; init; }
}
