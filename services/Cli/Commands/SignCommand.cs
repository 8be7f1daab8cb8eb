using System.CommandLine;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Registry.Signing;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier sign NAME@N --key FILE</c>: a detached signature over the manifest root.</summary>
internal static class SignCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("MODEL") { Description = "NAME@VERSION or NAME@ALIAS." };
        var key = new Option<string>("--key") { Description = "Private key, PEM.", Required = true };
        var json = SharedOptions.Json();
        var command = new Command(
            "sign",
            "Sign the manifest root of a version with your key.\n\n  espalier signing-key create ~/keys/me.pem\n"
                + "  espalier sign quickstart@3 --key ~/keys/me.pem")
        {
            model,
            key,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            var version = await models.ResolveAsync(parsed.GetRequiredValue(model), cancellationToken).ConfigureAwait(false);
            using var signing = SigningKeyCommand.Read(parsed.GetRequiredValue(key));
            var signature = await models.SignAsync(version, signing, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(
                    new
                    {
                        version.Model,
                        version.Version,
                        version.Root,
                        signature.KeyId,
                        signature.Algorithm,
                        Signature = signature.Value,
                        signature.TrustedAs,
                    });
            else
            {
                var trust = signature.TrustedAs is null ? "; trust the key with espalier signing-key trust" : $" ({signature.TrustedAs})";
                terminal.Output.WriteLine($"{version.Model}@{version.Version}  {version.Root.Short}  signed by {signature.KeyId}{trust}");
            }
            return ExitCodes.Done;
        });
        return command;
    }
}

/// <summary><c>espalier signing-key</c>: make a key, trust a key, list trusted ones.</summary>
internal static class SigningKeyCommand
{
    public static Command Create(Terminal terminal) =>
        new(
            "signing-key",
            "Keys that sign versions. Private keys are files of yours; the registry knows public ones only.\n\n"
                + "  espalier signing-key create ~/keys/me.pem\n  espalier signing-key trust ~/keys/me.pem.pub --name me\n  espalier signing-key list")
        {
            Make(terminal), Trust(terminal), Distrust(terminal), List(terminal),
        };

    /// <summary>Reads a key from a file.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    public static SigningKey Read(string path) =>
        File.Exists(path) ? SigningKey.Parse(SharedOptions.ReadFile(path)) : throw new UserInputException($"{path}: there is no such key file.");

    private static Command Make(Terminal terminal)
    {
        var file = new Argument<string>("FILE") { Description = "Where the private key goes; the public one goes beside it with .pub." };
        var json = SharedOptions.Json();
        var command = new Command("create", "Make an ECDSA P-256 key.") { file, json };
        command.SetAction((parsed, cancellationToken) =>
        {
            var path = Path.GetFullPath(parsed.GetRequiredValue(file));
            using var key = SigningKey.Create();
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
                if (!OperatingSystem.IsWindows())
                    options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
                using (var writer = new StreamWriter(path, options))
                    writer.WriteLine(key.PrivatePem);
                File.WriteAllText(path + ".pub", key.PublicPem + "\n");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new UserInputException($"{path}: {e.Message}", e);
            }
            if (parsed.GetValue(json))
                terminal.WriteJson(new { KeyId = key.Id, PrivateKey = path, PublicKey = path + ".pub" });
            else
                terminal.Output.WriteLine($"{key.Id}  {path}  {path}.pub");
            return Task.FromResult(ExitCodes.Done);
        });
        return command;
    }

    private static Command Trust(Terminal terminal)
    {
        var file = new Argument<string>("FILE") { Description = "Public key, PEM." };
        var name = new Option<string>("--name") { Description = "Whose key it is.", Required = true };
        var json = SharedOptions.Json();
        var command = new Command("trust", "Count signatures by this key as trusted.") { file, name, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var key = Read(parsed.GetRequiredValue(file));
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            var trusted = await models.TrustAsync(parsed.GetRequiredValue(name), key, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(trusted);
            else
                terminal.Output.WriteLine($"{trusted.KeyId}  {trusted.Name}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Distrust(Terminal terminal)
    {
        var id = new Argument<string>("KEY") { Description = "Id of the key." };
        var json = SharedOptions.Json();
        var command = new Command("distrust", "Stop trusting a key.") { id, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            await models.DistrustAsync(parsed.GetRequiredValue(id), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Distrusted = parsed.GetRequiredValue(id) });
            else
                terminal.Output.WriteLine($"{parsed.GetRequiredValue(id)} is no longer trusted");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command List(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List trusted keys.") { json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            var keys = await models.TrustedKeysAsync(cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Keys = keys });
            else
                foreach (var key in keys)
                    terminal.Output.WriteLine($"{key.KeyId}  {key.Name}  {key.Algorithm}  added by {key.AddedBy}");
            return ExitCodes.Done;
        });
        return command;
    }
}
