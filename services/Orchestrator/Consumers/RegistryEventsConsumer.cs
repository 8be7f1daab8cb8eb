using System.Globalization;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Triggers;
using MassTransit;

namespace Espalier.Orchestrator.Consumers;

/// <summary>Writes what happens in the registry into the ledger, each event once, however often it is delivered.</summary>
internal sealed class RegistryEventsConsumer(LedgerDatabase database, Wakeups wakeups) :
    IConsumer<ModelRegistered>, IConsumer<AliasMoved>, IConsumer<GateDecided>
{
    public Task Consume(ConsumeContext<ModelRegistered> context)
    {
        var message = context.Message;
        var version = message.Version.ToString(CultureInfo.InvariantCulture);
        return KeepAsync(context, new HappenedEvent
        {
            Key = KeyOf(message.EventId, $"{message.Model}/{version}/{message.Root.Hex}"),
            Kind = EventKinds.ModelRegistered,
            Fields = new { model = message.Model, version = message.Version, root = message.Root.Hex, run = RunOf(message.RunId) },
            Run = message.RunId,
        });
    }

    public Task Consume(ConsumeContext<AliasMoved> context)
    {
        var message = context.Message;
        return KeepAsync(context, new HappenedEvent
        {
            Key = KeyOf(message.EventId, context.MessageId?.ToString("n") ?? ""),
            Kind = EventKinds.AliasMoved,
            Fields = new Dictionary<string, object>
            {
                ["model"] = message.Model, ["alias"] = message.Alias, ["version"] = message.Version,
                ["previous-version"] = message.PreviousVersion ?? 0, ["actor"] = message.Actor, ["reason"] = message.Reason,
                ["run"] = RunOf(message.RunId),
            },
            Run = message.RunId,
        });
    }

    public Task Consume(ConsumeContext<GateDecided> context)
    {
        var message = context.Message;
        return KeepAsync(context, new HappenedEvent
        {
            Key = KeyOf(message.EventId, context.MessageId?.ToString("n") ?? ""),
            Kind = EventKinds.GateDecided,
            Fields = new
            {
                model = message.Model, alias = message.Alias, version = message.Version, allowed = message.Allowed, rule = message.Rule,
                failed = string.Join("; ", message.Failed), approvals = message.Approvals, actor = message.Actor, run = RunOf(message.RunId),
            },
            Run = message.RunId,
        });
    }

    private async Task KeepAsync(ConsumeContext context, HappenedEvent happened)
    {
        await database.WriteAsync(transaction => transaction.AddEventAsync(happened), context.CancellationToken).ConfigureAwait(false);
        wakeups.Triggers.Set();
    }

    /// <summary>The identity that the registry gave the event; registries that are too old for that have one made of what it says.</summary>
    private static string KeyOf(Guid? id, string content) => $"registry/{id?.ToString("n") ?? content}";

    private static string RunOf(Guid? run) => run is { } id && id != Guid.Empty ? id.ToString() : "";
}
