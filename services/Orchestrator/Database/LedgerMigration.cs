using Espalier.Messaging;

namespace Espalier.Orchestrator.Database;

/// <summary>Migrates before anything else starts; or alone, as a job that runs before the service is rolled out.</summary>
internal sealed class LedgerMigration(LedgerDatabase database) : IHostedLifecycleService
{
    /// <summary>First argument that makes the service migrate and end.</summary>
    public const string Verb = "migrate";

    /// <summary>The job.</summary>
    /// <exception cref="Contracts.UserInputException">A setting is wrong.</exception>
    public static Func<CancellationToken, Task> Plan(IConfiguration configuration)
    {
        var options = Settings.Read<OrchestratorOptions>(configuration, OrchestratorOptions.Section);
        options.Validate();
        return async cancellationToken =>
        {
            var database = LedgerDatabase.Open(options, TimeProvider.System);
            await using (database.ConfigureAwait(false))
                await database.MigrateAsync(cancellationToken).ConfigureAwait(false);
        };
    }

    public Task StartingAsync(CancellationToken cancellationToken) => database.MigrateAsync(cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
