using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Registry;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier models</c>: what is registered.</summary>
internal static class ModelsCommand
{
    private const int Most = 1000;

    public static Command Create(Terminal terminal)
    {
        var name = new Argument<string?>("NAME") { Description = "Only this model.", Arity = ArgumentArity.ZeroOrOne };
        var json = SharedOptions.Json();
        var command = new Command("models", "List registered models, newest version first.\n\n  espalier models\n  espalier models quickstart --json")
        {
            name,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var versions = await ListAsync(EspalierHome.OfThisProcess(), parsed.GetValue(name), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Models = versions.Select(v => new { v.Model, v.Version, v.Aliases, v.Root, v.SizeBytes, v.CreatedAt, v.Metrics }) });
            else if (versions.Count == 0)
                terminal.Output.WriteLine("No models yet: run a pipeline with a register step, or espalier import DIR --name NAME.");
            else
                terminal.Write(Draw(versions));
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<IReadOnlyList<ModelVersion>> ListAsync(EspalierHome home, string? name, CancellationToken cancellationToken)
    {
        if (!home.Exists)
            return [];
        await using var registry = await OpenRegistry.OpenAsync(home, cancellationToken).ConfigureAwait(false);
        return await registry.Models.ListAsync(name, Most, cancellationToken).ConfigureAwait(false);
    }

    private static Table Draw(IReadOnlyList<ModelVersion> versions)
    {
        var table = new Table()
            .RoundedBorder()
            .AddColumn("model")
            .AddColumn("version")
            .AddColumn("aliases")
            .AddColumn("bytes")
            .AddColumn("held-out loss")
            .AddColumn("root")
            .AddColumn("registered");
        foreach (var version in versions)
        {
            table.AddRow(
                Markup.Escape(version.Model),
                $"{version.Version}",
                Markup.Escape(string.Join(", ", version.Aliases)),
                $"{version.SizeBytes:N0}",
                version.Metrics.TryGetValue("loss", out var loss) ? $"{loss:0.0000}" : "-",
                version.Root.Short,
                $"{version.CreatedAt:yyyy-MM-dd HH:mm}");
        }
        return table;
    }
}
