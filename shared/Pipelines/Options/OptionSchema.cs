using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Pipelines.Options;

/// <summary>What a value is, and so how it is written and checked.</summary>
public enum ValueKind
{
    /// <summary>Any text.</summary>
    Text,

    /// <summary>One of the words in <see cref="OptionSchema.Choices"/>.</summary>
    Choice,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Bool,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A number.</summary>
    Number,

    /// <summary>A whole number with an optional decimal unit: <c>5M</c>. Normalised to a number.</summary>
    Count,

    /// <summary>A length of time: <c>2h</c>. Normalised to <c>hh:mm:ss</c>, which the serializer reads as a time span.</summary>
    Duration,

    /// <summary>Bytes with a unit: <c>24GiB</c>. Normalised to a number.</summary>
    Size,

    /// <summary>A dataset: <c>corpus:NAME</c>, <c>file:PATH</c>, <c>dir:PATH</c>, <c>jsonl:PATH</c>, <c>${step.data}</c>.</summary>
    Dataset,

    /// <summary>A model: <c>${step.model}</c>, <c>model:NAME@ALIAS</c>.</summary>
    Model,

    /// <summary>Text with values of an event: <c>${event.version}</c>.</summary>
    Template,

    /// <summary>Options by name (<see cref="OptionSchema.Properties"/>).</summary>
    Object,

    /// <summary>Values of one schema (<see cref="OptionSchema.Items"/>).</summary>
    List,

    /// <summary>Values of one schema by free names.</summary>
    Map,
}

/// <summary>
/// What a stage accepts: generated from its options record, advertised as JSON, and all that is needed to check a pipeline
/// without the stage's code.
/// </summary>
public sealed record OptionSchema
{
    /// <summary>What the value is.</summary>
    public required ValueKind Kind { get; init; }

    /// <summary>One sentence for help and editors.</summary>
    public string Description { get; init; } = "";

    /// <summary>Value when left out, in normalised form; null when there is none.</summary>
    public JsonElement? Default { get; init; }

    /// <summary>Smallest number allowed.</summary>
    public double? Min { get; init; }

    /// <summary>Largest number allowed.</summary>
    public double? Max { get; init; }

    /// <summary>Words allowed; of a number, beside numbers.</summary>
    public IReadOnlyList<string>? Choices { get; init; }

    /// <summary>Of a list: whether one value may stand for a list of it.</summary>
    public bool AcceptsOne { get; init; }

    /// <summary>Regular expression that a text must match from beginning to end; null for any text.</summary>
    public string? Pattern { get; init; }

    /// <summary>What <see cref="Pattern"/> demands, in words that go on from "must be".</summary>
    public string? PatternMeaning { get; init; }

    /// <summary>Whether leaving it out is an error.</summary>
    public bool Required { get; init; }

    /// <summary>For a dataset: whether a step that leaves it out takes the one of the nearest step upstream.</summary>
    public bool Inherit { get; init; }

    /// <summary>Options of an object by name, in the order of the record.</summary>
    public IReadOnlyDictionary<string, OptionSchema>? Properties { get; init; }

    /// <summary>Schema of the values of a list or map.</summary>
    public OptionSchema? Items { get; init; }

    /// <summary>Name of the option whose value says which of <see cref="Methods"/> adds its options.</summary>
    public string? Discriminator { get; init; }

    /// <summary>For every method with options of its own: an object schema whose properties are added when it is chosen.</summary>
    public IReadOnlyDictionary<string, OptionSchema>? Methods { get; init; }

    /// <summary>The schema of an options record.</summary>
    /// <exception cref="InvalidOperationException">
    /// The record breaks the rules: an option without description, no parameterless constructor, a type that cannot be an option.
    /// </exception>
    public static OptionSchema For(Type options) => OptionSchemaBuilder.Build(options);

    /// <summary>As it travels in <see cref="StageAdvertised.Schema"/>.</summary>
    public JsonElement ToJson() => JsonSerializer.SerializeToElement(this, WireJson.Options);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    public static OptionSchema FromJson(JsonElement json) =>
        json.Deserialize<OptionSchema>(WireJson.Options) ?? throw new UserInputException("An option schema may not be null.");
}
