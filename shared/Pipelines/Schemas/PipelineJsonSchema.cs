using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Text;
using Espalier.Pipelines.Triggers;

namespace Espalier.Pipelines.Schemas;

/// <summary>
/// A JSON Schema (2020-12) of the pipeline file, for completion and hints in editors. Every value may also be a <c>${...}</c>
/// text, and units are checked by pattern; the planner is the judge.
/// </summary>
public static class PipelineJsonSchema
{
    private const string Dialect = "https://json-schema.org/draft/2020-12/schema";
    private const string Reference = @"\$\{[^}]+\}";

    /// <summary>The schema of pipelines over these stage kinds.</summary>
    /// <param name="stages">The stage kinds.</param>
    /// <param name="triggers">The kinds of triggers; null for <see cref="TriggerKind.BuiltIn"/>.</param>
    public static JsonObject Generate(IEnumerable<StageDefinition> stages, IEnumerable<TriggerKind>? triggers = null)
    {
        var all = stages.OrderBy(s => s.Kind, StringComparer.Ordinal).ToList();
        return new JsonObject
        {
            ["$schema"] = Dialect,
            ["title"] = "Espalier pipeline",
            ["type"] = "object",
            ["required"] = new JsonArray("name", "stages"),
            ["additionalProperties"] = false,
            ["patternProperties"] = new JsonObject { ["^x-"] = new JsonObject() },
            ["$defs"] = new JsonObject(all.Select(s => KeyValuePair.Create(s.Kind, (JsonNode?)OptionsOf(s)))),
            ["properties"] = new JsonObject
            {
                ["name"] = new JsonObject { ["type"] = "string", ["description"] = "The pipeline's name." },
                ["description"] = new JsonObject { ["type"] = "string", ["description"] = "What the pipeline is for, for people." },
                ["defaults"] = Defaults(all),
                ["params"] = new JsonObject { ["type"] = "object", ["description"] = "Values used as ${name}; replaced with --param name=value." },
                ["on"] = new JsonObject
                {
                    ["type"] = "object",
                    ["description"] = "Events that start the pipeline by itself.",
                    ["additionalProperties"] = false,
                    ["properties"] = new JsonObject((triggers ?? TriggerKind.BuiltIn).Select(t => KeyValuePair.Create(t.Event, (JsonNode?)Trigger(t)))),
                },
                ["notify"] = Notify(),
                ["stages"] = new JsonObject
                {
                    ["type"] = "object",
                    ["minProperties"] = 1,
                    ["additionalProperties"] = Step(all),
                },
            },
        };
    }

    /// <summary>The schema of one stage's options, as they stand under <c>with</c>.</summary>
    public static JsonObject Generate(StageDefinition stage)
    {
        var options = OptionsOf(stage);
        options.Insert(0, "$schema", Dialect);
        options.Insert(1, "title", $"Options of the stage {stage.Kind}");
        return options;
    }

    private static JsonObject Defaults(List<StageDefinition> stages) => new()
    {
        ["type"] = "object",
        ["description"] = "Options by stage kind, for every step of that kind that does not say otherwise.",
        ["additionalProperties"] = false,
        ["properties"] = new JsonObject(stages.Select(s => KeyValuePair.Create(s.Kind, (JsonNode?)ReferenceTo(s)))),
    };

