using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

/// <summary>Datasets given by a list of sources.</summary>
public sealed class DataSourcesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("sources-");

    public DataSourcesTests()
    {
        _folder.CreateSubdirectory("domain");
        File.WriteAllText(Path.Combine(_folder.FullName, "My notes.jsonl.gz"), "{}");
        File.WriteAllText(Path.Combine(_folder.FullName, "notes.parquet"), "");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Plan_WeightedList_MakesOneStepOfLocatedSources()
    {
        var plan = Plan("""[{ from: "dir:./domain", weight: 0.7 }, { from: "corpus:general", weight: 0.25 }, """
            + """{ from: "jsonl:My notes.jsonl.gz", field: body, weight: 0.05 }]""", "train");

        var step = plan.Steps[0];
        step.Name.ShouldBe("data-domain-and-2-more");
        step.IsImplicit.ShouldBeTrue();
        step.Options.TryGetProperty("source", out _).ShouldBeFalse();
        step.Options.GetProperty("sources").EnumerateArray().Select(s => s.GetRawText()).ShouldBe(
        [
            $$"""{"from":"dir:{{_folder.FullName}}/domain","weight":0.7,"name":"domain","fingerprint":"digest of domain"}""",
            """{"from":"corpus:general","weight":0.25}""",
            $$"""{"from":"jsonl:{{_folder.FullName}}/My notes.jsonl.gz","weight":0.05,"field":"body","name":"my-notes","""
                + "\"fingerprint\":\"digest of My notes.jsonl.gz\"}",
        ]);
        plan.Steps[1].Options.GetProperty("data").GetString().ShouldBe("input:data");
        plan.Steps[1].Needs.ShouldBe(["data-domain-and-2-more"]);
    }

    [Fact]
    public void Plan_EqualListsAndOneSourceWithOptions_ShareStepsAsTextsDo()
    {
        var plan = PipelinePlanner.Plan(
            """
            name: a
            params: { where: "corpus:x" }
            stages:
              t: { uses: train, with: { data: ["${where}", "corpus:y"], tokens: 1 } }
              u: { uses: train, with: { data: [{ from: "corpus:x" }, { from: "corpus:y" }], tokens: 1 } }
              v: { uses: train, with: { data: { from: "parquet:notes.parquet", field: body, name: notes-2 }, tokens: 1 } }
            """,
            Path.Combine(_folder.FullName, "p.yaml"), new Dictionary<string, string>(), Context());

        plan.Steps.Where(s => s.Kind == StageKinds.Dataset).Select(s => s.Name).ShouldBe(["data-x-and-1-more", "data-notes"], ignoreOrder: true);
        plan.Steps.Single(s => s.Name == "data-notes").Options.GetProperty("sources")[0].GetProperty("name").GetString().ShouldBe("notes-2");
    }

    [Fact]
    public void Plan_DatasetStepWithAList_GetsTheSameSources()
    {
        const string List = """[{ from: "dir:domain", weight: 0.5 }, { from: "corpus:general", weight: 0.5 }]""";

        var plan = PipelinePlanner.Plan(
            $"name: a\nstages: {{ d: {{ uses: dataset, with: {{ sources: {List} }} }} }}", Path.Combine(_folder.FullName, "p.yaml"),
            new Dictionary<string, string>(), Context());

        JsonElement.DeepEquals(plan.Steps[0].Options, Plan(List, "train").Steps[0].Options).ShouldBeTrue(plan.Steps[0].Options.GetRawText());
    }

    [Theory]
    [InlineData("uses: train, with: { data: [corpus:x, 'parquet:/etc/secret'], tokens: 1 }", "p.yaml:2:54: 'data': /etc/secret is not read")]
    [InlineData("uses: dataset, with: { sources: [{ from: 'jsonl:/etc/secret' }] }", "p.yaml:2:51: 'sources[0].from': /etc/secret is not read")]
    public void Plan_ListWithAPathThatMayNotBeRead_IsRefusedBeforeItIsLookedAt(string step, string expected)
    {
        var context = Context() with
        {
            Admit = path => throw new UserInputException($"{path} is not read"),
            Examine = _ => throw new InvalidOperationException("looked at"),
            Fingerprint = _ => throw new InvalidOperationException("looked at"),
        };

        Should.Throw<UserInputException>(() => PipelinePlanner.Plan(
            $"name: a\nstages: {{ t: {{ {step} }} }}", "p.yaml", new Dictionary<string, string>(), context)).Message.ShouldContain(expected);
    }

    public static TheoryData<string, string> Lists => new()
    {
        { "[]", "p.yaml:2:43: 'data' is an empty list: name at least one source, such as { from: \"dir:./texts\" }" },
        { "[{ from: corpus:x, weight: 0.5 }, { from: corpus:y, weight: 0.4 }]",
            "p.yaml:2:103: 'data': the weights sum to 0.9; they must sum to 1, for example 0.556, 0.444" },
        { "[{ from: corpus:x, weight: 1 }, { from: corpus:y }]", "p.yaml:2:75: 'data': source 2 of 2 has no 'weight': give every source one, or none of them" },
        { "[{ from: corpus:x, weight: 1 }, { from: corpus:y, weight: 0 }]",
            "p.yaml:2:101: 'data': a weight must be above 0: leave out a source that nothing is to be drawn from" },
        { "[{ from: corpus:x, wieght: 1 }]", "p.yaml:2:62: unknown option 'wieght': did you mean 'weight'?" },
        { "[{ weight: 1 }]", "p.yaml:2:44: 'data[0].from' is missing" },
        { "[{ from: corpsu:x }]", "p.yaml:2:52: 'data': 'corpsu:x' is not a source of text: expected corpus:NAME, file:PATH" },
        { "[{ from: 'file:' }]", "p.yaml:2:52: 'data': 'file:' names nothing after the colon" },
        { "[{ from: corpus:x, field: body }]", "p.yaml:2:69: 'data': corpus:... has no fields: 'field' is for jsonl: and parquet:" },
        { "['${t.data}', corpus:x]", "p.yaml:2:44: a list in 'data' names sources of text, not outputs of steps" },
        { "[dir:domain, dir:nowhere]", "p.yaml:2:56: 'data': there is no folder" },
        { "[dir:domain, { from: corpus:x, name: domain }]", "p.yaml:2:56: sources 1 and 2 both have a domain 'domain': give one of them another 'name'" },
        { "[{ from: notes.parquet, name: 'A b' }]", "p.yaml:2:73: 'data[0].name' must be a name of small letters, digits, dots and dashes; found 'A b'" },
        { "[corpus:x, 'parquet:notes.parquet']", "p.yaml:2:54: it has no field 'text'" },
    };

    [Theory]
    [MemberData(nameof(Lists))]
    public void Plan_WrongList_IsRefusedWithPlaceAndRemedy(string list, string expected) =>
        Should.Throw<UserInputException>(() => Plan(list, "train")).Message.ShouldContain(expected);

    private PipelinePlan Plan(string data, string stage) => PipelinePlanner.Plan(
        $"name: a\nstages: {{ t: {{ uses: {stage}, with: {{ data: {data}, tokens: 1 }} }} }}", "p.yaml", new Dictionary<string, string>(), Context());

    private PlanningContext Context() => new()
    {
        Stages = SampleStages.All,
        BaseDirectory = _folder.FullName,
        Fingerprint = source => "digest of " + Path.GetFileName(source),
        Examine = source => source switch
        {
            { Field: null } when source.From.StartsWith(ArtifactForms.Parquet, StringComparison.Ordinal) =>
                throw new UserInputException("it has no field 'text'"),
            { Name: { } name } => [name],
            _ => [source.From],
        },
    };
}
