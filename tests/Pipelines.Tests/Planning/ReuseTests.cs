using System.Text;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

/// <summary>Saying things once: anchors, merge keys, parameters that are maps, defaults of a stage kind.</summary>
public sealed class ReuseTests
{
    [Fact]
    public void Plan_AnchorsAndMergeKeys_AreWhatWritingItOutWouldBe()
    {
        var plan = Plan("""
            name: a
            x-training: &training { data: corpus:x, tokens: 5M, seed: 3 }
            x-slow: &slow { learning-rate: 1e-4, seed: 9 }
            stages:
              one: { uses: train, with: *training }
              two: { uses: train, with: { <<: *training, tokens: 7M } }
              three: { uses: train, with: { <<: [*training, *slow] } }
            """);

        Options(plan, "one").ShouldBe((5_000_000, 3, 3e-4));
        Options(plan, "two").ShouldBe((7_000_000, 3, 3e-4));
        Options(plan, "three").ShouldBe((5_000_000, 3, 1e-4), "the map that comes first wins");
        KeyInputs(plan, "two").ShouldBe(KeyInputs(
            Plan("name: a\nstages:\n  two: { uses: train, with: { data: corpus:x, tokens: 7M, seed: 3 } }"), "two"));
    }

    [Fact]
    public void Plan_MergeKeyOverAStep_TakesItsBody()
    {
        var plan = Plan("""
            name: a
            stages:
              one: &one { uses: train, priority: 7, with: { data: corpus:x, tokens: 1M } }
              two: { <<: *one, priority: 3 }
            """);

        plan.Steps.Single(s => s.Name == "two").Priority.ShouldBe(3);
        KeyInputs(plan, "two").ShouldBe(KeyInputs(plan, "one"));
    }

    [Fact]
    public void Plan_ParameterThatIsAMap_MergesIntoOptions()
    {
        const string yaml = """
            name: a
            params: { recipe: { data: corpus:x, tokens: 5M, seed: 3 } }
            stages:
              one: { uses: train, with: { <<: "${recipe}", seed: 4 } }
            """;

        Options(Plan(yaml), "one").ShouldBe((5_000_000, 4, 3e-4));
        Options(Plan(yaml.Replace("<<: \"${recipe}\"", "<<: [{ tokens: 1M }, \"${recipe}\"]", StringComparison.Ordinal)), "one")
            .ShouldBe((1_000_000, 4, 3e-4));
        Options(Plan(yaml, ("recipe", "{ data: corpus:x, tokens: 2M }")), "one").ShouldBe((2_000_000, 4, 3e-4));
    }

    [Fact]
    public void Plan_Defaults_StandBelowWhatTheStepSays()
    {
        var plan = Plan("""
            name: a
            params: { seed: 5 }
            defaults:
              train: { data: corpus:x, tokens: 1M, seed: "${seed}" }
              prune: { damping: 0.5, calibration: { data: corpus:x, samples: 10 } }
            stages:
              base: { uses: train }
              more: { uses: train, with: { tokens: 2M } }
              hard: { uses: prune, needs: base, with: { method: heapr, calibration: { samples: 20 } } }
              soft: { uses: prune, needs: base }
            """);

        Options(plan, "base").ShouldBe((1_000_000, 5, 3e-4));
        Options(plan, "more").ShouldBe((2_000_000, 5, 3e-4));
        var hard = plan.Steps.Single(s => s.Name == "hard").Options;
        (hard.GetProperty("damping").GetDouble(), hard.GetProperty("calibration").GetProperty("samples").GetInt32()).ShouldBe((0.5, 20));
        hard.GetProperty("calibration").GetProperty("data").GetString().ShouldBe("input:calibration.data");
        var soft = plan.Steps.Single(s => s.Name == "soft").Options;
        soft.TryGetProperty("damping", out _).ShouldBeFalse("'random' has no damping, so that default is not for it");
        soft.GetProperty("calibration").GetProperty("samples").GetInt32().ShouldBe(10);
    }

    [Fact]
    public void Plan_Descriptions_AreKept_AndChangeNoOptions()
    {
        var plan = Plan("name: a\ndescription: Grows it.\nstages:\n  one: { uses: train, description: First., with: { data: corpus:x, tokens: 1M } }");

        (plan.Description, plan.Steps.Single(s => s.Name == "one").Description).ShouldBe(("Grows it.", "First."));
        plan.Steps.Single(s => s.Name == "one").Options.ToString().ShouldNotContain("First.");
    }

    /// <summary>Nine lines that would be a thousand million values.</summary>
    [Fact]
    public void Plan_AnchorsThatMultiply_AreRefusedAtOnce()
    {
        var yaml = new StringBuilder("name: a\nx-0: &l0 [a, a, a, a, a, a, a, a, a, a]\n");
        for (var i = 1; i < 9; i++)
            yaml.AppendLine($"x-{i}: &l{i} [{string.Join(", ", Enumerable.Repeat($"*l{i - 1}", 10))}]");

        Refusal(yaml.ToString()).ShouldContain("more than 100000 values once anchors are repeated");
    }

    [Fact]
    public void Plan_AnchorsThatNest_AreRefusedAtTheSameDepthAsWrittenOut()
    {
        var yaml = new StringBuilder("name: a\nx-0: &l0 [[[[[[a]]]]]]\n");
        for (var i = 1; i < 6; i++)
            yaml.AppendLine($"x-{i}: &l{i} [[[[[[*l{i - 1}]]]]]]");

        Refusal(yaml.ToString()).ShouldContain("nest deeper than 32 levels");
    }

    [Theory]
    [InlineData("5s")]
    [InlineData("1h30m")]
    [InlineData("2d1m250ms")]
    [InlineData("0s")]
    public void WriteDuration_OfWhatWasRead_IsTheSameText(string text)
    {
        Units.ReadDuration(text, out var length).ShouldBeNull();

        Units.WriteDuration(length).ShouldBe(text);
    }

    private static (long Tokens, int Seed, double Rate) Options(PipelinePlan plan, string step)
    {
        var options = plan.Steps.Single(s => s.Name == step).Options;
        return (options.GetProperty("tokens").GetInt64(), options.GetProperty("seed").GetInt32(), options.GetProperty("learning-rate").GetDouble());
    }

    private static string KeyInputs(PipelinePlan plan, string step) => plan.Steps.Single(s => s.Name == step).Options.GetRawText();

    private static string Refusal(string yaml) => Should.Throw<UserInputException>(() => Plan(yaml + "stages: { b: { uses: prune } }")).Message;

    private static PipelinePlan Plan(string yaml, params (string Name, string Value)[] parameters) => PipelinePlanner.Plan(
        yaml, "p.yaml", parameters.ToDictionary(p => p.Name, p => p.Value), new PlanningContext { Stages = SampleStages.All, BaseDirectory = "/base" });
}
