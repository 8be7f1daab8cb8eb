using System.CommandLine;
using Espalier.Cli.Terminals;
using Espalier.Messaging.Broker;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier queues</c>: the broker's queues, and what no service could handle.</summary>
internal static class QueuesCommand
{
    public static Command Create(Terminal terminal)
    {
        var command = new Command(
            "queues",
            "Handle the broker's queues: messages that no service could handle wait in queues that end with _error or _skipped, hints that "
                + "were delivered too often in dead-letters.\n\n  espalier queues list\n  espalier queues show orchestrator_error\n"
                    + "  espalier queues replay orchestrator_error")
        {
            List(terminal), Show(terminal), Replay(terminal),
        };
        return command;
    }

    private static Command List(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("list", "Every queue with its depth and its consumers.") { json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var queues = await client.Api.ListQueuesAsync(cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Queues = queues });
            else
            {
                terminal.WriteTable(
                    ["queue", "waiting", "consumers"], queues.Select(q => new[] { q.Name, $"{q.Ready}", $"{q.Consumers}" }), "The broker has no queues.");
            }
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Show(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var queue = Queue();
        var limit = new Option<int>("--limit") { Description = "Messages to show.", DefaultValueFactory = _ => 20 };
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("show", "The oldest messages of a queue, with the reason why each is there. They stay.") { queue, limit, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var messages = await client.Api.ListMessagesAsync(parsed.GetRequiredValue(queue), parsed.GetValue(limit), cancellationToken)
                .ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Messages = messages });
            foreach (var message in parsed.GetValue(json) ? [] : messages)
                terminal.Output.WriteLine($"{message.MessageType}\n  {message.Reason}\n  {message.Body}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Replay(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var queue = Queue();
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command("replay", "Send the messages of a queue to their original destination again, once the cause is fixed.") { queue, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var replayed = await client.Api.ReplayQueueAsync(parsed.GetRequiredValue(queue), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(replayed);
            else
                terminal.Output.WriteLine($"{replayed.Messages} message(s) sent again");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Argument<string> Queue() => new("QUEUE") { Description = "Such as orchestrator_error, work-train-cpu_skipped or dead-letters." };
}
