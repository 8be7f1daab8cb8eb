using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Cli.Hosting;
using Espalier.Cli.Progress;
using Espalier.Cli.Stores;
using Espalier.Contracts;
using Espalier.Pipelines.Keys;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.Surgery;

namespace Espalier.Cli.Verification;

/// <summary>What came out when a step was done again.</summary>
internal sealed record RerunOutcome
{
    /// <summary>Name of the step in its run.</summary>
    public required string Step { get; init; }

    /// <summary>Stage kind.</summary>
    public required string Stage { get; init; }

    /// <summary>Root that was registered.</summary>
    public required Digest Registered { get; init; }

    /// <summary>Root that came out now.</summary>
    public required Digest Derived { get; init; }

    /// <summary>Whether the roots are equal.</summary>
    public bool Equal => Registered == Derived;

    /// <summary>Tensors compared.</summary>
    public required int Tensors { get; init; }

    /// <summary>Names of the tensors that differ, at most <see cref="MostNamed"/> of them.</summary>
    public required IReadOnlyList<string> Different { get; init; }

    /// <summary>How many differ, are missing or are new.</summary>
    public required int Differences { get; init; }

    /// <summary>What was not the same as then: code, numerics.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Names that are listed.</summary>
    public const int MostNamed = 20;
}

/// <summary>
/// An executable receipt: does the surgical step that made a checkpoint again, from its parents and the options in its receipt,
/// in a store of its own, and compares what comes out tensor by tensor.
/// </summary>
internal sealed class StepRerun(EspalierHome home, IReadOnlyList<IStage> stages)
{
    private static readonly TorchEngine Engine = new();
    private static readonly string[] Surgical = [StageKinds.Upcycle, StageKinds.Merge, StageKinds.Prune, StageKinds.Quantize];

    /// <exception cref="UserInputException">The checkpoint was not made by a surgical step, or its receipt or parents are gone.</exception>
    public async Task<RerunOutcome> RunAsync(ArtifactStore store, Digest root, IStepBoard board, CancellationToken cancellationToken)
    {
        var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        var key = manifest.Parents.Select(p => p.StepKey).FirstOrDefault(k => k is not null)
            ?? throw new UserInputException($"{root.Short} was imported: there is no step to do again.");
        var receipt = await StepReceipt.FindAsync(store, key, cancellationToken).ConfigureAwait(false)
            ?? throw new UserInputException($"The receipt of the step that made {root.Short} is gone: nobody knows its options.");
        var then = receipt.Key
            ?? throw new UserInputException($"The receipt of step '{receipt.Step}' was written by an old version, which did not keep the options.");
        if (!Surgical.Contains(then.Kind))
            throw new UserInputException(
                $"{root.Short} was made by a {then.Kind} step. Only surgical steps ({string.Join(", ", Surgical)}) are done again here; "
                    + "espalier run --fresh does whole pipelines again.");
        var stage = Hosting.Stages.Find(stages, then.Kind);
        var scratch = Directory.CreateTempSubdirectory("espalier-verify-");
        try
        {
            var front = new FileBlobStore(scratch.FullName, new FileBlobStoreOptions { IsDurable = false });
            var layered = new ArtifactStore(new LayeredBlobStore(front, store.Blobs));
            var result = await DoAsync(stage, receipt, then, key, layered, board, cancellationToken).ConfigureAwait(false);
            var derived = result.Outputs[OutputNames.Model].Root;
            var differences = derived == root ? [] : await CompareAsync(layered, root, derived, cancellationToken).ConfigureAwait(false);
            return new RerunOutcome
            {
                Step = receipt.Step, Stage = then.Kind, Registered = root, Derived = derived, Tensors = manifest.Tensors.Count,
                Different = [.. differences.Take(RerunOutcome.MostNamed)], Differences = differences.Count, Notes = [.. NotesOn(then, stage)],
            };
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }

    private async Task<StageResult> DoAsync(
        IStage stage, StepReceipt receipt, StepKey then, Digest key, ArtifactStore store, IStepBoard board, CancellationToken cancellationToken)
    {
        var inputs = new List<StepInput>();
        foreach (var input in then.Inputs)
        {
            var parent = await ReadInputAsync(store, input, cancellationToken).ConfigureAwait(false);
            inputs.Add(new StepInput(input.Step, input.As, parent));
        }
        return await new StageExecution
        {
            Stage = stage,
            Step = new StepAddress(Guid.Empty, receipt.Step, key),
            Options = then.Options,
            Inputs = inputs,
            Artifacts = store,
            Cursor = new NoPosition(),
            Progress = new BoardProgress(board, receipt.Step, TimeProvider.System),
            CacheFolder = home.CacheFolder,
            MemoryDivisor = receipt.MemoryDivisor,
            Engine = Engine,
        }.RunAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<ManifestRef> ReadInputAsync(ArtifactStore store, StepKeyInput input, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await store.ReadAsync(input.Root, cancellationToken).ConfigureAwait(false);
            return new ManifestRef(manifest.Kind, input.Root, manifest.SizeBytes);
        }
        catch (MissingBlobException e)
        {
            throw new UserInputException($"The step cannot be done again: its input {input.Root.Short} ({input.As}) is no longer stored.", e);
        }
    }

    private static IEnumerable<string> NotesOn(StepKey then, IStage stage)
    {
        if (StageVersion.Of(stage.GetType()) is var version && version != then.StageVersion)
            yield return $"the code is another one: {then.StageVersion} then, {version} now";
        if (Engine.Value is var numerics && numerics != then.NumericsClass)
            yield return $"the numerics are others: {then.NumericsClass} then, {numerics} now";
    }

    /// <summary>Names of tensors and files that are not byte for byte the same on both sides.</summary>
    private static async Task<IReadOnlyList<string>> CompareAsync(ArtifactStore store, Digest registered, Digest derived, CancellationToken cancellationToken)
    {
        var a = await CheckpointReader.OpenAsync(store, registered, cancellationToken).ConfigureAwait(false);
        var b = await CheckpointReader.OpenAsync(store, derived, cancellationToken).ConfigureAwait(false);
        var tensors = a.Names.Union(b.Names).Order(StringComparer.Ordinal).Where(name => !IsEqual(a, b, name));
        var files = a.Manifest.Files.Concat(b.Manifest.Files).Select(f => f.Path).Distinct().Where(path => BlobOf(a, path) != BlobOf(b, path));
        return [.. tensors, .. files];

        static Digest? BlobOf(CheckpointReader side, string path) => side.Manifest.Files.FirstOrDefault(f => f.Path == path)?.Blob;
    }

    private static bool IsEqual(CheckpointReader a, CheckpointReader b, string name)
    {
        if (a.Find(name) is not { } left || b.Find(name) is not { } right || left.DType != right.DType || !left.Shape.SequenceEqual(right.Shape))
            return false;
        return left.Blob == right.Blob && left.Offset == right.Offset || a.ReadAll(name).AsSpan().SequenceEqual(b.ReadAll(name));
    }

    private sealed class NoPosition : IStageCursor
    {
        public Task<byte[]?> LoadAsync(CancellationToken cancellationToken) => Task.FromResult<byte[]?>(null);

        public Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
