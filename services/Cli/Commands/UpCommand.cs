using System.CommandLine;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier up</c>: the whole platform on this machine, every service a process.</summary>
internal static class UpCommand
{
    public static Command Create(Terminal terminal)
    {
        var workers = new Option<string[]>("--workers")
        {
            Description = "KIND=N processes for a stage kind or service; may be repeated. One each by default.",
            AllowMultipleArgumentsPerToken = false,
        };
        var store = new Option<string>("--store")
        {
            Description = "Where blobs are kept unless ESPALIER__STORE__LOCATION says so: azurite or file.",
            DefaultValueFactory = _ => WantedPlatform.AzuriteStore,
        };
        store.AcceptOnlyFromAmong(WantedPlatform.AzuriteStore, WantedPlatform.FileStore);
        var background = new Option<bool>("--background")
        {
            Description = "Return when everything is ready and leave it running in the background. This is the default.",
        };
        var foreground = new Option<bool>("--foreground") { Description = "Stay in the foreground; Ctrl-C stops everything." };
        var seconds = new Option<int>("--timeout") { Description = "Longest time that the start may take, in seconds.", DefaultValueFactory = _ => 300 };
        var json = SharedOptions.Json();
        var command = new Command(
            "up",
            """
            Start RabbitMQ, PostgreSQL and Azurite (installed when missing) and every service as a process, and wait until all
            are ready. Servers that run elsewhere are named by settings and not started: ESPALIER__MESSAGING__BROKER,
            ESPALIER__ORCHESTRATOR__CONNECTION with ESPALIER__REGISTRY__DATABASE, ESPALIER__STORE__LOCATION.
            A process that ends is started again. Data, logs and credentials are under $ESPALIER_HOME/platform. From then on
            commands work on the platform (context 'platform'), until espalier down or espalier context use local.

              espalier up
              espalier up --workers train=2 --json
            """) { workers, store, background, foreground, seconds, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            if (parsed.GetValue(seconds) < 1)
                throw new UserInputException($"--timeout {parsed.GetValue(seconds)}: expected seconds, at least 1.");
            if (parsed.GetValue(background) && parsed.GetValue(foreground))
                throw new UserInputException("--background and --foreground exclude each other.");
            var wanted = new WantedPlatform
            {
                Workers = WorkerCounts.Read(parsed.GetValue(workers) ?? []),
                Store = parsed.GetRequiredValue(store),
                DataFolders =
                [
                    Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), Environment.CurrentDirectory, Path.GetFullPath(Path.GetTempPath()),
                ],
            };
            var control = new PlatformControl(home, terminal.Say);
            var state = await control.UpAsync(
                wanted, [DotNet, typeof(UpCommand).Assembly.Location, SuperviseCommand.Name], TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                cancellationToken).ConfigureAwait(false);
            SavedContexts.Select(home, CommandContext.PlatformName);
            Print(terminal, state, parsed.GetValue(json));
            if (parsed.GetValue(foreground))
            {
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await control.DownAsync(CancellationToken.None).ConfigureAwait(false);
                DownCommand.ReturnToLocal(home);
            }
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The supervisor runs on the same runtime as this process.</summary>
    private static string DotNet => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    private static void Print(Terminal terminal, PlatformState state, bool isJson)
    {
        if (isJson)
            terminal.WriteJsonLine(new { state.Orchestrator, state.Registry, Portal = state.Registry, state.Key, Context = CommandContext.PlatformName });
        else
            terminal.Output.WriteLine($"""
                portal        {state.Registry}
                orchestrator  {state.Orchestrator}
                key           {state.Key}

                Commands work on this platform now; espalier context use local goes back to the files of this home.
                espalier submit FILE · watch RUN · status · logs · down
                """);
    }
}
