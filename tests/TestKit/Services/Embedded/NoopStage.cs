using System.Text;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Stages;

namespace Espalier.TestKit.Services.Embedded;

/// <summary>Options of the test stage.</summary>
public sealed record NoopOptions
{
    [Option("Text that its report contains.")]
    public string Text { get; init; } = "";

    [Option("How the stage behaves.", Choices = ["finish", "wait", "user-error", "transient-once", "cursor", "foreign-cancel"])]
    public string Behaviour { get; init; } = "finish";

    [Option("A model to read.", Kind = OptionKind.Model)]
    public string? From { get; init; }
}

/// <summary>A stage without work: its output is a report that holds its text and the roots of its inputs. Its options tell it how to misbehave.</summary>
public sealed class NoopStage(NoopHooks hooks) : IStage
{
    public string Kind => "noop";

    public Type OptionsType => typeof(NoopOptions);

    public StageTraits Traits { get; } = new() { Outputs = [OutputNames.Model] };

    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<NoopOptions>();
        var runs = hooks.Count(context.Step.Name);
        context.Progress.Report("working", 1, 2, "units");
        context.Progress.Metric("loss", 0.5);
        switch (options.Behaviour)
        {
            case "wait":
                await context.Cursor.SaveAsync("half"u8.ToArray(), cancellationToken);
                hooks.Started.TrySetResult();
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case "cursor" when await context.Cursor.LoadAsync(cancellationToken) is null:
                await context.Cursor.SaveAsync("half"u8.ToArray(), cancellationToken);
                hooks.Started.TrySetResult();
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case "user-error":
                throw new UserInputException("Set 'text' to something else.");
            case "transient-once" when runs == 1:
                throw new IOException("the disk blinked");
            case "foreign-cancel" when runs == 1:
                throw new TaskCanceledException("a timeout of somebody else's client");
        }
        var text = $"{options.Text}\n{string.Join('\n', context.Inputs.Select(i => i.Artifact.Root.Hex))}";
        var blob = await context.Artifacts.Blobs.PutAsync(Encoding.UTF8.GetBytes(text), cancellationToken);
        var model = await context.Artifacts.PublishAsync(new Manifest
        {
            Kind = ArtifactKind.Report,
            Files = [new FileEntry("report.txt", blob.Digest, blob.SizeBytes)],
        }, cancellationToken);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef> { ["model"] = model },
            Metrics = new Dictionary<string, double> { ["loss"] = 0.5 },
        };
    }
}

/// <summary>What tests see of the stage, and how they wait for it.</summary>
public sealed class NoopHooks
{
    private readonly Dictionary<string, int> _runs = [];

    public TaskCompletionSource Started { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Count(string step)
    {
        lock (_runs)
            return _runs[step] = _runs.GetValueOrDefault(step) + 1;
    }

    public int RunsOf(string step)
    {
        lock (_runs)
            return _runs.GetValueOrDefault(step);
    }
}
