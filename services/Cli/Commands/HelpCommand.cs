using System.CommandLine;
using Espalier.Cli.Terminals;
using Espalier.Pipelines.Reference;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier help TOPIC</c>: a page of the reference, of a stage kind or of the pipeline language.</summary>
internal static class HelpCommand
{
    public static Command Create(Terminal terminal)
    {
        var topic = new Argument<string?>("TOPIC")
        {
            Description = "A stage kind, a key of pipeline files, or a command; without it, the list.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var json = SharedOptions.Json();
        var command = new Command("help", "Explain a topic of the reference.\n\n  espalier help\n  espalier help train\n  espalier help matrix")
        {
            topic,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var pages = ReferenceBook.Pages(Hosting.Stages.Definitions(Hosting.Stages.All(EspalierHome.OfThisProcess())));
            var root = parsed.RootCommandResult.Command;
            if (parsed.GetValue(topic) is not { } wanted)
                List(terminal, pages, parsed.GetValue(json));
            else if (!pages.Any(p => p.Topics.Contains(wanted)) && root.Subcommands.Any(c => c.Name == wanted))
                return await root.Parse([wanted, "--help"]).InvokeAsync(parsed.InvocationConfiguration, cancellationToken).ConfigureAwait(false);
            else if (ReferenceBook.Find(pages, wanted) is var page && parsed.GetValue(json))
                terminal.WriteJson(page);
            else
                terminal.Output.Write(page.Markdown);
            return ExitCodes.Done;
        });
        return command;
    }

    private static void List(Terminal terminal, IReadOnlyList<ReferencePage> pages, bool isJson)
    {
        if (isJson)
        {
            terminal.WriteJson(new { Topics = pages.Select(p => new { p.Topic, p.Topics, p.Title, p.Summary }) });
            return;
        }
        var table = new Table().NoBorder().HideHeaders().AddColumn("topic").AddColumn("summary");
        foreach (var page in pages)
            table.AddRow(Markup.Escape(string.Join(", ", page.Topics)), Markup.Escape(page.Summary));
        terminal.Write(table);
        terminal.Output.WriteLine("espalier help TOPIC explains one; espalier COMMAND --help explains a command.");
    }
}
