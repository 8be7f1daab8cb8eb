using System.Text.Json;

namespace Espalier.Contracts.Tests;

/// <summary>The largest message of each kind that is ever sent, with text of which every character takes two bytes or an escape.</summary>
public sealed class MessageLimitsTests
{
    private const string Worst = "ß\"";

    public static TheoryData<string, object> Largest()
    {
        var step = new StepAddress(Guid.Empty, Text(64), Digest.Of("key"u8));
        var manifest = new ManifestRef(ArtifactKind.TrainerState, Digest.Of("m"u8), long.MaxValue);
        return new()
        {
            { "submit", new SubmitRun { RunId = Guid.Empty, Pipeline = Text(MessageLimits.LongestPipeline), FileName = Text(200) } },
            {
                "assignment",
                new StepAssignment
                {
                    Step = step, Kind = "quantize", Fence = int.MaxValue, Lease = TimeSpan.FromSeconds(15), Device = "cuda",
                    Options = JsonSerializer.SerializeToElement(new { text = Text(2000) }),
                    Inputs = [.. Enumerable.Repeat(new StepInput(Text(64), "calibration.data", manifest), MessageLimits.MostInputs)],
                }
            },
            {
                "finished",
                new StepFinished
                {
                    Step = step, Fence = int.MaxValue, Worker = Text(80),
                    Outputs = Enumerable.Range(0, 8).ToDictionary(i => $"trainer-state-{i}", _ => manifest),
                    Metrics = Names(MessageLimits.MostEntries - 8),
                    Notes = [.. Enumerable.Repeat(Text(MessageLimits.MostNoteCharacters / MessageLimits.MostNotes), MessageLimits.MostNotes)],
                }
            },
            {
                "progress",
                new StepProgress
                {
                    Step = step, Fence = int.MaxValue, Phase = Text(200), Metrics = Names(MessageLimits.MostMetrics),
                    Log = [.. Enumerable.Repeat(Text(MessageLimits.LongestLine), MessageLimits.MostLogCharacters / MessageLimits.LongestLine)],
                    ExpertLoad = [.. Enumerable.Repeat<IReadOnlyList<int>>([51_200], MessageLimits.MostLoadCells)],
                }
            },
            {
                "failed",
                new StepFailed
                {
                    Step = step, Fence = 1, Worker = Text(80), Failure = FailureClass.Poison, Message = Text(MessageLimits.LongestText),
                }
            },
            { "rejected", new RunRejected([.. Enumerable.Repeat(new Problem(Text(100), int.MaxValue, int.MaxValue, Text(300)), MessageLimits.MostProblems)]) },
            { "step-state", new StepStateChanged(Guid.Empty, Text(64), StepState.Failed, int.MaxValue, Text(MessageLimits.LongestText)) },
            { "run-state", new RunStateChanged(Guid.Empty, Text(64), RunState.Failed, Text(MessageLimits.LongestText)) },
        };
    }

    [Theory]
    [MemberData(nameof(Largest))]
    public void Json_LargestOfItsKind_StaysBelowTheLimit(string kind, object message)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(message, message.GetType(), WireJson.Options).Length;

        bytes.ShouldBeLessThan(MessageLimits.MostBytes, kind);
    }

    [Fact]
    public void Cut_LongText_HasTheLongestLength() => MessageLimits.Cut(new string('x', 5000)).Length.ShouldBe(MessageLimits.LongestText);

    private static string Text(int length) => string.Concat(Enumerable.Repeat(Worst, length / 2 + 1))[..length];

    private static Dictionary<string, double> Names(int count) =>
        Enumerable.Range(0, count).ToDictionary(i => $"{new string('m', 64)}.multiple-choice.accuracy-{i}", i => i / 3.0);
}
