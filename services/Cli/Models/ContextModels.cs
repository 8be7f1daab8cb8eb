using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Models;

/// <summary>Opens the models of a context.</summary>
internal static class ContextModels
{
    /// <summary>The models of the context that a command works in.</summary>
    public static Task<IModels> OpenAsync(ParseResult parsed, Terminal terminal, CancellationToken cancellationToken) =>
        OpenAsync(ContextChoice.Choose(parsed, terminal), cancellationToken);

    /// <summary>The models of a context.</summary>
    public static async Task<IModels> OpenAsync(CommandContext context, CancellationToken cancellationToken) => context.IsLocal
        ? await HomeModels.OpenAsync(EspalierHome.OfThisProcess(), cancellationToken).ConfigureAwait(false)
        : new ServerModels(new RegistryConnection(context));
}
