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
using Espalier.Surgery;
using Espalier.Surgery.Checkpoints;
using Espalier.Datasets;
using Espalier.Stages.Worker;

namespace Espalier.Cli.SingleStage;

/// <summary>
/// Runs one stage in this process. The input is read where it lies, datasets come from the store of the home, the result is
/// exported. Until then everything is in a work folder, from which the same command goes on after a kill.
/// </summary>
internal sealed class StageRunner(EspalierHome home, StageRequest request)
{
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;
    private static readonly TorchEngine Engine = new();
    private readonly List<string> _importNotes = [];
    private readonly string _version = StageVersion.Of(request.Stage.GetType());

    /// <summary>Runs the stage and exports what it made.</summary>
    public async Task<StageOutcome> RunAsync(IStepBoard board, CancellationToken cancellationToken)
    {
        using var work = WorkFolder.Open(home.Create(), request, _version);
        using var references = new ReferencedBlobStore(work.Store);
        Digest? key = null;
        try
        {
            var started = Stopwatch.GetTimestamp();
            var store = OpenStore(references);
            var inputs = await ReferenceAsync(references, board, cancellationToken).ConfigureAwait(false);
            inputs.AddRange(await AddOptionsAsync(references, board, cancellationToken).ConfigureAwait(false));
            var options = request.Options.ToElement();
            key = request.Stage.CodeOn(() => Engine.Value).KeyOf(options, inputs).ToDigest();
            var progress = new BoardProgress(board, request.Stage.Kind, TimeProvider.System);
            var result = await FindAsync(work, store, key.Value, board, cancellationToken).ConfigureAwait(false)
                ?? await new StageExecution
                {
                    Stage = request.Stage,
                    Step = new StepAddress(Guid.Empty, request.Stage.Kind, key.Value),
                    Options = options,
                    Inputs = inputs,
                    Artifacts = store,
                    Cursor = new WorkCursor(work.Store, key.Value),
                    Progress = progress,
                    CacheFolder = home.CacheFolder,
                    Engine = Engine,
                }.RunAsync(cancellationToken).ConfigureAwait(false);
            var commit = new StepCommit { Outputs = result.Outputs, Metrics = result.Metrics, Notes = result.Notes };
            await store.CommitStepAsync(key.Value, commit, CancellationToken.None).ConfigureAwait(false);
            references.CheckUnchanged();
            progress.Report("writing", 0, 0, "");
            var outcome = new StageOutcome
            {
                Kind = request.Stage.Kind,
                Output = request.Output,
                Root = await ExportAsync(store, result, work.Name, cancellationToken).ConfigureAwait(false),
                Metrics = result.Metrics,
                Notes = [.. _importNotes, .. result.Notes],
                Measured = progress.Metrics,
                Changes = await CheckpointChanges.FindAsync(store, inputs, result, cancellationToken).ConfigureAwait(false),
                Report = await StageExport.ReadReportAsync(store, result, cancellationToken).ConfigureAwait(false),
                Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
            };
            work.Delete();
            return outcome;
        }
        catch (Exception exception)
        {
            var mayGoOn = exception is not UserInputException;
            if (mayGoOn && key is { } stepKey && await work.HasPositionAsync(stepKey).ConfigureAwait(false))
                board.Say("What is done so far is kept: the same command goes on from there.");
            else
                work.Delete();
            throw;
        }
    }

