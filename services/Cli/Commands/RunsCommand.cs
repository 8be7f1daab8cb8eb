using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier runs</c>: what ran here, or the steps of one run and why those that do not run are waiting.</summary>
internal static class RunsCommand
{
    /// <summary>Number of runs that are listed at most.</summary>
    public const int Most = 1000;

    // The first twelve are the millisecond in which it was submitted.
    private const int ShownDigits = 16;

    private const string Help =
        """
        List runs of the context, newest first.

          espalier runs
          espalier runs --state failed --limit 20
          espalier runs --pipeline tiny --order "duration desc"
          espalier runs tiny#12
        """;

    public static Command Create(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var server = new ServerOptions(terminal);
        var run = new Argument<string?>("RUN")
        {
            Description = RunIds.Help + " Shows its steps, and why those that do not run are waiting.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var state = new Option<RunState?>("--state") { Description = "Only runs in this state." };
        state.AcceptOnlyFromAmong([.. Enum.GetValues<RunState>().Select(Terminal.Word)]);
        var name = new Option<string?>("--pipeline", "--name") { Description = "Only runs of the pipeline of this name." };
        var limit = new Option<int>("--limit") { Description = $"Number of runs, 1 to {Most}.", DefaultValueFactory = _ => Most };
        var after = new Option<Guid?>("--after", "--before") { Description = "Only runs behind this one, the last of the list before." };
        var order = new Option<RunOrder>("--order")
        {
            Description = $"What they are ordered by: {RunOrder.Expected}.",
            DefaultValueFactory = _ => RunOrder.Newest,
            CustomParser = result =>
            {
                var text = string.Join(' ', result.Tokens.Select(t => t.Value));
                if (!RunOrder.TryParse(text, out var parsed))
                    result.AddError($"--order '{text}': expected {RunOrder.Expected}.");
                return parsed;
            },
        };
        var archived = new Option<bool>("--archived") { Description = "Runs that were archived some time after their end, instead of the others." };
        var command = server.AddTo(new Command("runs", Help) { run, state, name, order, limit, after, archived, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(limit) is < 1 or > Most)
                throw new UserInputException($"--limit {parsed.GetValue(limit)}: expected a number of runs, 1 to {Most}.");
            using var client = server.Find(parsed);
            if (parsed.GetValue(run) is { } text)
            {
                Show(terminal, await FindAsync(client, text, cancellationToken).ConfigureAwait(false), parsed.GetValue(json));
                return ExitCodes.Done;
            }
            var query = new RunQuery
            {
                Limit = parsed.GetValue(limit), Before = parsed.GetValue(after), State = parsed.GetValue(state),
                Name = parsed.GetValue(name), IsArchived = parsed.GetValue(archived), Order = parsed.GetValue(order),
            };
            var runs = client is not null
                ? await client.ListAsync(query, cancellationToken).ConfigureAwait(false)
                : await HomeRuns.ReadAsync<IReadOnlyList<RunView>>(
                    async runs => await runs.ListAsync(query, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false) ?? [];
            if (parsed.GetValue(json))
            {
                terminal.WriteJson(
                    new { Runs = runs.Select(r => new { r.RunId, r.Label, r.Name, r.FileName, r.State, r.Message, r.Created, r.Ended, r.Cause }) });
            }
            else if (runs.Count == 0 && query is { State: null, Name: null, Before: null, IsArchived: false })
                terminal.Output.WriteLine("No runs yet: espalier run pipelines/tiny.yaml");
            else
                terminal.Write(Draw(runs));
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<RunView> FindAsync(PlatformClient? client, string text, CancellationToken cancellationToken)
    {
        if (client is not null)
        {
            var id = await client.FindIdAsync(text, cancellationToken).ConfigureAwait(false);
            return await client.Api.FindRunAsync(id, cancellationToken).ConfigureAwait(false);
        }
        return await HomeRuns.ReadAsync(async runs =>
        {
            var id = await RunIds.ChooseAsync(text, query => runs.ListAsync(query, cancellationToken)).ConfigureAwait(false);
            return await runs.FindAsync(id, cancellationToken).ConfigureAwait(false);
        }).ConfigureAwait(false) ?? throw new UserInputException($"There is no run '{text}' here: espalier runs");
    }

    private static void Show(Terminal terminal, RunView run, bool isJson)
    {
        if (isJson)
        {
            terminal.WriteJson(new
            {
                Run = run.RunId, run.Label, run.Name, run.FileName, run.State, run.Message, run.Created, run.Started, run.Ended,
                run.Pipeline, run.PipelineVersion, run.Owner, run.Reason, run.Cause, run.Archived,
                Steps = run.Steps.ToDictionary(s => s.Name, RunOutcome.Describe),
            });
            return;
        }
        terminal.Output.WriteLine($"{run.Label} ({run.RunId}) {Terminal.Word(run.State)}{(run.Message.Length > 0 ? ": " + run.Message : "")}");
        if (run.Archived is { } since)
            terminal.Output.WriteLine($"archived on {since:yyyy-MM-dd}: it can be viewed, but not resumed");
        if (run.Cause is { } cause)
            terminal.Output.WriteLine($"started by {string.Join(" → ", cause.Chain)} on event #{cause.Event} ({cause.Kind}), as {run.Owner}");
        if (run.Reason is { Length: > 0 } reason)
            terminal.Output.WriteLine($"for: {reason}");
        var table = new Table().RoundedBorder().AddColumn("step").AddColumn("kind").AddColumn("state").AddColumn("took").AddColumn("why");
        foreach (var step in run.Steps)
        {
            var until = step.Wait?.Until is { } at ? $" Until {at.ToLocalTime():HH:mm:ss}." : "";
            table.AddRow(
                Markup.Escape(step.Name),
                Markup.Escape(step.Kind),
                Terminal.Word(step.State),
                step is { Started: { } started, Ended: { } ended } ? Amounts.Time(ended - started) : "-",
                Markup.Escape(step.Wait is { } wait ? wait.Text + until : step.Message));
        }
        terminal.Write(table);
    }

    private static Table Draw(IReadOnlyList<RunView> runs)
    {
        var table = new Table()
            .RoundedBorder()
            .AddColumn("run")
            .AddColumn("state")
            .AddColumn("started")
            .AddColumn("took")
            .AddColumn("id")
            .AddColumn("message");
        foreach (var run in runs)
        {
            table.AddRow(
                Markup.Escape(run.Label),
                run.State.ToString().ToLowerInvariant(),
                $"{run.Created:yyyy-MM-dd HH:mm:ss}",
                run.Ended is { } ended ? Amounts.Time(ended - run.Created) : "-",
                run.RunId.ToString("N")[..ShownDigits],
                Markup.Escape(run.Message));
        }
        return table;
    }
}
