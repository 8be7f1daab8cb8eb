using Espalier.Cli.Reports;
using Espalier.Contracts;
using Espalier.Orchestrator.Results;
using Espalier.Study;

namespace Espalier.Cli.Tests.Reports;

public sealed class GrowthStudyTests
{
    [Fact]
    public void Mean_ThreeSeeds_HasStudentsInterval()
    {
        var estimate = Estimate.Mean([1, 2, 3]);

        estimate.Value.ShouldBe(2);
        estimate.Low!.Value.ShouldBe(2 - 4.303 / Math.Sqrt(3), 1e-3);
        estimate.High!.Value.ShouldBe(2 + 4.303 / Math.Sqrt(3), 1e-3);
        Estimate.Mean([1.0]).Low.ShouldBeNull();
    }

    [Fact]
    public void Ratio_FixedDenominator_IsTheMeanOverIt()
    {
        var (ratio, mean) = (Estimate.Ratio([0.5, 1, 1.5], [2, 2, 2]), Estimate.Mean([0.5, 1, 1.5]));

        ratio.Value.ShouldBe(0.5);
        ratio.Low!.Value.ShouldBe(mean.Low!.Value / 2, 1e-9);
        ratio.High!.Value.ShouldBe(mean.High!.Value / 2, 1e-9);
    }

    [Fact]
    public void Ratio_DenominatorThatMayBeZero_HasNoBounds() => Estimate.Ratio([1, 1, 1], [-1, 0.5, 2]).Low.ShouldBeNull();

    [Fact]
    public void Study_Grown_IsComparedWithItsSeedAndBudget()
    {
        var study = Study();

        var row = study.Rows.Single(r => r.Arm.Name == "cpt");
        row.Arm.First.Tokens.ShouldBe(1000);
        row.Arm.First.GrownAt.ShouldBe(500);
        row.Arm.Seconds.ShouldBe(10 + 1 + 12);
        row.Arm.Operations.ShouldBe(6 * (100 * 500 + 110 * 500));
        row.Gap!.Value.Value.ShouldBe(0.2, 1e-9);
        row.Closure!.Value.Value.ShouldBe(0.75, 1e-5);
        row.Closure.Value.IsClear.ShouldBeTrue();
        row.AgainstSmall!.Value.Value.ShouldBe(-0.15, 1e-5);
        row.SavedShare!.Value.Value.ShouldBe(1 - 23.0 / 26, 1e-9);
        study.Rows.Single(r => r.Arm.Name == "other-cpt").AgainstFirst!.Value.Value.ShouldBe(0.05, 1e-5);
        study.Smallest.Name.ShouldBe("small");
    }

    [Fact]
    public void Table_Markdown_HasARowPerArmAndSaysWhatIsClear()
    {
        var text = StudyTable.Markdown(Study(), "study", "study.svg");

        text.Split('\n').Count(line => line.StartsWith("| ", StringComparison.Ordinal)).ShouldBe(1 + 4); // header and arms
        text.ShouldContain("it closes 75 % of the gap");
        text.ShouldContain("other-cpt differs clearly from the first grown arm");
    }

    [Fact]
    public void Plot_File_IsOneWellFormedPicture()
    {
        var picture = System.Xml.Linq.XDocument.Parse(StudyPlot.File(Study()));

        picture.Root!.Name.LocalName.ShouldBe("svg");
        picture.Descendants().Count(e => e.Name.LocalName == "title").ShouldBe(2 * 4); // a point per arm in both panels
    }

    [Fact]
    public void Find_OneSeed_IsNoStudy() => GrowthStudy.Find([.. Models().Where(m => m.Seed == "1")]).ShouldBeNull();

    private static GrowthStudy Study() => GrowthStudy.Find(Models())!;

    private static IReadOnlyList<StudyModel> Models()
    {
        var (steps, rows, active) = (new List<StepSummary>(), new List<ModelRow>(), new Dictionary<string, double>());
        foreach (var seed in (int[])[1, 2, 3])
        {
            var noise = seed * 0.01; // the same in every arm of a seed: pairing takes it out
            Train($"base-{seed}", null, 500, 10, 100, 1000, null);
            Train($"small-{seed}", $"base-{seed}", 500, 10, 100, 1000, 2.2 + noise);
            Train($"large-{seed}", null, 1000, 26, 110, 1800, 2.0 + noise);
            foreach (var (grow, cpt, loss) in (ValueTuple<string, string, double>[])[("grown", "cpt", 2.05), ("other", "other-cpt", 2.10)])
            {
                steps.Add(Step($"{grow}-{seed}", StageKinds.Upcycle, [$"base-{seed}"], 1, 0));
                Train($"{cpt}-{seed}", $"{grow}-{seed}", 500, 12, 110, 1800, loss + noise + (seed == 3 ? 1e-6 : 0));
            }

            void Train(string name, string? from, double tokens, double seconds, double weights, double total, double? loss)
            {
                steps.Add(Step(name, StageKinds.Train, from is null ? ["data"] : ["data", from], seconds, tokens));
                active[name] = weights;
                rows.Add(new ModelRow { Model = name, Kind = StageKinds.Train, Root = Digest.Of("m"u8), TotalParameters = total, Loss = loss });
            }
        }
        return StudyModels.Of(new RunSummary(Guid.Empty, "study", RunState.Succeeded, TimeSpan.Zero, steps), rows, active, new Dictionary<string, double>());
    }

    private static StepSummary Step(string name, string kind, IReadOnlyList<string> needs, double seconds, double tokens) => new()
    {
        Name = name, Kind = kind, State = StepState.Succeeded, Needs = needs, Duration = TimeSpan.FromSeconds(seconds),
        Metrics = new Dictionary<string, double> { ["tokens"] = tokens },
    };
}
