using System.CommandLine;
using Espalier.Cli.Terminals;
using Espalier.Orchestrator.Triggers;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier trigger</c>: what starts pipelines by itself, and what became of every event.</summary>
internal static class TriggerCommand
{

    public static Command Create(Terminal terminal) =>
        new(
            "trigger",
            "See, switch and try what starts pipelines by itself. NAME is a pipeline's name, a dot and the event, and a further dot and the name "
                + "that the trigger has where there are several of its event; a pipeline's name alone will do when it has one trigger.\n\n"
                + "  espalier trigger list\n  espalier trigger test nightly --last 200\n  espalier trigger disable nightly.schedule\n"
                + "  espalier trigger events --json")
        {
            List(terminal), Show(terminal), Switch(terminal, isOn: true, "Switch a trigger on; a trigger that paused itself resumes."),
            Switch(terminal, isOn: false, "Switch a trigger off; events in the meantime start nothing, not even later."), Test(terminal), Events(terminal),
        };

    private static Command List(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command(
                "list",
                "Every trigger: name, state, when its schedule comes next. The state is on, off, paused (by itself, after failures), stopped "
                    + "(its owner may not start runs) or error (what it watches cannot be read).") { json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var triggers = await client.Api.ListTriggersAsync(cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Triggers = triggers });
            else
            {
                terminal.WriteTable(["trigger", "state", "next", "why"], triggers.Select(t =>
                {
                    var (state, next, why) = StateOf(t);
                    return new[] { t.Name, state, next, why };
                }), "No triggers yet: espalier pipelines add FILE, with a file that has 'on:'.");
            }
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Show(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var (name, last, json) = (Name(), Last(20), SharedOptions.Json());
        var command = server.AddTo(new Command("show", "A trigger, and what the last events led to.") { name, last, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var trigger = await client.Api.FindTriggerAsync(parsed.GetRequiredValue(name), parsed.GetValue(last), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                terminal.WriteJsonLine(trigger);
                return ExitCodes.Done;
            }
            terminal.Output.WriteLine(LineOf(trigger));
            terminal.Output.WriteLine($"  runs as {trigger.Owner}  {trigger.Settings.GetRawText()}");
            foreach (var firing in trigger.Firings ?? [])
                terminal.Output.WriteLine($"  {firing.At:yyyy-MM-dd HH:mm:ss}  {TextOf(firing)}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Switch(Terminal terminal, bool isOn, string description)
    {
        var server = new ServerOptions(terminal);
        var (name, json) = (Name(), SharedOptions.Json());
        var command = server.AddTo(new Command(isOn ? "enable" : "disable", description) { name, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var wanted = parsed.GetRequiredValue(name);
            var trigger = await (isOn ? client.Api.EnableTriggerAsync(wanted, cancellationToken) : client.Api.DisableTriggerAsync(wanted, cancellationToken))
                .ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(trigger);
            else
                terminal.Output.WriteLine(LineOf(trigger));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Test(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var (name, last, json) = (Name(), Last(200), SharedOptions.Json());
        var command = server.AddTo(
            new Command("test", "Replay the last events against a trigger: what would have run, with which parameters. Nothing is started.")
            {
                name, last, json,
            });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var replay = await client.Api.ReplayTriggerAsync(parsed.GetRequiredValue(name), parsed.GetValue(last), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                terminal.WriteJsonLine(replay);
                return ExitCodes.Done;
            }
            foreach (var item in replay.Items)
                terminal.Output.WriteLine($"{item.At:yyyy-MM-dd HH:mm:ss}  #{item.Event,-6} {OutcomeOf(item)}");
            terminal.Say($"{replay.Items.Count(i => i.State == FiringState.Started)} of {replay.Items.Count} events would start a run.");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Events(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var (last, json) = (Last(50), SharedOptions.Json());
        var kind = new Option<string?>("--kind") { Description = "Only events of this kind, such as model.registered." };
        var command = server.AddTo(new Command("events", "The last events, newest first, and what they led to.") { last, kind, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var events = await client.Api.ListEventsAsync(parsed.GetValue(kind), parsed.GetValue(last), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Events = events });
            foreach (var item in parsed.GetValue(json) ? [] : events)
            {
                terminal.Output.WriteLine($"{item.At:yyyy-MM-dd HH:mm:ss}  #{item.Id,-6} {item.Kind}  {item.Fields.GetRawText()}");
                foreach (var firing in item.Firings)
                    terminal.Output.WriteLine($"    {firing.Trigger}: {TextOf(firing)}");
            }
            return ExitCodes.Done;
        });
        return command;
    }

    private static Argument<string> Name() => new("NAME") { Description = "Name of the trigger, or of a pipeline that has one trigger." };

    private static Option<int> Last(int usual) => new("--last") { Description = "How many events.", DefaultValueFactory = _ => usual };

    private static string LineOf(TriggerView trigger)
    {
        var (state, next, why) = StateOf(trigger);
        return $"{trigger.Name}  {state}{(next.Length > 0 ? $"  next {next}" : "")}{(why.Length > 0 ? $"  {why}" : "")}";
    }

    private static (string State, string Next, string Why) StateOf(TriggerView trigger)
    {
        var (state, why) = trigger switch
        {
            { Enabled: false } => ("off", trigger.Paused.Length > 0 ? trigger.Paused : trigger.Stopped),
            { Paused.Length: > 0 } => ("paused", trigger.Paused),
            { Stopped.Length: > 0 } => ("stopped", trigger.Stopped),
            { Trouble.Length: > 0 } => ("error", $"since {trigger.TroubleSince:yyyy-MM-dd HH:mm} UTC: {trigger.Trouble}"),
            _ => ("on", ""),
        };
        return (state, trigger.Next is { } time ? $"{time:yyyy-MM-dd HH:mm} UTC" : "", why);
    }

    private static string TextOf(FiringView firing)
    {
        var reason = firing.Wait?.Text ?? firing.Reason;
        var run = firing.Label ?? firing.Run?.ToString() ?? "";
        return $"#{firing.Event} {Terminal.Word(firing.State)} {run}".TrimEnd() + (reason.Length > 0 ? $": {reason}" : "");
    }

    private static string OutcomeOf(ReplayedEvent item) => item.State == FiringState.Started
        ? $"would run  {string.Join(' ', item.Parameters.Select(p => $"{p.Key}={p.Value}"))}".TrimEnd()
        : $"{Terminal.Word(item.State)}: {item.Reason}";
}
