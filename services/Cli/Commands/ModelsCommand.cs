using System.CommandLine;
using Espalier.Cli.Contexts;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Registry;
using Espalier.Registry.Api;
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
            var versions = await ListAsync(ContextChoice.Choose(parsed, terminal), parsed.GetValue(name), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Models = versions.Select(Describe) });
            else if (versions.Count == 0)
                terminal.Output.WriteLine("No models yet: run a pipeline with a register step, or espalier import DIR --name NAME.");
            else
                terminal.Write(Draw(versions));
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<IReadOnlyList<VersionView>> ListAsync(CommandContext context, string? name, CancellationToken cancellationToken)
    {
        if (context.IsLocal && !EspalierHome.OfThisProcess().Exists)
            return [];
        await using var models = await ContextModels.OpenAsync(context, cancellationToken).ConfigureAwait(false);
        return await models.ListAsync(name, Most, cancellationToken).ConfigureAwait(false);
    }

    private static object Describe(VersionView version) => new
    {
        version.Model, version.Version, version.Aliases, version.Root, SizeBytes = version.Bytes.Logical, CreatedAt = version.Created,
        Metrics = Unfold(version.Metrics).ToDictionary(m => m.Name, m => m.Value), version.Tags, version.Signed,
    };

    /// <summary>Metrics as reports have them: an interval is two more values.</summary>
    private static IEnumerable<(string Name, double Value)> Unfold(IReadOnlyDictionary<string, Measure> metrics)
    {
        foreach (var (name, measure) in metrics)
        {
            yield return (name, measure.Value);
            if (measure.Low is { } low)
                yield return ($"{name}-low", low);
            if (measure.High is { } high)
                yield return ($"{name}-high", high);
        }
    }

    private static Table Draw(IReadOnlyList<VersionView> versions)
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
                $"{version.Bytes.Logical:N0}",
                version.Metrics.TryGetValue("loss", out var loss) ? $"{loss.Value:0.0000}" : "-",
                version.Root.Short,
                $"{version.Created:yyyy-MM-dd HH:mm}");
        }
        return table;
    }
}
