using System.Text.Json;
using Espalier.Contracts;
using Espalier.Datasets.Building;

namespace Espalier.Datasets.Tests;

public sealed class ContaminationTests : IDisposable
{
    private const string Question = "Which of the four rivers of the old kingdom reaches the sea first and carries the most water in spring";

    private readonly DataWorkspace _workspace = new();
    private readonly string _training;

    public ContaminationTests()
    {
        var lines = Enumerable.Range(0, 300).Select(i => $"Line {i} says that {i * 7919 % 104729} is a number and not a question about rivers.").ToList();
        foreach (var i in (int[])[20, 120, 220])
            lines[i] += " " + Question.ToUpperInvariant().Replace(" ", " - ", StringComparison.Ordinal) + i;
        lines[60] += " " + string.Join(' ', Question.Split(' ').Take(Contamination.Words - 1));
        _training = "jsonl:" + _workspace.Write("train.jsonl", string.Concat(lines.Select(text => JsonSerializer.Serialize(new { text }) + "\n")));
    }

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_TrainingTextWithEvaluationItems_IsCountedOrLeftOut()
    {
        var reported = await BuildAsync(ContaminationAction.Report);
        var dropped = await BuildAsync(ContaminationAction.Drop);

        reported.Contaminated.ShouldBe(dropped.Contaminated);
        reported.Contaminated.ShouldBeInRange(1, 3, "those of the three that are training text; twelve words are no run of thirteen");
        (await TrainingAsync(reported)).Count(IsTold).ShouldBe(reported.Contaminated);
        (await TrainingAsync(dropped)).ShouldNotContain(text => IsTold(text));
        (await TrainingAsync(reported)).Except(await TrainingAsync(dropped)).Count().ShouldBe(reported.Contaminated);
        _workspace.Progress.Lines.ShouldContain(line => line.Contains("share 13 words in a row with evaluation items", StringComparison.Ordinal));
    }

    [Fact]
    public async Task BuildAsync_TrainingTextWithEvaluationItems_IsRefusedWhereAskedFor() =>
        (await Should.ThrowAsync<UserInputException>(() => BuildAsync(ContaminationAction.Fail))).Message.ShouldContain("set 'contamination' to 'drop'");

    private static bool IsTold(string text) => text.Contains("CARRIES - THE - MOST", StringComparison.Ordinal);

    private async Task<DatasetBuild> BuildAsync(ContaminationAction action)
    {
        var against = await _workspace.BuildAsync("file:" + _workspace.Write("bench.txt", $"{Question}?\fAnother question, of few words?\fA third one?"));
        return await _workspace.BuildAsync(new DatasetRequest { Sources = [new TextSource(_training)], Contamination = action, Against = against });
    }

    private async Task<List<string>> TrainingAsync(DatasetBuild built)
    {
        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        return [.. (await dataset.DocumentsAsync(DatasetSplits.Train)).Select(d => d.Text)];
    }
}
