using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Client;

namespace Espalier.Cli.Commands;

/// <summary>Which platform a command talks to.</summary>
internal sealed class ServerOptions
{
    private readonly Option<string?> _server = new("--server")
    {
        Description = "Address of the orchestrator; else ESPALIER_SERVER, else the platform that runs in this home.",
    };
    private readonly Option<string?> _key = new("--key") { Description = "API key; else ESPALIER_KEY, else the administrator's key of this home's platform." };

    /// <summary>Adds the options to a command.</summary>
    public Command AddTo(Command command)
    {
        command.Options.Add(_server);
        command.Options.Add(_key);
        return command;
    }

    /// <summary>A client of the platform that the options name.</summary>
    public PlatformClient Open(ParseResult parsed) => PlatformClient.Open(parsed.GetValue(_server), parsed.GetValue(_key), EspalierHome.OfThisProcess());

    /// <summary>The same, or null when none is named and none is running.</summary>
    public PlatformClient? Find(ParseResult parsed) => PlatformClient.Find(parsed.GetValue(_server), parsed.GetValue(_key), EspalierHome.OfThisProcess());
}
