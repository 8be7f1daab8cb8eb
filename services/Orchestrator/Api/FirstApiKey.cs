using Espalier.Hosting.Authentication;

namespace Espalier.Orchestrator.Api;

/// <summary>
/// At start: takes the administrator's key from the setting <c>orchestrator-api:key</c> (in the environment
/// <c>ESPALIER__ORCHESTRATOR_API__KEY</c>), or, when there is no key at all, makes one and writes it to the file
/// <c>orchestrator-api:key-file</c>, which only the owner can read. It is never logged.
/// </summary>
internal sealed class FirstApiKey(ApiKeys keys, IConfiguration configuration, ILogger<FirstApiKey> logger) : IHostedService
{
    /// <summary>Name of the administrator's key: what it does is recorded under this name.</summary>
    public const string Administrator = "administrator";

    private const int ShortestKey = 16;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (Setting("key") is { Length: > 0 } given)
        {
            if (given.Length < ShortestKey)
                throw new Contracts.UserInputException($"orchestrator-api:key has {given.Length} characters; at least {ShortestKey} are needed.");
            await keys.ReplaceAsync(given, Administrator, ApiRole.Admin, cancellationToken).ConfigureAwait(false);
            return;
        }
        if (await keys.AnyAsync(cancellationToken).ConfigureAwait(false))
            return;
        var path = Path.GetFullPath(Setting("key-file") ?? Setting("key_file") ?? "espalier.key");
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var key = await keys.CreateAsync(Administrator, ApiRole.Admin, cancellationToken).ConfigureAwait(false);
        var file = new StreamWriter(path, options);
        await using (file.ConfigureAwait(false))
            await file.WriteLineAsync(key.AsMemory(), cancellationToken).ConfigureAwait(false);
        OrchestratorLog.KeyWritten(logger, path);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private string? Setting(string name) => configuration[$"orchestrator-api:{name}"] ?? configuration[$"orchestrator_api:{name}"];
}
