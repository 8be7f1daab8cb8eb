using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Messaging;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>The program as a work process: stages and the store, but no bus and no HTTP.</summary>
internal static class StageWorkProcess
{
    /// <summary>First argument that makes a stage service a work process; only a worker passes it.</summary>
    public const string Verb = "work-process";

    /// <summary>Takes orders until standard input ends.</summary>
    public static async Task<int> RunAsync(string[] args, Action<IServiceCollection> stages)
    {
        using var channel = WorkChannel.Open();
        using var host = Build(args, stages);
        Telemetry.Start(host.Services);
        var runner = host.Services.GetRequiredService<InProcessStageRunner>();
        while (await channel.NextAssignmentAsync().ConfigureAwait(false) is { } assignment)
        {
            // Before the first tensor. A process gets no assignments that differ in this.
            host.Services.GetService<IStageEngine>()?.Prepare(NumericsClasses.ThreadsOf(assignment.NumericsClass ?? ""));
            await new WorkAttempt(assignment, runner, channel, host.Services.GetRequiredService<TimeProvider>()).RunAsync().ConfigureAwait(false);
        }
        return 0;
    }

    private static IHost Build(string[] args, Action<IServiceCollection> stages)
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.Configuration.AddEnvironmentVariables(ServiceHost.EnvironmentPrefix).AddCommandLine(args);
        builder.Logging.AddScrubbedJson(builder.Configuration);
        stages(builder.Services);
        builder.Services.AddTelemetry("work-process", builder.Configuration);
        builder.Services.AddArtifactStore(Settings.Read<StoreOptions>(builder.Configuration, StoreOptions.Section));
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(Settings.Read<StageWorkerOptions>(builder.Configuration, StageWorkerOptions.Section));
        builder.Services.AddSingleton<OfferedStages>().AddSingleton<InProcessStageRunner>();
        return builder.Build();
    }
}
