using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Stages;

/// <summary>One run of a stage in this process, whoever asks for it: a worker, the command line, a verification.</summary>
public sealed class StageExecution
{
    /// <summary>The stage.</summary>
    public required IStage Stage { get; init; }

    /// <summary>Which step of which run.</summary>
    public required StepAddress Step { get; init; }

    /// <summary>Options: valid against the schema, units resolved, defaults filled in.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>Artifacts handed to the step.</summary>
    public required IReadOnlyList<StepInput> Inputs { get; init; }

    /// <summary>Where artifacts are read and published.</summary>
    public required ArtifactStore Artifacts { get; init; }

    /// <summary>Where progress and metrics go.</summary>
    public required IStageProgress Progress { get; init; }

    /// <summary>Folder for derived data; created when it is missing.</summary>
    public required string CacheFolder { get; init; }

    /// <summary>Where the position is kept; null for the store, under the step key.</summary>
    public IStageCursor? Cursor { get; init; }

    /// <summary>Device class: <c>cpu</c> or <c>cuda</c>.</summary>
    /// <value>cpu</value>
    public string Device { get; init; } = DeviceNames.Cpu;

    /// <summary>The device class that the step asked for and that its worker only pretends to have; null where it has it.</summary>
    public string? PretendedDevice { get; init; }

    /// <summary>As <see cref="StageContext.MemoryDivisor"/>.</summary>
    /// <value>1</value>
    public int MemoryDivisor { get; init; } = 1;

    /// <summary>As <see cref="StageContext.MemoryBytes"/>.</summary>
    /// <value>0</value>
    public long MemoryBytes { get; init; }

    /// <summary>As <see cref="StageContext.KeyWith"/>.</summary>
    public Func<JsonElement, Digest>? KeyWith { get; init; }

    /// <summary>The library that the stage computes with, or null.</summary>
    public IStageEngine? Engine { get; init; }

    /// <summary>Runs the stage on a thread of its own: stages compute for long stretches without awaiting, and the caller's loop must go on.</summary>
    /// <exception cref="UserInputException">The input is wrong.</exception>
    public async Task<StageResult> RunAsync(CancellationToken cancellationToken)
    {
        var context = new StageContext
        {
            Step = Step,
            Options = Options,
            Inputs = Inputs,
            Artifacts = Artifacts,
            Cursor = Cursor ?? new BlobCursor(Artifacts.Blobs, Step.Key),
            Progress = Progress,
            Cache = Directory.CreateDirectory(CacheFolder),
            Device = Device,
            MemoryDivisor = MemoryDivisor,
            MemoryBytes = MemoryBytes,
            KeyWith = KeyWith,
        };
        Engine?.Prepare();
        try
        {
            var result = await Task.Run(() => Stage.RunAsync(context, cancellationToken), CancellationToken.None).ConfigureAwait(false);
            return await AddNotesAsync(result, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Engine?.IsInputError(e) == true)
        {
            throw new UserInputException(e.Message, e);
        }
        finally
        {
            Engine?.ReleaseFreeMemory();
        }
    }

    // Whatever stage made a model: the result says what other loaders cannot run.
    private async Task<StageResult> AddNotesAsync(StageResult result, CancellationToken cancellationToken)
    {
        var notes = Engine is not null && result.Outputs.TryGetValue(OutputNames.Model, out var model)
            ? await Engine.NotesOnAsync(Artifacts, model, cancellationToken).ConfigureAwait(false) : [];
        if (PretendedDevice is not null && Stage.Traits.DependsOnNumerics)
            notes = [.. notes, $"It was computed on the CPU: the worker only pretends to have '{PretendedDevice}', for a test."];
        result = result with { Notes = [.. result.Notes.Concat(notes).Distinct()] };
        foreach (var note in result.Notes)
            Progress.Log(StepProgress.NotePrefix + note);
        return result;
    }
}
