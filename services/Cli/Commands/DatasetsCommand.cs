using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Registry.Datasets;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier datasets</c>: datasets that pipelines may name, and <c>espalier datasets delete</c>.</summary>
internal static class DatasetsCommand
{
    private const int Most = 1000;

    public static Command Create(Terminal terminal)
    {
        var name = new Argument<string?>("NAME") { Description = "Only this dataset.", Arity = ArgumentArity.ZeroOrOne };
        var json = SharedOptions.Json();
        var command = new Command(
            "datasets",
            "List registered datasets, newest version first; pipelines name them as data: dataset:NAME@VERSION.\n\n"
                + "  espalier datasets\n  espalier datasets notes --json")
        {
            name,
            json,
            CreateDelete(terminal),
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var datasets = await ListAsync(ContextChoice.Choose(parsed, terminal), parsed.GetValue(name), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Datasets = datasets });
            else if (datasets.Count == 0)
                terminal.Output.WriteLine("No datasets yet: run a pipeline with a step 'uses: register, with: { name: NAME, dataset: \"dir:./texts\" }'.");
            else
                terminal.Write(Draw(datasets));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command CreateDelete(Terminal terminal)
    {
        var reference = new Argument<string>("NAME@VERSION") { Description = "The version to forget." };
        var command = new Command("delete", "Forget a version of a dataset; its bytes stay until espalier gc finds that nothing needs them.") { reference };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var wanted = DatasetReference.Parse(parsed.GetValue(reference)!);
            if (wanted.Version is not { } version)
                throw new UserInputException($"'{parsed.GetValue(reference)}' names no version: expected NAME@VERSION, such as notes@2.");
            var context = ContextChoice.Choose(parsed, terminal);
            if (context.IsLocal)
            {
                await using var registry = await OpenRegistry.OpenAsync(EspalierHome.OfThisProcess(), cancellationToken).ConfigureAwait(false);
                if (!await registry.Datasets.DeleteAsync(wanted.Name, version, cancellationToken).ConfigureAwait(false))
                    throw new UserInputException($"There is no version {version} of a dataset '{wanted.Name}'; see espalier datasets.");
            }
            else
            {
                using var registry = new RegistryConnection(context);
                await registry.Api.DeleteDatasetAsync(wanted.Name, version, cancellationToken).ConfigureAwait(false);
            }
            terminal.Output.WriteLine($"dataset:{wanted.Name}@{version} is forgotten.");
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<IReadOnlyList<RegisteredDataset>> ListAsync(CommandContext context, string? name, CancellationToken cancellationToken)
    {
        if (!context.IsLocal)
        {
            using var connection = new RegistryConnection(context);
            return await connection.Api.ListDatasetsAsync(name, Most, cancellationToken).ConfigureAwait(false);
        }
        if (!EspalierHome.OfThisProcess().Exists)
            return [];
        await using var registry = await OpenRegistry.OpenAsync(EspalierHome.OfThisProcess(), cancellationToken).ConfigureAwait(false);
        return await registry.Datasets.ListAsync(name, Most, cancellationToken).ConfigureAwait(false);
    }

    private static Table Draw(IReadOnlyList<RegisteredDataset> datasets)
    {
        var table = new Table().RoundedBorder().AddColumns("dataset", "version", "made of", "training text", "root", "registered");
        foreach (var dataset in datasets)
        {
            table.AddRow(
                Markup.Escape(dataset.Name), $"{dataset.Version}", Markup.Escape(dataset.Source), $"{dataset.TrainBytes:N0}", dataset.Root.Short,
                $"{dataset.Created:yyyy-MM-dd HH:mm}");
        }
        return table;
    }
}
