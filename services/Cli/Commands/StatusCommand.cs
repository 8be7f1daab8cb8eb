using System.CommandLine;
using System.Globalization;
using Espalier.Cli.Client;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier status</c>: processes, queues, workers, leases, runs.</summary>
internal static class StatusCommand
{
    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command("status", "Show every process of the platform and whether it is ready, the broker's queues, workers, leases and runs.") { json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var context = server.Choose(parsed);
            // Processes of this machine belong to the platform of this home only.
            var state = context.IsLocal || context.IsOfHome ? new PlatformControl(EspalierHome.OfThisProcess(), terminal.Say).Read() : null;
            var processes = await Task.WhenAll((state?.Processes ?? []).Select(p => AskAsync(p, cancellationToken))).ConfigureAwait(false);
            var (platform, problem) = await AskAsync(context, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                terminal.WriteJsonLine(new
                {
                    Processes = processes,
                    Supervisor = state is null ? null : new { state.Supervisor.Pid, Ready = state.Supervisor.IsAlive },
                    context.Orchestrator, context.Registry, Portal = context.Registry, Context = context.Name, Problem = problem,
                    platform?.BrokerAnswers, platform?.BrokerAlarm, platform?.Store, platform?.Queues,
                    platform?.Workers, platform?.Leases, platform?.Steps, platform?.Runs, platform?.OutboxDepth,
                });
            }
            else
            {
                if (context.Registry is { } portal)
                    terminal.Output.WriteLine($"portal  {portal}");
                Draw(terminal, state, processes, platform, problem);
            }
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>A process in <c>--json</c>.</summary>
    private sealed record ProcessLine(string Name, string Kind, int? Pid, bool Ready, int Restarts, string Log);

    private static async Task<ProcessLine> AskAsync(ProcessState process, CancellationToken cancellationToken)
    {
        var isAlive = process.Process is { IsAlive: true };
        return new ProcessLine(
            process.Name, process.Kind, isAlive ? process.Process!.Pid : null,
            isAlive && await Probes.IsReadyAsync(process.Probe, cancellationToken).ConfigureAwait(false), process.Restarts, process.Log);
    }

    private static async Task<(PlatformStatus?, string?)> AskAsync(CommandContext context, CancellationToken cancellationToken)
    {
        try
        {
            if (context.IsLocal)
                return (null, "The context is 'local': no platform is selected. espalier up starts one here.");
            using var client = new PlatformClient(context);
            return (await client.Api.FindStatusAsync(cancellationToken).ConfigureAwait(false), null);
        }
        catch (PlatformUnreachableException e)
        {
            return (null, e.Message);
        }
    }

    private static void Draw(Terminal terminal, PlatformState? state, IReadOnlyList<ProcessLine> processes, PlatformStatus? platform, string? problem)
    {
        if (problem is not null)
            terminal.Output.WriteLine(problem);
        if (state is { Supervisor.IsAlive: false })
            terminal.Output.WriteLine("The supervisor is gone, so nothing is restarted: espalier down, then espalier up.");
        if (processes.Count > 0)
            terminal.Write(
                Fill(
                    ["process", "kind", "pid", "ready", "restarts"],
                    processes.Select(p => new[] { p.Name, p.Kind, $"{p.Pid}", p.Ready ? "yes" : "no", $"{p.Restarts}" })));
        if (platform is null)
            return;
        if (!platform.BrokerAnswers)
            terminal.Output.WriteLine("The broker does not answer.");
        if (platform.BrokerAlarm.Length > 0)
            terminal.Output.WriteLine($"The broker takes no messages: {platform.BrokerAlarm}. Make room on its machine; it then continues by itself.");
        if (platform.Store is { Answers: false } store)
            terminal.Output.WriteLine(store.Problem);
        if (platform.Queues.Count > 0)
            terminal.Write(Fill(["queue", "waiting", "consumers"], platform.Queues.Select(q => new[] { q.Name, $"{q.Ready}", $"{q.Consumers}" })));
        if (platform.Workers.Count > 0)
            terminal.Write(
                Fill(
                    ["worker", "device", "slots", "free", "memory", "seen"],
                    platform.Workers.SelectMany(DeviceRows)));
        if (platform.Leases.Count > 0)
            terminal.Write(
                Fill(
                    ["run", "step", "attempt", "worker", "lease until", "done"],
                    platform.Leases.Select(
                        l => new[] { $"{l.RunId:N}"[..12], l.Step, $"{l.Attempt}", l.Worker, $"{l.Until:HH:mm:ss}", $"{l.Done} of {l.Total}" })));
        var runs = string.Join(", ", platform.Runs.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Value} {r.Key}"));
        terminal.Output.WriteLine($"runs: {(runs.Length == 0 ? "none" : runs)}; messages not yet sent: {platform.OutboxDepth}");
        foreach (var queue in platform.Queues.Where(q => Messaging.Broker.BrokerQueues.IsStranded(q.Name) && q.Ready > 0))
            terminal.Output.WriteLine($"{queue.Name} holds {queue.Ready} message(s) that no service could handle: espalier queues show {queue.Name}");
    }

    // One line for each device class; platforms that are too old to list them have one.
    private static IEnumerable<string[]> DeviceRows(WorkerView worker) => worker.Classes.Count == 0
        ? [[worker.Name, worker.Device, $"{worker.Slots}", $"{worker.Free}", "", $"{worker.Seen:HH:mm:ss}"]]
        : worker.Classes.Select(offered => new[]
        {
            worker.Name,
            $"{(offered.Count > 1 ? $"{offered.Count} x " : "")}{offered.Name}{(offered.IsPretended ? " (pretended)" : "")}",
            $"{offered.Slots}", $"{offered.Slots - offered.Held}",
            offered.MemoryBytes is { } bytes ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB") : "",
            $"{worker.Seen:HH:mm:ss}",
        });

    private static Table Fill(string[] columns, IEnumerable<string[]> rows)
    {
        var table = new Table().RoundedBorder().AddColumns(columns);
        foreach (var row in rows)
            table.AddRow([.. row.Select(Markup.Escape)]);
        return table;
    }
}
