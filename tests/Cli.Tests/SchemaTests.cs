using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Pipelines.Text;
using Json.Schema;

namespace Espalier.Cli.Tests;

/// <summary>The JSON Schema says what the planner says: it takes every example and every default, and refuses what cannot be.</summary>
public sealed class SchemaTests : IDisposable
{
    private const string SchemaFile = "pipeline.schema.json";
    private static readonly string Examples = Path.Combine(CommandLineTests.RepositoryRoot(), "pipelines");
    private readonly CliRun _cli = new();

    public static TheoryData<string> Files =>
        [.. Directory.EnumerateFiles(Examples, "*.yaml", SearchOption.AllDirectories).Where(f => !f.Contains("/Study/", StringComparison.Ordinal))
            .Select(f => Path.GetRelativePath(Examples, f)).Order(StringComparer.Ordinal)];

    public void Dispose() => _cli.Dispose();

    /// <summary>In a process of its own: these tests bring a family, a method and a format that the program does not have.</summary>
    [Fact]
    public async Task Schema_BesideTheExamples_IsWhatTheCommandPrints()
    {
        var start = new ProcessStartInfo("dotnet", [typeof(CommandLine).Assembly.Location, "schema"]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var printed = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        process.ExitCode.ShouldBe(0);
        var kept = await File.ReadAllTextAsync(Path.Combine(Examples, SchemaFile));
        (kept == printed).ShouldBeTrue($"./espalier schema > pipelines/{SchemaFile} writes it again");
    }

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Schema_Example_IsValid_AndNamesItInItsFirstLine(string file)
    {
        var path = Path.Combine(Examples, file);
        var text = await File.ReadAllTextAsync(path);

        Refusals(await SchemaAsync(), ToJson(YamlSource.Parse(text, file))).ShouldBeEmpty();
        var schema = Path.GetRelativePath(Path.GetDirectoryName(path)!, Path.Combine(Examples, SchemaFile));
        text.Split('\n')[0].ShouldBe($"# yaml-language-server: $schema={schema}");
    }

    [Fact]
    public async Task Schema_EveryDefault_MeetsItsOwnRules()
    {
        await _cli.CallAsync("schema");
        var found = 0;
        foreach (var option in Objects(JsonNode.Parse(_cli.Output)!).Where(o => o["default"] is not null && (o["type"] ?? o["anyOf"] ?? o["enum"]) is not null))
        {
            found++;
            Refusals(JsonSchema.FromText(option.ToJsonString()), option["default"]!).ShouldBeEmpty(option.ToJsonString());
        }
        found.ShouldBeGreaterThan(200);
    }

    [Theory]
    [InlineData("name: a\nstages: { b: { uses: trian } }", "an unknown stage")]
    [InlineData("name: a\nstages: { b: { uses: train, with: { tokns: 5M } } }", "an unknown option")]
    [InlineData("name: a\nstages: { b: { uses: train, with: { tokens: 5X } } }", "a unit that is none")]
    [InlineData("name: a\nstages: { b: { uses: train, retry: { backoff: 5 } } }", "a length of time without a unit")]
    [InlineData("name: a\nstages: { b: { uses: train, device: gpu } }", "a word that is not a choice")]
    [InlineData("name: a\nstages: {}", "no steps")]
    [InlineData("stages: { b: { uses: train } }", "no name")]
    [InlineData("name: a\nsteps: { b: { uses: train } }", "an unknown key")]
    public async Task Schema_FileThatThePlannerRefuses_IsRefused(string yaml, string what)
    {
        Refusals(await SchemaAsync(), ToJson(YamlSource.Parse(yaml, "p.yaml"))).ShouldNotBeEmpty(what);

        (await _cli.CallAsync("plan", _cli.Write("p.yaml", yaml))).ShouldBe(ExitCodes.BadInput, what);
    }

    [Fact]
    public async Task Schema_OfAStage_IsOneOfItsOptions()
    {
        (await _cli.CallAsync("schema", "prune", "--json")).ShouldBe(0, _cli.Error);
        var schema = JsonSchema.FromText(_cli.Output);

        Refusals(schema, JsonNode.Parse("""{ "method": "heapr", "ratio": 0.25, "calibration": { "samples": 8 } }""")!).ShouldBeEmpty();
        Refusals(schema, JsonNode.Parse("""{ "method": "heaper" }""")!).ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("\"corpus:tiny\"", true)]
    [InlineData("[\"corpus:tiny\",{\"from\":\"jsonl:a\",\"weight\":0.5}]", true)]
    [InlineData("{\"from\":\"parquet:a\",\"field\":\"body\"}", true)]
    [InlineData("[]", false)]
    [InlineData("[{\"weight\":1}]", false)]
    [InlineData("[{\"from\":\"jsonl:a\",\"wieght\":1}]", false)]
    [InlineData("3", false)]
    public async Task Schema_Dataset_IsATextOrSources(string data, bool isValid)
    {
        (await _cli.CallAsync("schema", "train", "--json")).ShouldBe(0, _cli.Error);

        (Refusals(JsonSchema.FromText(_cli.Output), JsonNode.Parse($"{{\"data\":{data}}}")).Count == 0).ShouldBe(isValid);
    }

    private async Task<JsonSchema> SchemaAsync()
    {
        (await _cli.CallAsync("schema")).ShouldBe(0, _cli.Error);
        return JsonSchema.FromText(_cli.Output);
    }

    private static List<string> Refusals(JsonSchema schema, JsonNode? value)
    {
        var found = schema.Evaluate(JsonSerializer.SerializeToElement(value), new EvaluationOptions { OutputFormat = OutputFormat.List });
        var reasons = (found.Details ?? []).Where(d => d.Errors is { Count: > 0 }).Select(d => $"{d.InstanceLocation}: {string.Join("; ", d.Errors!.Values)}");
        return found.IsValid ? [] : [.. reasons, "not valid"];
    }

    private static IEnumerable<JsonObject> Objects(JsonNode? node) => node switch
    {
        JsonObject map => map.SelectMany(p => Objects(p.Value)).Prepend(map),
        JsonArray list => list.SelectMany(Objects),
        _ => [],
    };

    private static JsonNode? ToJson(PlacedNode node) => node.Kind switch
    {
        NodeKind.Map => new JsonObject(node.Entries.Select(e => KeyValuePair.Create(e.Key, ToJson(e.Value)))),
        NodeKind.List => new JsonArray([.. node.Items.Select(ToJson)]),
        NodeKind.Number => JsonNode.Parse(decimal.Parse(node.Text, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture)
            .ToString(System.Globalization.CultureInfo.InvariantCulture)),
        NodeKind.Bool => node.Text == "true",
        NodeKind.Null => null,
        _ => node.Text,
    };
}
