using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.CptTrainer.Training.Teams;
using Espalier.Stages;
using Espalier.Stages.Worker;

namespace Espalier.CptTrainer.Tests.Teams;

/// <summary>Members of a team over one store, as workers would run them.</summary>
public sealed class TeamBench : IDisposable
{
    private static readonly TeamPace Pace = new(TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(5));

    public TrainingBench Training { get; } = new();

    public static JsonObject Options(int workers, string more = "{}")
    {
        var options = TrainingBench.Options(more);
        options["workers"] = workers;
        options["synchronise-steps"] ??= 4;
        return options;
    }

    /// <summary>The context of a member, from 1: keys follow from options as they do in a worker.</summary>
    public StageContext Member(ManifestRef data, JsonObject options, int member = 1, IStageProgress? progress = null, params StepInput[] inputs)
    {
        if (member > 1)
        {
            options = options.DeepClone().AsObject();
            options["member"] = member;
        }
        var plain = Training.Context(data, options, null, progress, inputs);
        return new StageContext
        {
            Step = plain.Step with { Key = KeyOf(plain.Options) },
            Options = plain.Options,
            Inputs = plain.Inputs,
            Artifacts = plain.Artifacts,
            Cursor = new BlobCursor(plain.Artifacts.Blobs, KeyOf(plain.Options)),
            Progress = plain.Progress,
            Cache = plain.Cache,
            KeyWith = KeyOf,
        };
    }

    public static Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken = default) =>
        Task.Run(() => new TrainStage(TimeProvider.System, Pace).RunAsync(context, cancellationToken), CancellationToken.None);

    /// <summary>What a worker does when a step is done: the rounds are no longer needed.</summary>
    public Task EndAsync(StageContext first) => new BlobCursor(Training.Store.Blobs, first.Step.Key).ClearAsync(default);

    /// <summary>Runs the first member alone, to the end.</summary>
    public async Task<StageResult> AloneAsync(ManifestRef data, JsonObject options, params StepInput[] inputs)
    {
        var first = Member(data, options, inputs: inputs);
        var result = await RunAsync(first);
        await EndAsync(first);
        return result;
    }

    public async Task<List<string>> RecordsAsync(StageContext first)
    {
        var records = new List<string>();
        await foreach (var record in Training.Store.Blobs.ListRecordsAsync($"cursors/{first.Step.Key.Hex}", default))
            records.Add(record);
        return records;
    }

    public void Dispose() => Training.Dispose();

    private static Digest KeyOf(JsonElement options) => Digest.Of(CanonicalJson.Serialize(options));
}
