using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Schemas;
using Espalier.Pipelines.Triggers;
using Espalier.Pruner;
using Espalier.Pruner.Methods;
using Espalier.Stages.Methods;

namespace Espalier.Cli.Tests;

/// <summary>What the reference of pipelines shows works as printed: every file is planned, the first one is run, and no key is left out.</summary>
public sealed partial class ReferenceTests : IDisposable
{
    private static readonly string Page = File.ReadAllText(Path.Combine(CommandLineTests.RepositoryRoot(), "pipelines", "REFERENCE.md"));
    private static readonly string[] Files = [.. Block().Matches(Page).Select(m => m.Groups["text"].Value)];

    private readonly CliRun _cli = new();

    public static IEnumerable<object[]> Names => Files.Select(file => new object[] { NameOf(file) });

    public void Dispose() => _cli.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public async Task File_Planned_HasNoProblem(string name)
    {
        var code = await _cli.CallAsync("plan", Write(name), "--json");

        code.ShouldBe(0, _cli.Error);
    }

    [Fact]
    public async Task FirstFile_Run_DoesWhatThePageSays()
    {
        var code = await _cli.CallAsync("run", Write("reference"), "--json");

        code.ShouldBe(0, _cli.Error);
        var steps = _cli.Json.GetProperty("steps");
        foreach (var step in new[] { "base", "slim-0-25", "slim-0-5", "scores", "release" })
            steps.GetProperty(step).GetProperty("state").GetString().ShouldBe("succeeded", step);
    }

    [Fact]
    public void Keys_OfStagesAndTriggers_AreEachShownInAFile()
    {
        var stage = PipelineJsonSchema.Generate([])["properties"]!["stages"]!["additionalProperties"]!["properties"]!.AsObject().Select(p => p.Key);
        var triggers = TriggerKind.BuiltIn.SelectMany(k => k.Schema.Properties!.Keys.Prepend(k.Event));
        string[] inner =
        [
            "name", "description", "params", "defaults", "on", "notify", "succeeded", "failed", "cancelled", "stages",
            "include", "exclude", "attempts", "backoff", "group", "policy", "runs", "per",
        ];

        var shown = string.Concat(Files);
        inner.Concat(stage).Concat(triggers).Distinct().Where(key => !Regex.IsMatch(shown, $@"(^|[\s{{]){Regex.Escape(key)}:")).ShouldBeEmpty();
    }

    [Fact]
    public void Defaults_ThatThePageNames_AreThoseOfTheCode()
    {
        var retry = new RetryPolicy();
        var trigger = TriggerKind.Find("model.registered")!.Read(JsonSerializer.SerializeToElement(new { }));

        Page.ShouldContain($"| `retry` | `attempts` in all and the `backoff` before the second | {retry.Attempts}, {retry.Backoff.TotalSeconds}s |");
        Page.ShouldContain($"| longest chain of pipelines that start each other | {trigger.MaxDepth} |");
        Page.ShouldContain($"| failed runs in a row after which the trigger pauses itself | {trigger.PauseAfter} |");
    }

    [Fact]
    public void PruningMethods_EachStandInTheTable_WithWhatTheyRankAndNeed()
    {
        foreach (var method in MethodCatalog<IPruningMethod>.All)
        {
            var ranks = string.Join(", ", method.Granularities.Select(g => $"`{PruneRules.Word(g)}`"));

            Page.ShouldContain($"| `{method.Name}` | {ranks} | {method.Need.ToString().ToLowerInvariant()} | ");
        }
    }

    private string Write(string name) => _cli.Write($"{name}.yaml", Files.Single(file => NameOf(file) == name));

    private static string NameOf(string file) => Name().Match(file).Groups["name"].Value;

    [GeneratedRegex("""```yaml\n(?<text>.*?)```""", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("^name: (?<name>[a-z-]+)$", RegexOptions.Multiline)]
    private static partial Regex Name();
}
