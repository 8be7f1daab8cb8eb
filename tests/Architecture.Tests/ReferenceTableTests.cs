using System.Xml.Linq;

namespace Espalier.Architecture.Tests;

/// <summary>What each project may reference: the table of the design, and the references beyond it, each with its reason.</summary>
public sealed class ReferenceTableTests
{
    private static readonly string[] WithoutTensors = ["Contracts", "Hosting", "Database", "Messaging", "Artifacts", "Pipelines"];
    private static readonly string[] StageServices = ["Upcycler", "CptTrainer", "Pruner", "Quantizer", "Evaluator"];

    /// <summary>The table, row by row. Beside it: stage services reference shared projects only, and <c>Cli</c> any service.</summary>
    private static readonly Dictionary<string, string[]> Table = new()
    {
        ["Contracts"] = [],
        ["Hosting"] = [],
        ["Database"] = ["Contracts"],
        ["Messaging"] = ["Contracts"],
        ["Artifacts"] = ["Contracts"],
        ["Pipelines"] = ["Contracts"],
        ["Tokenizers"] = [],
        ["Datasets"] = ["Artifacts", "Tokenizers"],
        ["Kernels"] = [],
        ["Modeling"] = ["Kernels", "Tokenizers"],
        ["Surgery"] = ["Modeling", "Artifacts", "Datasets"],
        ["Gguf"] = ["Surgery", "Tokenizers"],
        ["Stages"] = ["Messaging", "Artifacts", "Pipelines"],
        ["Orchestrator"] = WithoutTensors,
        ["Registry"] = WithoutTensors,
        ["Platform"] = ["Contracts", "Hosting"],
        // Two leaves that the table does not have: boundaries at which tests stop a process, and the statistics of
        // pipelines/reproduce, which a run's report prints.
        ["FaultInjection"] = [],
        ["Study"] = [],
    };

    private static readonly (string Project, string Reference, string Reason)[] BeyondTheTable =
    [
        ("Artifacts", "FaultInjection", "the store has boundaries at which tests stop a process"),
        ("Database", "FaultInjection", "so has the ledger's database"),
        ("Stages", "FaultInjection", "so have the workers"),
        ("Orchestrator", "FaultInjection", "so has the ledger"),
        ("Datasets", "Contracts", "digests and references; they come with Artifacts anyway"),
        ("Stages", "Contracts", "inputs and outputs of a stage; they come with Messaging anyway"),
        ("Stages", "Hosting", "StageService runs a stage service the way every service runs"),
        ("Surgery", "Stages", "calibration runs on a stage's context"),
        ("Surgery", "Pipelines", "its options carry the attributes of the option schema"),
        ("Orchestrator", "Stages", "the types that stages advertise"),
        ("Orchestrator", "Study", "the results of a run that is a study are told in its words"),
        ("Orchestrator", "Datasets", "a plan names the content of the user's own text by its fingerprint"),
        ("Registry", "Stages", "the register stage runs in the registry"),
        ("Platform", "Messaging", "the supervisor's broker gets the accounts and queues that Messaging defines"),
    ];

    public static TheoryData<string> Projects() => [.. Files().Select(Name).Where(name => name != "Cli")];

    [Theory]
    [MemberData(nameof(Projects))]
    public void References_Project_AreThoseOfTheTable(string project)
    {
        var allowed = StageServices.Contains(project)
            ? Repository.Projects("shared").Select(Name)
            : Table.TryGetValue(project, out var row)
                ? row.Concat(BeyondTheTable.Where(d => d.Project == project).Select(d => d.Reference))
                : throw new KeyNotFoundException($"{project} needs a row in the table.");

        ReferencesOf(Files().Single(file => Name(file) == project)).ShouldBeSubsetOf(allowed);
    }

    [Fact]
    public void References_EveryProject_NameNoTestProject()
    {
        var tests = Repository.Projects("tests").Select(Name).ToHashSet();

        Files().SelectMany(ReferencesOf).Where(tests.Contains).ShouldBeEmpty();
    }

    private static IEnumerable<string> Files() => new[] { "shared", "services", "pipelines" }.SelectMany(Repository.Projects);

    private static string Name(string path) => Path.GetFileNameWithoutExtension(path);

    private static IEnumerable<string> ReferencesOf(string file) =>
        XDocument.Load(file).Descendants("ProjectReference").Select(e => Name(e.Attribute("Include")!.Value.Replace('\\', '/')));
}
