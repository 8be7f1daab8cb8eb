using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary>Which orchestrator a command talks to: that of the context, unless its address is given.</summary>
internal sealed class ServerOptions(Terminal terminal)
{
    private readonly Option<string?> _server = new("--server")
    {
        Description = "Address of an orchestrator, in place of a context; also ESPALIER_SERVER.",
    };
    private readonly Option<string?> _key = new("--key") { Description = "API key for --server; also ESPALIER_KEY." };

    /// <summary>Adds the options to a command.</summary>
    public Command AddTo(Command command)
    {
        command.Options.Add(_server);
        command.Options.Add(_key);
        return command;
    }

    /// <summary>Where the command works; said on standard error when it is not this home.</summary>
    public CommandContext Choose(ParseResult parsed) =>
        ContextChoice.Choose(parsed, terminal, orchestrator: parsed.GetValue(_server), registry: null, parsed.GetValue(_key));

    /// <summary>A client of the context's orchestrator.</summary>
    /// <exception cref="UserInputException">The context is local.</exception>
    public PlatformClient Open(ParseResult parsed) => Find(parsed) ?? throw new UserInputException(
        $"The context is 'local', and this needs a platform: start one in {EspalierHome.OfThisProcess().Path} with espalier up, choose one with "
            + "espalier context use NAME, or name one with --server URL --key KEY.");

    /// <summary>The same, or null when the context is local.</summary>
    public PlatformClient? Find(ParseResult parsed) => Choose(parsed) is { IsLocal: false } context ? new PlatformClient(context) : null;
}
