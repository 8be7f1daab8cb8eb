using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Stages.Tests;

public sealed class StageExecutionTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-execution-");
    private readonly FakeEngine _engine = new();

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task RunAsync_Stage_GetsAPositionInTheStoreAndACacheFolder()
    {
        var stage = new FakeStage(async context =>
        {
            _engine.IsPrepared.ShouldBeTrue("the library reads its choices at the first tensor");
            context.Cache.Exists.ShouldBeTrue();
            await context.Cursor.SaveAsync("{}"u8.ToArray(), default);
            (await context.Cursor.LoadAsync(default)).ShouldBe("{}"u8.ToArray());
        });

        await Execution(stage).RunAsync(default);

        _engine.Releases.ShouldBe(1);
    }

    [Fact]
    public async Task RunAsync_ModelThatTheEngineRefuses_IsTheUsersError()
    {
        var stage = new FakeStage(_ => throw new FormatException("tensor 'x' is missing"));

        var error = await Should.ThrowAsync<UserInputException>(() => Execution(stage).RunAsync(default));

        error.Message.ShouldBe("tensor 'x' is missing");
        _engine.Releases.ShouldBe(1);
    }

    [Fact]
    public async Task RunAsync_AnyOtherFailure_GoesThroughAsItIs()
    {
        var stage = new FakeStage(_ => throw new IOException("disk"));

        await Should.ThrowAsync<IOException>(() => Execution(stage).RunAsync(default));

        _engine.Releases.ShouldBe(1);
    }

    private StageExecution Execution(IStage stage) => new()
    {
        Stage = stage,
        Step = new StepAddress(Guid.Empty, "step", Digest.Of("key"u8)),
        Options = JsonSerializer.SerializeToElement(new { }),
        Inputs = [],
        Artifacts = new ArtifactStore(new FileBlobStore(Path.Combine(_folder.FullName, "store"))),
        Progress = new NoProgress(),
        CacheFolder = Path.Combine(_folder.FullName, "cache"),
        Engine = _engine,
    };

    [Fact]
    public async Task RunAsync_StageThatMakesAModel_SaysWhatOtherLoadersCannotRun()
    {
        var stage = new FakeStage(_ => Task.CompletedTask)
        {
            Result = new StageResult
            {
                Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = new(ArtifactKind.Checkpoint, Digest.Of("model"u8), 1) },
                Notes = ["One layer was left out."],
            },
        };

        var result = await Execution(stage).RunAsync(default);

        result.Notes.ShouldBe(["One layer was left out.", "Other loaders ignore the bias."]);
    }

    private sealed class FakeStage(Func<StageContext, Task> run) : IStage
    {
        public string Kind => StageKinds.Train;

        public Type OptionsType => typeof(object);

        public StageTraits Traits => new();

        public StageResult Result { get; init; } = new() { Outputs = new Dictionary<string, ManifestRef>() };

        public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
        {
            await run(context);
            return Result;
        }
    }

    private sealed class FakeEngine : IStageEngine
    {
        public bool IsPrepared { get; private set; }

        public int Releases { get; private set; }

        public void Prepare(int? threads = null) => IsPrepared = true;

        public void ReleaseFreeMemory() => Releases++;

        public bool IsInputError(Exception error) => error is FormatException;

        public Task<IReadOnlyList<string>> NotesOnAsync(ArtifactStore store, ManifestRef model, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<string>>(["Other loaders ignore the bias."]);
    }

    private sealed class NoProgress : IStageProgress
    {
        public void Report(string phase, long done, long total, string unit)
        {
        }

        public void Metric(string name, double value)
        {
        }

        public void Log(string message)
        {
        }
    }
}