    private async Task<Digest> ExportAsync(ArtifactStore store, StageResult result, string attempt, CancellationToken cancellationToken)
    {
        try
        {
            return await StageExport.WriteAsync(store, result, request.Output, attempt, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e) when (e.HResult is NoSpace or QuotaExceeded)
        {
            throw new IOException(
                $"No space is left for {request.Output}; nothing was written there. Free some space, or choose an --output on a larger disk.", e);
        }
    }

    private ArtifactStore OpenStore(ReferencedBlobStore references) =>
        new(request.Options.Artifacts.Count == 0 ? references : new LayeredBlobStore(references, home.OpenStore().Blobs));

    /// <summary>The result of a killed command that was about to write it; otherwise says whether there is a position to go on from.</summary>
    private static async Task<StageResult?> FindAsync(WorkFolder work, ArtifactStore store, Digest key, IStepBoard board, CancellationToken cancellationToken)
    {
        if (!await work.HasPositionAsync(key).ConfigureAwait(false))
            return null;
        await work.VerifyAsync(cancellationToken).ConfigureAwait(false);
        board.Say("Going on from where the same command was stopped.");
        return await store.FindIntactStepAsync(key, cancellationToken).ConfigureAwait(false) is { } done
            ? new StageResult { Outputs = done.Outputs, Metrics = done.Metrics, Notes = done.Notes }
            : null;
    }

    private async Task<List<StepInput>> ReferenceAsync(ReferencedBlobStore references, IStepBoard board, CancellationToken cancellationToken)
    {
        var inputs = new List<StepInput>();
        foreach (var folder in request.Inputs)
        {
            var model = await ReferenceAsync(references, folder, board, cancellationToken).ConfigureAwait(false);
            inputs.Add(new StepInput(NameOf(folder, inputs), OutputNames.Model, model));
        }
        return inputs;
    }

    private async Task<ManifestRef> ReferenceAsync(ReferencedBlobStore references, string folder, IStepBoard board, CancellationToken cancellationToken)
    {
        var import = new ImportOptions { Note = Note, Check = ModelCheck.Of(folder) };
        return await HuggingFaceImporter.ReferenceAsync(references, folder, import, cancellationToken).ConfigureAwait(false);

        void Note(string note)
        {
            board.Say(note);
            _importNotes.Add(note);
        }
    }

    /// <summary>One model is called <c>model</c>; several are called by their folders, since metrics carry the names.</summary>
    private string NameOf(string folder, List<StepInput> before)
    {
        if (request.Inputs.Count == 1)
            return OutputNames.Model;
        var last = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))).ToLowerInvariant();
        var name = string.Join('-', last.Split([' ', '.', '_', '-'], StringSplitOptions.RemoveEmptyEntries));
        return before.Any(i => i.Step == name) ? $"{name}-{before.Count + 1}" : name;
    }

    /// <summary>What the options name: datasets, made when the home does not have them yet, registered models, and folders with models.</summary>
    private async Task<List<StepInput>> AddOptionsAsync(ReferencedBlobStore references, IStepBoard board, CancellationToken cancellationToken)
    {
        var inputs = new List<StepInput>();
        foreach (var option in request.Options.Artifacts)
        {
            var artifact = option.Kind == ValueKind.Dataset
                ? await DatasetAsync(option, board, cancellationToken).ConfigureAwait(false)
                : await ModelAsync(references, option, board, cancellationToken).ConfigureAwait(false);
            inputs.Add(new StepInput(option.Text, option.Path, artifact));
            option.Value.ReplaceWith($"{ArtifactForms.Input}{option.Path}");
        }
        return inputs;
    }

    private async Task<ManifestRef> ModelAsync(
        ReferencedBlobStore references, ArtifactOption option, IStepBoard board, CancellationToken cancellationToken)
    {
        if (option.Text.StartsWith(ArtifactForms.RegisteredModel, StringComparison.Ordinal))
        {
            return (await RegisteredModels.LoadAsync(home, cancellationToken).ConfigureAwait(false)).Find(option.Text).Model
                ?? throw new UserInputException($"'{option.Path}': the registry has no {option.Text}; see espalier models.");
        }
        var folder = Path.Combine(request.BaseDirectory, option.Text);
        return Directory.Exists(folder)
            ? await ReferenceAsync(references, folder, board, cancellationToken).ConfigureAwait(false)
            : throw new UserInputException($"'{option.Path}': there is no folder {option.Text}; name one that holds config.json, or model:NAME@ALIAS.");
    }

    private async Task<ManifestRef> DatasetAsync(ArtifactOption option, IStepBoard board, CancellationToken cancellationToken)
    {
        var registered = await RegisteredModels.LoadAsync(home, cancellationToken).ConfigureAwait(false);
        if (option.Sources is null && option.Text.StartsWith(ArtifactForms.RegisteredDataset, StringComparison.Ordinal))
        {
            return registered.Find(option.Text).Model
                ?? throw new UserInputException($"'{option.Path}': the registry has no {option.Text}; see espalier datasets.");
        }
        var stage = Hosting.Stages.Find(request.All, StageKinds.Dataset);
        var options = DatasetSource.OptionsOf(option, request.BaseDirectory, stage.Definition(), new PlanningContext
        {
            Stages = [],
            FindRegistered = registered.Find,
            Fingerprint = source => DatasetBuilder.Fingerprint(source, cancellationToken),
            Examine = source => DatasetBuilder.Examine(
                new TextSource(source.From) { Field = source.Field, Name = source.Name }, cancellationToken),
        });
        var store = home.OpenStore();
        var key = stage.CodeOn(() => Engine.Value).KeyOf(options, []).ToDigest();
        var commit = await store.FindStepAsync(key, cancellationToken).ConfigureAwait(false);
        if (commit is null || !await store.Blobs.ExistsAsync(commit.Outputs[OutputNames.Data].Root, cancellationToken).ConfigureAwait(false))
        {
            var result = await new StageExecution
            {
                Stage = stage,
                Step = new StepAddress(Guid.Empty, stage.Kind, key),
                Options = options,
                Inputs = [],
                Artifacts = store,
                Progress = new BoardProgress(board, option.Text, TimeProvider.System),
                CacheFolder = home.CacheFolder,
                Engine = Engine,
            }.RunAsync(cancellationToken).ConfigureAwait(false);
            var made = new StepCommit { Outputs = result.Outputs, Metrics = result.Metrics };
            commit = await store.CommitStepAsync(key, made, cancellationToken).ConfigureAwait(false);
        }
        return commit.Outputs[OutputNames.Data];
    }
}
