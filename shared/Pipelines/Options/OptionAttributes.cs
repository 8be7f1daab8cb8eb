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

    /// <summary>A dataset: <c>corpus:NAME</c>, <c>file:PATH</c>, <c>dir:PATH</c>, or <c>${step.data}</c>. The planner turns it into an input.</summary>
    Dataset,

    /// <summary>A model of another step: <c>${step.model}</c>, or a registered one: <c>model:NAME@ALIAS</c>. The planner turns it into an input.</summary>
    Model,
}

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

    /// <summary>Allowed words of a text option.</summary>
    public string[] Choices { get; init; } = [];

    /// <summary>Whether leaving it out is an error.</summary>
    public bool Required { get; init; }
}
