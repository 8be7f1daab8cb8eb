using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Espalier.Contracts;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Options;

/// <summary>
/// Checks options against a schema and normalises them. One reader for YAML, <c>--with</c> and HTTP; it reports every problem
/// with line, column and the nearest valid word. Reading its own output changes nothing.
/// </summary>
public sealed class OptionReader
{
    private static readonly OptionSchema SourcesSchema = new() { Kind = ValueKind.List, Items = OptionSchema.For(typeof(DataSource)) };
    private static readonly TimeSpan PatternLimit = TimeSpan.FromSeconds(1);
    private readonly ProblemList _problems;
    private readonly bool _inPipeline;
    private bool _isIncomplete;
    private readonly Dictionary<string, PlacedEntry> _places = [];
    private readonly List<ArtifactOption> _artifacts = [];
    private readonly List<ArtifactOption> _inherited = [];

    private OptionReader(ProblemList problems, bool inPipeline)
    {
        _problems = problems;
        _inPipeline = inPipeline;
    }

    /// <summary>Reads options from a node; problems are added to the list.</summary>
    /// <param name="schema">An object schema.</param>
    /// <param name="node">The options; nothing at all counts as an empty map.</param>
    /// <param name="problems">Where problems go.</param>
    /// <param name="optionsType">The options record, to run its validators; null skips them.</param>
    /// <param name="inPipeline">Whether <c>${step.output}</c> is allowed and required datasets may come from upstream.</param>
    public static OptionDocument Read(OptionSchema schema, PlacedNode node, ProblemList problems, Type? optionsType = null, bool inPipeline = false)
    {
        var reader = new OptionReader(problems, inPipeline);
        var before = problems.Count;
        reader._places[""] = new PlacedEntry("", node.Line, node.Column, node);
        var values = node.Kind == NodeKind.Null
            ? reader.ReadObject(schema, node with { Kind = NodeKind.Map }, "")
            : reader.ReadValue(schema, node, "", "the options") as JsonObject;
        var document = new OptionDocument { Values = values ?? [], Places = reader._places, Artifacts = reader._artifacts, Inherited = reader._inherited };
        if (optionsType is not null && problems.Count == before && !reader._isIncomplete)
            OptionValidation.Run(optionsType, document, problems);
        return document;
    }

    /// <summary>Reads options from JSON or YAML text.</summary>
    /// <exception cref="UserInputException">With every problem.</exception>
    public static OptionDocument Parse(OptionSchema schema, string text, string place, Type? optionsType = null)
    {
        var problems = new ProblemList(place);
        var node = text.AsSpan().TrimStart() is ['{', ..] ? JsonSource.Parse(text, place) : YamlSource.Parse(text, place);
        var document = Read(schema, node, problems, optionsType);
        problems.ThrowIfAny();
        return document;
    }

    private JsonNode? ReadValue(OptionSchema schema, PlacedNode node, string path, string name)
    {
        if (node.IsReported)
        {
            _isIncomplete = true;
            return null;
        }
        if (node.Kind == NodeKind.Null)
            return Fail(node, $"{name} has no value: give one or leave the option out");
        if (node.Kind == NodeKind.Text && node.Text.StartsWith("${", StringComparison.Ordinal)
            && schema.Kind is not (ValueKind.Dataset or ValueKind.Model or ValueKind.Template))
            return Fail(node, $"{name} cannot take the output of a step; only datasets and models can");
        return schema.Kind switch
        {
            ValueKind.Object => node.Kind == NodeKind.Map ? ReadObject(schema, node, path) : Wrong(node, name, "options by name (a map)"),
            ValueKind.Map => node.Kind == NodeKind.Map ? ReadMap(schema, node, path) : Wrong(node, name, "values by name (a map)"),
            ValueKind.List => node.Kind == NodeKind.List ? ReadList(schema, node, path, name)
                : schema.AcceptsOne ? new JsonArray(ReadValue(schema.Items!, node, path, name)) : Wrong(node, name, "a list, such as [a, b]"),
            ValueKind.Dataset when node.Kind is NodeKind.List or NodeKind.Map => ReadSources(schema, node, path, name),
            _ when node.Kind is NodeKind.List or NodeKind.Map => Wrong(node, name, Expected(schema)),
            ValueKind.Text => node.Kind is NodeKind.Text or NodeKind.Number ? ReadText(schema, node, name) : Wrong(node, name, "text (put it in quotes)"),
            ValueKind.Template => node.Text,
            ValueKind.Choice => ReadChoice(schema, node, name),
            ValueKind.Bool => node.Kind == NodeKind.Bool ? node.Text == "true" : Wrong(node, name, "true or false"),
            ValueKind.Dataset or ValueKind.Model => ReadArtifact(schema, node, path, name),
            _ => ReadNumber(schema, node, name),
        };
    }

