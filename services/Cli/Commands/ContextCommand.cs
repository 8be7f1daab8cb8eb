using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier context</c>: where commands work.</summary>
internal static class ContextCommand
{
    public static Command Create(Terminal terminal) =>
        new(
            "context",
            """
            Where commands work: 'local', the files of this home, or a platform. 'espalier up' selects the platform that it
            starts, 'espalier down' goes back to 'local'. --context NAME or ESPALIER_CONTEXT choose for one command or shell.

              espalier context list
              espalier context add prod --orchestrator https://orchestrator.example.org --registry https://models.example.org --key KEY
              espalier context use prod
            """)
        {
            List(terminal), Use(terminal), Add(terminal), Remove(terminal),
        };

    /// <summary>A context in <c>list --json</c>; keys are not shown.</summary>
    private sealed record Line(string Name, bool Current, Uri? Orchestrator, Uri? Registry);

    private static Command List(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List contexts; the selected one is marked.") { json };
        command.SetAction(parsed =>
        {
            var home = EspalierHome.OfThisProcess();
            var saved = SavedContexts.Read(home);
            var names = saved.Names(home).Append(saved.Current).Distinct(); // a platform that ended may still be selected
            var lines = names.Select(n => Describe(home, saved, n)).ToList();
            if (parsed.GetValue(json))
                terminal.WriteJson(new { saved.Current, Contexts = lines });
            else
                terminal.Write(Draw(lines));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Line Describe(EspalierHome home, SavedContexts saved, string name)
    {
        var context = name == CommandContext.PlatformName ? SavedContexts.FindPlatform(home) : saved.Find(home, name);
        return new Line(name, name == saved.Current, context?.Orchestrator, context?.Registry);
    }

    private static Table Draw(IReadOnlyList<Line> lines)
    {
        var table = new Table().RoundedBorder().AddColumns("", "context", "orchestrator", "registry and portal");
        foreach (var line in lines)
            table.AddRow(
                line.Current ? "*" : "", Markup.Escape(line.Name),
                line.Orchestrator is null ? (line.Name == CommandContext.LocalName ? "in this process" : "not running") : Markup.Escape($"{line.Orchestrator}"),
                line.Registry is null ? (line.Name == CommandContext.LocalName ? "files of this home" : "-") : Markup.Escape($"{line.Registry}"));
        return table;
    }

    private static Command Use(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "Name of a context, or local." };
        var json = SharedOptions.Json();
        var command = new Command("use", "Select the context that commands work in from now on.") { name, json };
        command.SetAction(parsed =>
        {
            var home = EspalierHome.OfThisProcess();
            var context = SavedContexts.Read(home).Find(home, parsed.GetRequiredValue(name));
            SavedContexts.Select(home, context.Name);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Current = context.Name, context.Orchestrator, context.Registry });
            else
                terminal.Output.WriteLine(context.IsLocal ? "Commands work on the files of this home." : $"Commands work on {context}.");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Add(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "Name for it; an existing one is replaced." };
        var orchestrator = new Option<string>("--orchestrator") { Description = "Address of the orchestrator.", Required = true };
        var registry = new Option<string>("--registry") { Description = "Address of the registry and its portal.", Required = true };
        var key = new Option<string>("--key") { Description = "API key; kept in the home, readable by you only.", Required = true };
        var json = SharedOptions.Json();
        var command = new Command(
            "add",
            "Keep the addresses and the key of a platform under a name.\n\n"
                + "  espalier context add prod --orchestrator URL --registry URL --key KEY")
        {
            name, orchestrator, registry, key, json,
        };
        command.SetAction(parsed =>
        {
            var home = EspalierHome.OfThisProcess();
            SavedContexts.CheckName(parsed.GetRequiredValue(name));
            var context = CommandContext.Of(
                parsed.GetRequiredValue(name), parsed.GetRequiredValue(orchestrator), parsed.GetRequiredValue(registry), parsed.GetRequiredValue(key));
            _ = ApiKeyHeader.Of(parsed.GetRequiredValue(key));
            var saved = SavedContexts.Read(home);
            var contexts = new Dictionary<string, SavedContext>(saved.Contexts)
            {
                [context.Name] = new($"{context.Orchestrator}", $"{context.Registry}", parsed.GetRequiredValue(key)),
            };
            (saved with { Contexts = contexts }).Write(home);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { context.Name, context.Orchestrator, context.Registry, Current = saved.Current == context.Name });
            else
                terminal.Output.WriteLine($"{context.Name} was added. espalier context use {context.Name} selects it.");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Remove(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "Name of a context that was added." };
        var json = SharedOptions.Json();
        var command = new Command("remove", "Remove a context and its key. If it was selected, 'local' is selected instead.") { name, json };
        command.SetAction(parsed =>
        {
            var home = EspalierHome.OfThisProcess();
            var saved = SavedContexts.Read(home);
            var contexts = new Dictionary<string, SavedContext>(saved.Contexts);
            var removed = parsed.GetRequiredValue(name);
            if (!contexts.Remove(removed))
                throw new UserInputException(
                    $"There is no context '{removed}' that was added; there are {string.Join(", ", saved.Contexts.Keys.DefaultIfEmpty("none"))}.");
            var current = saved.Current == removed ? CommandContext.LocalName : saved.Current;
            (saved with { Contexts = contexts, Current = current }).Write(home);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Removed = removed, Current = current });
            else
                terminal.Output.WriteLine($"{removed} was removed; commands now work in '{current}'.");
            return ExitCodes.Done;
        });
        return command;
    }
}
