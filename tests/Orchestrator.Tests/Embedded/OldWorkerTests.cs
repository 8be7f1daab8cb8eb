using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Stages.Worker;
using Espalier.Stages;
using Espalier.TestKit.Services.Embedded;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>A worker that is older than the orchestrator which feeds it.</summary>
public sealed class OldWorkerTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("old-worker-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Assignment_OfAStageThatItDoesNotKnow_IsRefusedInWords()
    {
        var newer = new NewerOrchestrator();
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        LogContext.ConfigureCurrentLogContext();
        builder.Services.AddSingleton(newer).AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<INumericsClass, Numerics>();
        builder.Services.AddSingleton(new ArtifactStore(new FileBlobStore(_folder.FullName)));
        builder.Services.AddEspalierBus(new MessagingOptions(), bus =>
            bus.AddConsumer<NewerOrchestratorConsumer>().Endpoint(e => e.Name = EndpointNames.Orchestrator));
        builder.Services.AddStageWorker(new StageWorkerOptions { Name = "old", CacheFolder = _folder.FullName });
        using var host = builder.Build();

        await host.StartAsync();
        var failed = await newer.Failed.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await host.StopAsync();

        failed.Failure.ShouldBe(FailureClass.Transient, "another worker may know it");
        failed.Message.ShouldBe("Worker old does not know the stage 'distil', only noop: it is older than what was sent to it. Update it.");
    }

    private sealed class NewerOrchestrator
    {
        private int _claims;

        public TaskCompletionSource<StepFailed> Failed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsFirstClaim => Interlocked.Increment(ref _claims) == 1;
    }

    private sealed class NewerOrchestratorConsumer(NewerOrchestrator newer) : IConsumer<ClaimStep>, IConsumer<StepFailed>, IConsumer<StepHeartbeat>
    {
        public Task Consume(ConsumeContext<ClaimStep> context) => newer.IsFirstClaim
            ? context.RespondAsync(new StepAssignment
            {
                Step = new StepAddress(Guid.NewGuid(), "new", Digest.Of("new"u8)),
                Kind = "distil",
                Fence = 1,
                Lease = TimeSpan.FromSeconds(15),
                Options = JsonSerializer.SerializeToElement(new { }),
                Inputs = [],
                Device = "cpu",
            })
            : context.RespondAsync(new NoStep());

        public async Task Consume(ConsumeContext<StepFailed> context)
        {
            await context.RespondAsync(new StepReportAnswer(true));
            newer.Failed.TrySetResult(context.Message);
        }

        public Task Consume(ConsumeContext<StepHeartbeat> context) => context.RespondAsync(new HeartbeatAnswer { Verdict = LeaseVerdict.Continue });
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