    private JsonObject ReadObject(OptionSchema schema, PlacedNode node, string path)
    {
        var properties = new Dictionary<string, OptionSchema>(schema.Properties!);
        var method = AddMethodOptions(schema, node, properties);
        foreach (var entry in node.Entries.Where(e => !properties.ContainsKey(e.Key)))
            _problems.Add(entry, Unknown(schema, entry.Key, method, properties.Keys));

        var result = new JsonObject();
        foreach (var (key, option) in properties)
        {
            var optionPath = path.Length == 0 ? key : $"{path}.{key}";
            if (node.Entries.FirstOrDefault(e => e.Key == key) is { } entry)
            {
                _places[optionPath] = entry;
                result[key] = ReadValue(option, entry.Value, optionPath, $"'{optionPath}'");
            }
            else if (ReadMissing(option, node, optionPath) is { } value)
            {
                result[key] = value;
            }
        }
        return result;
    }

    private JsonNode? ReadMissing(OptionSchema option, PlacedNode owner, string path)
    {
        if (option.Default is { } value)
            return ReadDefault(option, value, owner, path);
        if (option.Kind == ValueKind.Dataset && _inPipeline && (option.Required || option.Inherit))
            return Inherit(option, owner, path);
        if (option.Required)
            _problems.Add(owner, $"'{path}' is missing: {Sentence(option.Description)}");
        return null;
    }

    private JsonValue Inherit(OptionSchema option, PlacedNode owner, string path)
    {
        var value = JsonValue.Create(ArtifactForms.Upstream);
        _inherited.Add(new ArtifactOption(path, option.Kind, "", owner.Line, owner.Column, option.Required, value));
        return value;
    }

    /// <summary>Nested defaults are read like the user's own, so that the options of a default method are filled in too.</summary>
    private JsonNode? ReadDefault(OptionSchema option, JsonElement value, PlacedNode owner, string path) => option.Kind switch
    {
        ValueKind.Dataset or ValueKind.Model when value.GetString() is "" => null,
        ValueKind.Object or ValueKind.Dataset or ValueKind.Model => ReadValue(option, JsonSource.From(value, owner.Line, owner.Column), path, $"'{path}'"),
        _ => JsonSerializer.SerializeToNode(value),
    };

    private string? AddMethodOptions(OptionSchema schema, PlacedNode node, Dictionary<string, OptionSchema> properties)
    {
        if (schema.Discriminator is not { } discriminator)
            return null;
        var method = node.Find(discriminator)?.Text ?? schema.Properties![discriminator].Default?.GetString();
        if (method is not null && schema.Methods!.TryGetValue(method, out var own))
        {
            foreach (var (key, option) in own.Properties!)
                properties[key] = option;
        }
        return method;
    }

    private static string Unknown(OptionSchema schema, string key, string? method, IReadOnlyCollection<string> valid)
    {
        var methods = schema.Methods ?? new Dictionary<string, OptionSchema>();
        var owners = methods.Where(m => m.Value.Properties!.ContainsKey(key)).Select(m => $"'{m.Key}'").ToList();
        return owners.Count > 0 && method is not null
            ? $"option '{key}' belongs to {schema.Discriminator} {string.Join(", ", owners)}, not to '{method}'"
            : $"unknown option '{key}': {FamiliarWords.Hint(key, valid)}";
    }

    private JsonObject ReadMap(OptionSchema schema, PlacedNode node, string path)
    {
        var result = new JsonObject();
        foreach (var entry in node.Entries.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            var entryPath = $"{path}.{entry.Key}";
            _places[entryPath] = entry;
            result[entry.Key] = ReadValue(schema.Items!, entry.Value, entryPath, $"'{entryPath}'");
        }
        return result;
    }

    private JsonArray ReadList(OptionSchema schema, PlacedNode node, string path, string name) =>
        [.. node.Items.Select((item, i) => ReadValue(schema.Items!, item, $"{path}[{i}]", node.Items.Count == 1 ? name : $"item {i + 1} of {name}"))];

    private JsonNode? ReadText(OptionSchema schema, PlacedNode node, string name) =>
        schema.Pattern is not { } pattern || Regex.IsMatch(node.Text, $@"\A(?:{pattern})\z", RegexOptions.CultureInvariant, PatternLimit)
            ? node.Text
            : Wrong(node, name, schema.PatternMeaning ?? $"text that matches {pattern}");

    private JsonNode? ReadChoice(OptionSchema schema, PlacedNode node, string name)
    {
        if (schema.Choices!.Contains(node.Text))
            return node.Text;
        return node.Kind == NodeKind.Text
            ? Fail(node, $"{name} cannot be '{node.Text}': {NearestWord.Hint(node.Text, [.. schema.Choices!])}")
            : Wrong(node, name, Expected(schema));
    }

