using System.Diagnostics;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Cli.Hosting;
using Espalier.Cli.Progress;
using Espalier.Cli.Stores;
using Espalier.Contracts;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using Espalier.Stages;
using Espalier.Stages.Data;

namespace Espalier.Cli.SingleStage;

/// <summary>
/// Runs one stage in this process: the input goes into a temporary store beside the output, datasets come from the store of
/// the home, and the result is exported. Everything temporary is gone afterwards, however it ends.
/// </summary>
internal sealed class StageRunner(EspalierHome home, StageRequest request)
{
    private const string NoNumerics = "any"; // nothing is cached under this key, and asking would load the tensor engine

    /// <summary>Does it.</summary>
    public async Task<StageOutcome> RunAsync(IStepBoard board, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var work = Path.Combine(Path.GetDirectoryName(request.Output)!, $".{Path.GetFileName(request.Output)}.{Guid.NewGuid():n}.work");
        try
        {
            Directory.CreateDirectory(work);
            var store = OpenStore(work);
            var inputs = await ImportAsync(store, board, cancellationToken).ConfigureAwait(false);
            inputs.AddRange(await AddOptionsAsync(board, cancellationToken).ConfigureAwait(false));
            var progress = new BoardProgress(board, request.Stage.Kind, TimeProvider.System);
            var result = await RunStageAsync(request.Stage, store, request.Options.ToElement(), inputs, progress, cancellationToken).ConfigureAwait(false);
            progress.Report("writing", 0, 0, "");
            return new StageOutcome
            {
                Kind = request.Stage.Kind,
                Output = request.Output,
                Root = await StageExport.WriteAsync(store, result, request.Output, cancellationToken).ConfigureAwait(false),
                Metrics = result.Metrics,
                Measured = progress.Metrics,
                Changes = await CheckpointChanges.FindAsync(store, inputs, result, cancellationToken).ConfigureAwait(false),
                Report = await StageExport.ReadReportAsync(store, result, cancellationToken).ConfigureAwait(false),
                Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
            };
        }
        finally
        {
            if (Directory.Exists(work))
                Directory.Delete(work, recursive: true);
        }
    }

    private ArtifactStore OpenStore(string work)
    {
        var front = new FileBlobStore(work, new FileBlobStoreOptions { IsDurable = false });
        return request.Options.Artifacts.Count == 0 ? new ArtifactStore(front) : new ArtifactStore(new LayeredBlobStore(front, home.Create().OpenStore().Blobs));
    }

    private async Task<List<StepInput>> ImportAsync(ArtifactStore store, IStepBoard board, CancellationToken cancellationToken)
    {
        var inputs = new List<StepInput>();
        foreach (var folder in request.Inputs)
        {
            var model = await HuggingFaceImporter.ImportAsync(store, folder, new ImportOptions { Note = board.Say }, cancellationToken).ConfigureAwait(false);
            inputs.Add(new StepInput(NameOf(folder, inputs), OutputNames.Model, model));
        }
        return inputs;
    }

    /// <summary>One model is called <c>model</c>; several are called by their folders, since metrics carry the names.</summary>
    private string NameOf(string folder, List<StepInput> before)
    {
        if (request.Inputs.Count == 1)
            return OutputNames.Model;
        var name = string.Join('-', Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))).ToLowerInvariant().Split([' ', '.', '_', '-'], StringSplitOptions.RemoveEmptyEntries));
        return before.Any(i => i.Step == name) ? $"{name}-{before.Count + 1}" : name;
    }

    /// <summary>What the options name: datasets, made when the home does not have them yet, and registered models.</summary>
    private async Task<List<StepInput>> AddOptionsAsync(IStepBoard board, CancellationToken cancellationToken)
    {
        var inputs = new List<StepInput>();
        foreach (var option in request.Options.Artifacts)
        {
            var artifact = option.Kind == ValueKind.Dataset
                ? await DatasetAsync(option.Text, board, cancellationToken).ConfigureAwait(false)
                : (await RegisteredModels.LoadAsync(home, cancellationToken).ConfigureAwait(false)).Find(option.Text)
                    ?? throw new UserInputException($"'{option.Path}': the registry has no {option.Text}; see espalier models.");
            inputs.Add(new StepInput(option.Text, option.Path, artifact));
            option.Value.ReplaceWith($"{ArtifactForms.Input}{option.Path}");
        }
        return inputs;
    }

    private async Task<ManifestRef> DatasetAsync(string text, IStepBoard board, CancellationToken cancellationToken)
    {
        var stage = Hosting.Stages.Find(request.All, StageKinds.Dataset);
        var source = DatasetSource.Locate(text, request.BaseDirectory);
        var options = DatasetSource.OptionsOf(source, StageDefinition.For(stage.Kind, stage.OptionsType), DatasetBuilder.Fingerprint);
        var store = home.OpenStore();
        var key = KeyOf(stage, options, []);
        var commit = await store.FindStepAsync(key, cancellationToken).ConfigureAwait(false);
        if (commit is null || !await store.Blobs.ExistsAsync(commit.Outputs[OutputNames.Data].Root, cancellationToken).ConfigureAwait(false))
        {
            var result = await RunStageAsync(stage, store, options, [], new BoardProgress(board, source, TimeProvider.System), cancellationToken).ConfigureAwait(false);
            commit = await store.CommitStepAsync(key, new StepCommit { Outputs = result.Outputs, Metrics = result.Metrics }, cancellationToken).ConfigureAwait(false);
        }
        return commit.Outputs[OutputNames.Data];
    }

    private Task<StageResult> RunStageAsync(IStage stage, ArtifactStore store, JsonElement options, IReadOnlyList<StepInput> inputs, IStageProgress progress, CancellationToken cancellationToken)
    {
        var context = new StageContext
        {
            Step = new StepAddress(Guid.Empty, stage.Kind, KeyOf(stage, options, inputs)),
            Options = options,
            Inputs = inputs,
            Artifacts = store,
            Cursor = new NoCursor(),
            Progress = progress,
            Cache = Directory.CreateDirectory(home.CacheFolder),
        };
        // Stages compute for long stretches without awaiting; drawing must go on meanwhile.
        return Task.Run(() => stage.RunAsync(context, cancellationToken), CancellationToken.None);
    }

    private static Digest KeyOf(IStage stage, JsonElement options, IReadOnlyList<StepInput> inputs) =>
        StepKey.Compute(stage.Kind, StageVersion.Of(stage.GetType()), NoNumerics, options, inputs);

    /// <summary>A single stage starts from nothing and keeps no position.</summary>
    private sealed class NoCursor : IStageCursor
    {
        public Task<byte[]?> LoadAsync(CancellationToken cancellationToken) => Task.FromResult<byte[]?>(null);

        public Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