    private static JsonObject Notify() => new()
    {
        ["type"] = "object",
        ["description"] = "Who is notified when a run ends, by names that an administrator has set.",
        ["additionalProperties"] = false,
        ["properties"] = new JsonObject(NotifyReader.Ends.Keys.Select(end => KeyValuePair.Create(end, (JsonNode?)Either(
            new JsonObject { ["type"] = "string" },
            new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } })))),
    };

    /// <summary>One trigger, or a list of them.</summary>
    private static JsonObject Trigger(TriggerKind kind)
    {
        JsonNode[] forms = kind.ShortForm is null ? [Object(kind.Schema)] : [new JsonObject { ["type"] = "string" }, Object(kind.Schema)];
        var items = new JsonObject { ["anyOf"] = new JsonArray([.. forms.Select(f => f.DeepClone())]) };
        return new JsonObject
        {
            ["description"] = kind.Description,
            ["anyOf"] = new JsonArray([.. forms, new JsonObject { ["type"] = "array", ["minItems"] = 1, ["items"] = items }]),
        };
    }

    private static JsonObject Step(List<StageDefinition> stages)
    {
        var properties = Object(OptionSchema.For(typeof(StageEnvelope)))["properties"]!.DeepClone().AsObject();
        var (needs, retry) = (properties["needs"]!.DeepClone().AsObject(), properties["retry"]!.DeepClone().AsObject());
        properties["uses"] = new JsonObject { ["enum"] = new JsonArray([.. stages.Select(s => (JsonNode)s.Kind)]), ["description"] = "Stage kind." };
        properties["needs"] = Either(new JsonObject { ["type"] = "string" }, needs);
        properties["retry"] = Either(new JsonObject { ["type"] = "integer", ["minimum"] = 1 }, retry);
        properties["matrix"] = new JsonObject { ["type"] = "object", ["description"] = "Lists of values by axis; one step for each combination." };
        properties["with"] = new JsonObject { ["type"] = "object", ["description"] = "Options of the stage." };
        return new JsonObject
        {
            ["type"] = "object",
            ["required"] = new JsonArray("uses"),
            ["additionalProperties"] = false,
            ["properties"] = properties,
            ["allOf"] = new JsonArray([.. stages.Select(When)]),
        };
    }

    private static JsonNode When(StageDefinition stage)
    {
        return new JsonObject
        {
            ["if"] = new JsonObject { ["properties"] = new JsonObject { ["uses"] = new JsonObject { ["const"] = stage.Kind } } },
            ["then"] = new JsonObject { ["properties"] = new JsonObject { ["with"] = ReferenceTo(stage) } },
        };
    }

    private static JsonObject ReferenceTo(StageDefinition stage) => new() { ["$ref"] = $"#/$defs/{stage.Kind}" };

    /// <summary>Nothing is required: datasets may come from upstream, and everything from 'defaults'.</summary>
    private static JsonObject OptionsOf(StageDefinition stage)
    {
        var options = Object(stage.Schema);
        options.Remove("required");
        return options;
    }

    private static JsonObject Object(OptionSchema schema)
    {
        var properties = new JsonObject();
        var ofMethods = (schema.Methods ?? new Dictionary<string, OptionSchema>()).SelectMany(m => m.Value.Properties!);
        foreach (var (name, option) in schema.Properties!.Concat(ofMethods))
        {
            var value = Value(option);
            if (option.Description.Length > 0)
                value["description"] = option.Description;
            if (option.Default is { } fallback && Shown(option, fallback) is { } shown)
                value["default"] = shown;
            properties[name] = properties[name] is JsonObject other && !JsonNode.DeepEquals(other, value)
                ? Either(other.DeepClone().AsObject(), value) // methods may mean different things by one word
                : value;
        }
        var result = new JsonObject
        {
            ["type"] = "object",
            ["additionalProperties"] = false,
            ["patternProperties"] = new JsonObject { [$"^{MergeKey.Name}$"] = new JsonObject { ["type"] = new JsonArray("string", "array", "object") } },
            ["properties"] = properties,
        };
        var required = schema.Properties!.Where(p => p.Value.Required && p.Value.Kind != ValueKind.Dataset).Select(p => (JsonNode)p.Key).ToArray();
        if (required.Length > 0)
            result["required"] = new JsonArray(required);
        return result;
    }

    /// <summary>A default as a person writes it: lengths of time with units; null where it says that there is none.</summary>
    private static JsonNode? Shown(OptionSchema schema, JsonElement value) => (schema.Kind, value.ValueKind) switch
    {
        (ValueKind.Dataset or ValueKind.Model, JsonValueKind.String) when value.GetString() is "" => null,
        (ValueKind.Duration, JsonValueKind.String) when TimeSpan.TryParse(value.GetString(), CultureInfo.InvariantCulture, out var length) =>
            Units.WriteDuration(length),
        (ValueKind.Object, JsonValueKind.Object) => new JsonObject(
            from property in value.EnumerateObject()
            where schema.Properties!.ContainsKey(property.Name)
            let shown = Shown(schema.Properties![property.Name], property.Value)
            where shown is not null
            select KeyValuePair.Create(property.Name, (JsonNode?)shown)),
        _ => JsonSerializer.SerializeToNode(value),
    };

    private static JsonObject Value(OptionSchema schema) => schema.Kind switch
    {
        ValueKind.Object => Object(schema),
        ValueKind.List when schema.AcceptsOne => Either(new JsonObject { ["type"] = "array", ["items"] = Value(schema.Items!) }, Value(schema.Items!)),
        ValueKind.List => OrReference(new JsonObject { ["type"] = "array", ["items"] = Value(schema.Items!) }),
        ValueKind.Map => new JsonObject { ["type"] = "object", ["additionalProperties"] = Value(schema.Items!) },
        ValueKind.Choice => OrReference(new JsonObject { ["enum"] = new JsonArray([.. schema.Choices!.Select(c => (JsonNode)c)]) }),
        ValueKind.Bool => OrReference(new JsonObject { ["type"] = "boolean" }),
        ValueKind.Integer or ValueKind.Number when schema.Choices is { } words => Either(
            Value(schema with { Choices = null }), new JsonObject { ["enum"] = new JsonArray([.. words.Select(w => (JsonNode)w)]) }),
        ValueKind.Integer => OrReference(Limited(schema, "integer")),
        ValueKind.Number => OrReference(Limited(schema, "number")),
        ValueKind.Count => Either(Limited(schema, "integer"), Pattern($@"^(\d+(\.\d*)?\s*[kKMBGT]?|{Reference}.*)$")),
        ValueKind.Size => Either(Limited(schema, "integer"), Pattern($@"^(\d+(\.\d*)?\s*([kKMGT]i?)?B|{Reference}.*)$")),
        ValueKind.Duration => Pattern($@"^((\d+(\.\d+)?(ms|s|m|min|h|d))+|{Reference}.*)$"),
        ValueKind.Dataset => Dataset(),
        ValueKind.Model => Pattern($"^({ArtifactForms.RegisteredModel}|{Reference}).*$"),
        ValueKind.Template => new JsonObject { ["type"] = new JsonArray("string", "number", "boolean") },
        _ => Text(schema),
    };

    /// <summary>A text, one source with options, or a list of both.</summary>
    private static JsonObject Dataset()
    {
        var (text, source) = (Pattern($"^({string.Join('|', ArtifactForms.Dataset)}|{Reference}).*$"), Object(OptionSchema.For(typeof(DataSource))));
        var items = Either(text.DeepClone().AsObject(), source.DeepClone().AsObject());
        return new JsonObject { ["anyOf"] = new JsonArray(text, source, new JsonObject { ["type"] = "array", ["minItems"] = 1, ["items"] = items }) };
    }

    private static JsonObject Text(OptionSchema schema)
    {
        var text = new JsonObject { ["type"] = new JsonArray("string", "number") };
        if (schema.Pattern is { } pattern)
            text["pattern"] = $"^({pattern}|.*{Reference}.*)$";
        return text;
    }

    private static JsonObject Limited(OptionSchema schema, string type)
    {
        var result = new JsonObject { ["type"] = type };
        if (schema.Min is { } min)
            result["minimum"] = Number(min);
        if (schema.Max is { } max)
            result["maximum"] = Number(max);
        return result;
    }

    private static JsonNode Number(double value) => JsonNode.Parse(value.ToString("R", CultureInfo.InvariantCulture))!;

    private static JsonObject OrReference(JsonObject schema) => Either(schema, Pattern($"^{Reference}$"));

    private static JsonObject Either(JsonObject one, JsonObject other) => new() { ["anyOf"] = new JsonArray(one, other) };

    private static JsonObject Pattern(string pattern) => new() { ["type"] = "string", ["pattern"] = pattern };
}