    private JsonNode? ReadArtifact(OptionSchema schema, PlacedNode node, string path, string name)
    {
        var isReference = _inPipeline && node.Text.StartsWith("${", StringComparison.Ordinal);
        var forms = schema.Kind == ValueKind.Dataset ? ArtifactForms.Dataset : ArtifactForms.Model;
        if (!isReference && !IsFolder(schema, node) && !forms.Any(f => node.Text.StartsWith(f, StringComparison.Ordinal) && node.Text.Length > f.Length))
            return Wrong(node, name, Expected(schema));
        var value = JsonValue.Create(node.Text);
        _artifacts.Add(new ArtifactOption(path, schema.Kind, node.Text, node.Line, node.Column, schema.Required, value));
        return value;
    }

    /// <summary>A dataset given by one source with options, or by a list of sources.</summary>
    private JsonNode? ReadSources(OptionSchema schema, PlacedNode node, string path, string name)
    {
        var items = node.Kind == NodeKind.Map ? [node] : node.Items;
        if (items.Count == 0)
            return Fail(node, $"{name} is an empty list: name at least one source, such as {{ from: \"dir:./texts\" }}");
        if (items.FirstOrDefault(i => i.Kind == NodeKind.Text && i.Text.StartsWith("${", StringComparison.Ordinal)) is { } output)
            return Fail(output, $"a list in {name} names sources of text, not outputs of steps: make one step 'uses: dataset' of all sources");
        var before = _problems.Count;
        var values = ReadList(SourcesSchema, node with { Kind = NodeKind.List, Items = [.. items.Select(ToOptions)] }, path, name);
        if (_problems.Count > before)
            return null;
        var sources = values.Deserialize<List<DataSource>>(WireJson.Options)!;
        foreach (var problem in DataSourceRules.Problems(sources))
            _problems.Add(items[problem.Index].Find(problem.Option) ?? items[problem.Index], $"{name}: {problem.Message}");
        if (_problems.Count > before)
            return null;
        var value = JsonValue.Create(values.ToJsonString(WireJson.Options));
        _artifacts.Add(new ArtifactOption(path, schema.Kind, value.GetValue<string>(), node.Line, node.Column, schema.Required, value)
        {
            Sources = [.. sources.Select((source, i) => new PlacedSource(source, items[i].Line, items[i].Column))],
        });
        return value;
    }

    private static PlacedNode ToOptions(PlacedNode source) => source.Kind != NodeKind.Text
        ? source
        : source with { Kind = NodeKind.Map, Text = "", Entries = [new PlacedEntry("from", source.Line, source.Column, source)] };

    // A single stage reads a model where it lies; a pipeline may run elsewhere.
    private bool IsFolder(OptionSchema schema, PlacedNode node) => !_inPipeline && schema.Kind == ValueKind.Model && node.Kind == NodeKind.Text
        && node.Text.Length > 0 && !node.Text.StartsWith(ArtifactForms.RegisteredModel, StringComparison.Ordinal);

    private JsonNode? ReadNumber(OptionSchema schema, PlacedNode node, string name)
    {
        if (schema.Choices?.Contains(node.Text) == true)
            return node.Text;
        var (value, reason) = NumberText.Read(schema.Kind, node);
        if (reason is not null)
            return Wrong(node, name, schema.Choices is null ? reason : $"{reason}, or {string.Join(", ", schema.Choices)}");
        var amount = value is TimeSpan time ? time.TotalSeconds : Convert.ToDouble(value, System.Globalization.CultureInfo.InvariantCulture);
        if (amount < schema.Min || amount > schema.Max)
            return Fail(node, $"{name} must be {NumberText.Range(schema)}; found {node.Text}");
        return JsonSerializer.SerializeToNode(value, WireJson.Options);
    }

    private static string Expected(OptionSchema schema) => schema.Kind switch
    {
        ValueKind.Choice => $"one of {string.Join(", ", schema.Choices!)}",
        ValueKind.Dataset => $"a dataset: {ArtifactForms.SourceForms}, a list of them or, in a pipeline, ${{step.data}}",
        ValueKind.Model => "a model: model:NAME@ALIAS or, in a pipeline, ${step.model}; a folder gets a name with espalier import",
        ValueKind.Text => "text",
        ValueKind.Bool => "true or false",
        _ => NumberText.Expected(schema.Kind),
    };

    private static string Sentence(string description) => description.Length == 0 ? "it is required" : description;

    private JsonNode? Wrong(PlacedNode node, string name, string expected) => Fail(node, $"{name} must be {expected}; found {node.Describe()}");

    private JsonNode? Fail(PlacedNode node, string message)
    {
        _problems.Add(node, message);
        return null;
    }
}
