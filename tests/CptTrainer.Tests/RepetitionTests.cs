using Espalier.CptTrainer.Training;

namespace Espalier.CptTrainer.Tests;

public sealed class RepetitionTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.5, 0.5)]
    [InlineData(1, 1)]
    [InlineData(4, 3.7256)]
    [InlineData(45, 15.5155)]
    public void Worth_OfReadings_IsThatOfThePaper(double readings, double expected) => Repetition.Worth(readings).ShouldBe(expected, 1e-3);

    [Fact]
    public void WarningsOf_FourReadings_IsNothing() =>
        Repetition.WarningsOf(new Dictionary<string, double> { ["a"] = 4, ["b"] = 0.1 }).ShouldBeEmpty();

    [Theory]
    [InlineData(1024, false)]
    [InlineData(20_000, true)]
    public async Task Run_TextThatIsReadOften_WarnsBeforeItTrains(int tokens, bool warns)
    {
        var data = await _bench.AddRepetitiveDatasetAsync(); // 40 documents of 60 bytes and an end: 2,440 tokens
        var progress = new TrainingProgress();

        await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":{{tokens}},"length":128,"batch":8}"""), null, progress));

        progress.Lines.Count(line => line.StartsWith("Warning: The text of 'words' is read 8.")).ShouldBe(warns ? 1 : 0, string.Join('\n', progress.Lines));
    }
}
