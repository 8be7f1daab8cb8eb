using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Reference;

namespace Espalier.Pipelines.Tests;

public sealed class ReferenceBookTests
{
    private static readonly IReadOnlyList<ReferencePage> Pages = ReferenceBook.Pages(SampleStages.All);

    [Theory]
    [InlineData("pipeline", "A pipeline is one YAML file")]
    [InlineData("matrix", "A step for every combination")]
    [InlineData("retry", "An attempt that fails for a passing reason")]
    [InlineData("timeout", "An attempt that takes longer than")]
    [InlineData("priority", "the highest `priority` gets the next free")]
    [InlineData("device", "asks for a worker with a GPU")]
    [InlineData("expressions", "comparisons, `and or not`")]
    [InlineData("units", "`GiB` by 1024")]
    [InlineData("triggers", "acts once the pipeline is *added*")]
    [InlineData("MATRIX", "A step for every combination")]
    public void Find_PartOfTheLanguage_IsExplained(string topic, string text) =>
        ReferenceBook.Find(Pages, topic).Markdown.ReplaceLineEndings(" ").ShouldContain(text);

    [Fact]
    public void Topics_AreEachOfOnePage_AndEveryPageSaysWhatItIsAbout()
    {
        Pages.SelectMany(p => p.Topics).GroupBy(t => t, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1).Select(g => g.Key).ShouldBeEmpty();
        foreach (var page in Pages.Where(p => SampleStages.All.All(s => s.Kind != p.Topic)))
            page.Summary.Length.ShouldBeGreaterThan(10, page.Topic);
        Pages.ShouldAllBe(p => p.Markdown.StartsWith($"# {p.Title}\n", StringComparison.Ordinal));
    }

    [Fact]
    public void Page_OfAStage_HasEveryOptionWithItsDefaultAndLimits_AndThoseOfMethodsApart()
    {
        var page = ReferenceBook.Find(Pages, "prune").Markdown;

        page.ShouldContain("| `ratio` | a number, between 0 and 0.9 | `0.25` | Share removed. |");
        page.ShouldContain("| `method` | `heapr`, `random` | `random` | How experts are ranked. |");
        page.ShouldContain("| `calibration.samples` | a whole number, at least 1 | `64` | Samples. |");
        page.ShouldContain("## With `method: heapr`");
        page.IndexOf("`damping`", StringComparison.Ordinal).ShouldBeGreaterThan(page.IndexOf("## With `method: heapr`", StringComparison.Ordinal));
        ReferenceBook.Find(Pages, "train").Markdown.ShouldContain("| `tokens` | a count such as 5M, 128k or 4096, at least 1 | required |");
    }

    [Fact]
    public void Page_OfAStage_SaysWhichWordANumberMayBe_WhatMayBeOne_AndWhichOutputNeedsAnOption()
    {
        var page = ReferenceBook.Pages([StageDefinition.For(StageKinds.Train, typeof(ChoosyOptions), SampleStages.TrainWithAverage)])[^1].Markdown;

        page.ShouldContain("| `size` | a whole number, at least 1, or `auto` | required |");
        page.ShouldContain("| `groups` | one, or a list: `routers`, `experts` |");
        page.ShouldContain("`ema` is made with the option `from` only.");
    }

    [Fact]
    public void Page_OfAStageThatSaysWhatItReports_HasTheMetrics()
    {
        var stage = StageDefinition.For(StageKinds.Evaluate, typeof(EvaluateOptions), SampleStages.Evaluate with
        {
            Summary = "Measures models.",
            Metrics = [new("{model}.bytes"), .. StageMetric.Named(["{model}.loss"], ("tasks", ["validation-loss"]), ("baseline", []))],
        });

        var page = ReferenceBook.Pages([stage])[^1];

        (page.Title, page.Summary).ShouldBe(("evaluate", "Measures models."));
        page.Markdown.ShouldContain("| `MODEL.bytes` | always, where it applies |");
        page.Markdown.ShouldContain("| `MODEL.loss` | with `tasks`: validation-loss and `baseline` |");
    }

    [Fact]
    public void Find_Unknown_OffersTheNearest() =>
        Should.Throw<UserInputException>(() => ReferenceBook.Find(Pages, "matrx")).Message.ShouldBe("There is no topic 'matrx': did you mean 'matrix'?");
}
