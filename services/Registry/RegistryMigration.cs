using Espalier.Messaging;

namespace Espalier.Registry;

/// <summary>Migrates when the service starts; or alone, as a job that runs before the service is rolled out.</summary>
internal sealed class RegistryMigration(RegistryDatabase database) : IHostedService
{
    /// <summary>First argument that makes the service migrate and end.</summary>
    public const string Verb = "migrate";

    /// <summary>The job.</summary>
    /// <exception cref="Contracts.UserInputException">A setting is wrong.</exception>
    public static Func<CancellationToken, Task> Plan(IConfiguration configuration)
    {
        var options = Settings.Read<RegistryOptions>(configuration, RegistryOptions.Section);
        return async cancellationToken =>
        {
            var database = new RegistryDatabase(options);
            await using (database.ConfigureAwait(false))
                await database.MigrateAsync(cancellationToken).ConfigureAwait(false);
        };
    }

    public Task StartAsync(CancellationToken cancellationToken) => database.MigrateAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
