using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.CptTrainer;
using Espalier.Evaluator;
using Espalier.Modeling.Runtime;
using Espalier.Pruner;
using Espalier.Quantizer;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.Surgery;
using Espalier.Surgery.Estimates;
using Espalier.Upcycler;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.RealSize;

/// <summary>The measured process: takes one order from standard input, does it as a worker would, and answers with one line.</summary>
public static class StageChild
{
    private const string StoreFolder = "store";
    private const string TextFolder = "text";

    /// <summary>Opens the store of a run.</summary>
    public static ArtifactStore OpenStore(string folder) => new(new FileBlobStore(Path.Combine(folder, StoreFolder), new FileBlobStoreOptions()));

    /// <summary>Does the order.</summary>
    /// <param name="input">Has the order.</param>
    /// <param name="output">Gets the answer.</param>
    /// <param name="say">Hears what is being done.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task RunAsync(TextReader input, TextWriter output, Action<string> say, CancellationToken cancellationToken)
    {
        TorchRuntime.Prepare(); // as every worker does
        var order = JsonSerializer.Deserialize<StageOrder>((await input.ReadLineAsync(cancellationToken).ConfigureAwait(false))!, WireJson.Options)!;
        var (store, services, start) = (OpenStore(order.Folder), Services(), Stopwatch.GetTimestamp());
        var answer = new StageAnswer();
        try
        {
            answer = answer with { EstimatedBytes = await EstimateAsync(order, store, services, cancellationToken).ConfigureAwait(false) };
            var result = await DoAsync(order, store, services, say, cancellationToken).ConfigureAwait(false);
            answer = answer with { Outputs = result.Outputs, Metrics = result.Metrics };
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            answer = answer with { Failure = FailureClassifier.Describe(e) };
        }
        answer = answer with { Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds, PeakBytes = PeakBytes() };
        await output.WriteLineAsync(JsonSerializer.Serialize(answer, WireJson.Options)).ConfigureAwait(false);
    }

    private static Task<StageResult> DoAsync(
        StageOrder order, ArtifactStore store, ServiceProvider services, Action<string> say, CancellationToken cancellationToken) => order.Kind switch
    {
        StageOrder.Make => MakeAsync(order, store, services, say, cancellationToken),
        StageOrder.Export => ExportAsync(order, store, cancellationToken),
        _ => RunStageAsync(order, store, services, say, cancellationToken),
    };

    private static async Task<StageResult> MakeAsync(
        StageOrder order, ArtifactStore store, ServiceProvider services, Action<string> say, CancellationToken cancellationToken)
    {
        var model = await RealSizeModel.WriteAsync(store, RealSizeModel.Config(order.Scale, order.Layers), say, cancellationToken).ConfigureAwait(false);
        var text = Path.Combine(order.Folder, TextFolder);
        MadeText.Write(text);
        var data = await RunStageAsync(
            order with { Kind = StageKinds.Dataset, Options = JsonSerializer.SerializeToElement(new { source = $"dir:{text}" }) },
            store, services, say, cancellationToken).ConfigureAwait(false);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef>(data.Outputs) { [OutputNames.Model] = model }, Metrics = new Dictionary<string, double>(),
        };
    }

    private static async Task<StageResult> ExportAsync(StageOrder order, ArtifactStore store, CancellationToken cancellationToken)
    {
        var directory = Path.Combine(order.Folder, $"{order.Inputs[0].Step}-exported");
        await HuggingFaceExporter.ExportAsync(store, order.Inputs[0].Artifact, directory, null, cancellationToken).ConfigureAwait(false);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = order.Inputs[0].Artifact }, Metrics = new Dictionary<string, double>(),
        };
    }

    private static Task<StageResult> RunStageAsync(
        StageOrder order, ArtifactStore store, ServiceProvider services, Action<string> say, CancellationToken cancellationToken) => new StageExecution
    {
        Stage = services.GetServices<IStage>().First(stage => stage.Kind == order.Kind),
        Step = new StepAddress(Guid.Empty, order.Kind, CanonicalJson.DigestOf(order)),
        Options = order.Options,
        Inputs = order.Inputs,
        Artifacts = store,
        Progress = new SaidProgress(say),
        CacheFolder = Path.Combine(order.Folder, "cache"),
        Engine = new TorchEngine(),
    }.RunAsync(cancellationToken);

    private static async Task<long?> EstimateAsync(StageOrder order, ArtifactStore store, ServiceProvider services, CancellationToken cancellationToken)
    {
        var estimates = new StageEstimates(services.GetServices<IStageEstimate>(), store);
        if (!estimates.Kinds.Contains(order.Kind))
            return null;
        var estimate = await estimates.EstimateAsync(new EstimateStep
        {
            Kind = order.Kind, Name = order.Kind, Options = order.Options,
            Inputs =
            [
                .. order.Inputs.Select(i => new EstimateStepInput(i.Output, i.Step, i.Artifact.Kind == ArtifactKind.Checkpoint ? i.Artifact.Root : null)),
            ],
        }, cancellationToken).ConfigureAwait(false);
        return estimate?.MemoryBytes;
    }

    private static ServiceProvider Services() => new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System)
        .AddCptTrainer().AddUpcycler().AddPruner().AddQuantizer().AddEvaluator().BuildServiceProvider();

    // "VmHWM:    10176060 kB"
    private static long PeakBytes() => 1024 * long.Parse(
        File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);

    private sealed class SaidProgress(Action<string> say) : IStageProgress
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
        private (string Phase, long Said) _last = ("", 0);

        public void Report(string phase, long done, long total, string unit)
        {
            if (phase == _last.Phase || (_last.Said != 0 && Stopwatch.GetElapsedTime(_last.Said) < Interval))
                return;
            say(phase);
            _last = (phase, Stopwatch.GetTimestamp());
        }

        public void Metric(string name, double value)
        {
        }

        public void Log(string message) => say(message);
    }
}
