namespace Espalier.Pipelines.Options;

/// <summary>How an option is written and checked.</summary>
public enum OptionKind
{
    /// <summary>Taken from the property's type.</summary>
    Inferred,

    /// <summary>A whole number of tokens or items with an optional unit: <c>5M</c>, <c>128k</c>, <c>2B</c>; decimal.</summary>
    Count,

    /// <summary>A length of time: <c>30s</c>, <c>2h</c>, <c>1d</c>.</summary>
    Duration,

    /// <summary>Bytes with a unit: <c>24GiB</c>, <c>500MB</c>.</summary>
    Size,

    /// <summary>
    /// A dataset: <c>corpus:NAME</c>, <c>file:PATH</c>, <c>dir:PATH</c>, <c>jsonl:PATH</c>, or <c>${step.data}</c>. The planner turns it
    /// into an input.
    /// </summary>
    Dataset,

    /// <summary>A model of another step: <c>${step.model}</c>, or a registered one: <c>model:NAME@ALIAS</c>. The planner turns it into an input.</summary>
    Model,

    /// <summary>Text into which values of an event are filled: <c>${event.version}</c>. For triggers.</summary>
    Template,
}

/// <summary>Marks what planning sets on steps that it adds: no option of a pipeline file.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SetByPlanningAttribute : Attribute;

/// <summary>Describes one option: text for <c>--help</c>, documents and editors, and its limits.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OptionAttribute(string description) : Attribute
{
    /// <summary>One sentence: what it does, with its unit.</summary>
    public string Description { get; } = description;

    /// <summary>How the value is written.</summary>
    public OptionKind Kind { get; init; }

    /// <summary>Smallest allowed number.</summary>
    public double Min { get; init; } = double.NegativeInfinity;

    /// <summary>Largest allowed number.</summary>
    public double Max { get; init; } = double.PositiveInfinity;

    /// <summary>Allowed words of a text option; of a number, words that it may be instead.</summary>
    public string[] Choices { get; init; } = [];

    /// <summary>Of a list: whether one value may stand for a list of it.</summary>
    public bool AcceptsOne { get; init; }

    /// <summary>Regular expression that a text option must match from beginning to end, without anchors.</summary>
    public string? Pattern { get; init; }

    /// <summary>What <see cref="Pattern"/> demands, in words that go on from "must be".</summary>
    public string? PatternMeaning { get; init; }

    /// <summary>
    /// Interface of methods: the allowed words are the <c>Name</c>s of the classes that implement it and have a constructor
    /// without parameters, see <see cref="MethodAssemblies"/>.
    /// </summary>
    public Type? ChoicesOf { get; init; }

    /// <summary>Whether leaving it out is an error.</summary>
    public bool Required { get; init; }

    /// <summary>
    /// For a dataset option of a pipeline step: when it is left out, take the dataset in option <c>data</c> of the nearest step
    /// upstream. A required dataset option does so anyway.
    /// </summary>
    public bool Inherit { get; init; }
}

/// <summary>
/// Names a method of a stage, and marks the record (or the method's class) whose <see cref="OptionAttribute"/> properties the
/// method adds to the stage's options, at the same level. <see cref="OptionSchema.For"/> finds it by scanning the
/// <see cref="MethodAssemblies"/> of <paramref name="stageOptions"/>; the method then is a valid value of the option <c>method</c>, and
/// its options are valid only when it is chosen. The method reads them with <c>context.ReadOptions&lt;ItsRecord&gt;()</c>.
/// </summary>
/// <param name="stageOptions">The record that holds the choice: a stage's options, or a nested record of them.</param>
/// <param name="method">The method's name, kebab-case.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class MethodOptionsAttribute(Type stageOptions, string method) : Attribute
{
    /// <summary>The record that holds the choice.</summary>
    public Type StageOptions { get; } = stageOptions;

    /// <summary>The method's name.</summary>
    public string Method { get; } = method;

    /// <summary>Property that holds the choice.</summary>
    /// <value><c>Method</c></value>
    public string Property { get; init; } = "Method";
}
