using System.CommandLine;
using Espalier.Cli.Terminals;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Api;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier keys</c>: API keys and what they may do.</summary>
internal static class KeysCommand
{
    public static Command Create(Terminal terminal) =>
        new(
            "keys",
            "Create, list and revoke API keys of the platform. Only digests of keys are kept.\n\n"
                + "  espalier keys create --name ci --role submitter\n  espalier keys list\n  espalier keys revoke ci")
        {
            Make(terminal), List(terminal), Revoke(terminal),
        };

    private static Command Make(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var name = new Option<string>("--name") { Description = "Whose key it is.", Required = true };
        var role = new Option<string>("--role")
        {
            Description = "viewer (reads), submitter (and runs), promoter (and moves aliases), admin (everything).",
            DefaultValueFactory = _ => "viewer",
        };
        role.AcceptOnlyFromAmong([.. Enum.GetValues<ApiRole>().Select(Terminal.Word)]);
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("create", "Create a key and print it; it cannot be shown again.") { name, role, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var made = await client.Api.CreateKeyAsync(parsed.GetRequiredValue(name), parsed.GetRequiredValue(role), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(made);
            else
                terminal.Output.WriteLine(made.Key);
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command List(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("list", "Every key: id, name, role, age; never the key itself.") { json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var keys = await client.Api.ListKeysAsync(cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Keys = keys });
            else
            {
                terminal.WriteTable(
                    ["id", "role", "created", "name"],
                    keys.Select(k => new[] { $"{k.Id}", Terminal.Word(k.Role), $"{k.Created:yyyy-MM-dd HH:mm}", k.Name }), "No keys.");
            }
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Revoke(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var key = new Argument<string>("KEY") { Description = "Id or name; a name revokes every key that has it." };
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command("revoke", "Revoke keys. The orchestrator refuses them at once, the registry within 15 seconds.") { key, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var revoked = await client.Api.RevokeKeyAsync(parsed.GetRequiredValue(key), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(revoked);
            else
                terminal.Output.WriteLine($"{revoked.Revoked} key(s) revoked");
            return ExitCodes.Done;
        });
        return command;
    }
}
