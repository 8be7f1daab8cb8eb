using System.Text.Json;
using Espalier.Cli.Reports;
using Espalier.Contracts;
using Espalier.Modeling.Training;
using Espalier.Modeling.Training.Annealing;
using Espalier.Study;

namespace Espalier.Cli.Tests.Reports;

public sealed class StudyTablesTests
{
    [Fact]
    public void ArmTable_SeveralSeeds_ComparesEachArmWithTheFirstOfItsTokens()
    {
        var text = ArmTable.Markdown(
            [Model("parent-1", 100, 2.0), Model("parent-2", 100, 2.2), Model("plain-1", 150, 2.5), Model("plain-2", 150, 2.7),
             Model("taught-1", 150, 2.4), Model("taught-2", 150, 2.6)], "study")!;

        var rows = text.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).ToList();
        rows.Count.ShouldBe(1 + 3);
        rows[2].ShouldContain("| plain | 150 | 2.6000 (2.5000-2.7000) | - | - |");
        rows[3].ShouldContain("| plain | -0.1000 [-0.1000, -0.1000] |");
    }

    [Fact]
    public void ArmTable_SeveralDomains_ShowsWhatEachArmForgot()
    {
        StudyModel With(string step, double old, double violation) => Model(step, 150, 2.5) with
        {
            Measured = new Dictionary<string, double> { ["loss.old"] = old, ["loss.new"] = 1.5, ["loss-low"] = 9, ["max-violation"] = violation },
        };
        var text = ArmTable.Markdown([With("plain-1", 2.0, 0.5), With("plain-2", 2.2, 0.7), With("replay-1", 1.9, 0.5), With("replay-2", 2.1, 0.9)], "study")!;

        var rows = text.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).ToList();
        rows[3].ShouldBe("| arm | loss.old | loss.new | max-violation |");
        rows[4].ShouldBe("| plain | 2.1000 | 1.5000 | 0.6000 |");
        rows[5].ShouldStartWith("| replay | 2.0000 (-0.1000 [-0.1000, -0.1000]) | 1.5000 (0.0000");
    }

    [Fact]
    public void ArmTable_OneSeedOrNothingToCompare_IsNone()
    {
        ArmTable.Markdown([Model("a-1", 100, 2.0), Model("b-1", 100, 2.2)], "study").ShouldBeNull();
        ArmTable.Markdown([Model("a-1", 100, 2.0), Model("a-2", 100, 2.2), Model("b-1", 150, 2), Model("b-2", 150, 2)], "study").ShouldBeNull();
    }

    [Fact]
    public void AnnealingTable_CurvesOfTheLaw_HaveNoErrorWhereTheyAreHeldBack()
    {
        var curves = ((string, ScheduleKind)[])[("cosine-1", ScheduleKind.Cosine), ("wsd-1", ScheduleKind.Wsd)];

        var text = AnnealingTable.Markdown([.. curves.Select(c => Curves(c.Item1, c.Item2))], "law")!;

        var rows = text.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).ToList();
        rows.Count.ShouldBe(1 + 4 + 1);
        rows[^1].ShouldStartWith("| any one | another, held back | 2 | 0.");
        double.Parse(rows[^1].Split('|')[4].TrimEnd(' ', '%'), System.Globalization.CultureInfo.InvariantCulture).ShouldBeLessThan(0.5);
    }

    [Fact]
    public void AnnealingTable_OneSchedule_IsNone() =>
        AnnealingTable.Markdown([Curves("a-1", ScheduleKind.Wsd), Curves("b-1", ScheduleKind.Wsd)], "law").ShouldBeNull();

    private static StudyModel Model(string step, double tokens, double loss) =>
        new(step, step[..^2], step[^1..], null, null, 1000, tokens, 10, 6 * 1000 * tokens, loss);

    private static TrainingCurves Curves(string step, ScheduleKind kind)
    {
        var schedule = new LearningRateSchedule { Kind = kind, Peak = 0.003, Steps = 1000, WarmUp = 50, DecayShare = 0.2 };
        double[] steps = [.. Enumerable.Range(1, 100).Select(i => i * 10.0)];
        var law = new AnnealingLaw(1.9, 0.35, 0.5, 0.12, 0, AnnealingLaw.UsualDecay);
        var history = law.Along(schedule, steps).Select((loss, i) => new { Step = steps[i] + 5.5, Tokens = steps[i] * 64, Loss = loss });
        return TrainingCurves.Read(step, JsonSerializer.SerializeToElement(new { Schedule = schedule, History = history }, WireJson.Options));
    }
}
