using System.CommandLine;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Models;
using Espalier.Cli.Progress;
using Espalier.Cli.Terminals;
using Espalier.Cli.Verification;

namespace Espalier.Cli.Commands;

/// <summary>
/// <c>espalier verify NAME@N [--rerun]</c>: are the bytes of a version and of its ancestors, the signatures and, on demand, the step
/// that made it what they claim?
/// </summary>
internal static class VerifyCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("MODEL") { Description = "NAME@VERSION or NAME@ALIAS." };
        var rerun = new Option<bool>("--rerun")
        {
            Description = "Also redo the surgical step that made it, from its parents, and compare tensor by tensor.",
        };
        var json = SharedOptions.Json();
        var command = new Command(
            "verify",
            "Read every byte of a version and of its ancestors again, check its signatures, and with --rerun derive it "
                + "again.\n\n"
                + "  espalier verify quickstart@candidate\n  espalier verify quickstart@3 --rerun --json")
        {
            model,
            rerun,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var context = ContextChoice.Choose(parsed, terminal);
            // A step is done again in this process, so its inputs are read from the store itself.
            var place = context.IsLocal || parsed.GetValue(rerun) ? StoreInUse.Of(home, context) : null;
            await using var models = context.IsLocal
                ? await HomeModels.OpenAsync(home, place!, cancellationToken).ConfigureAwait(false)
                : await ContextModels.OpenAsync(context, cancellationToken).ConfigureAwait(false);
            var version = await models.ResolveAsync(parsed.GetRequiredValue(model), cancellationToken).ConfigureAwait(false);
            if (!context.IsLocal)
                terminal.Say($"The registry reads {version.Model}@{version.Version}, {version.Bytes.Logical:N0} bytes, and its ancestors.");
            Registry.Signing.Verification found;
            using (var progress = new ByteProgress(terminal, "checking"))
                found = await models.VerifyAsync(version, progress, cancellationToken).ConfigureAwait(false);
            var again = parsed.GetValue(rerun) && found.Ok
                ? await new StepRerun(home.Create(), Hosting.Stages.All(home))
                    .RunAsync(place!.Open(), version.Root, new PlainBoard(terminal, TimeProvider.System), cancellationToken)
                    .ConfigureAwait(false)
                : null;
            var isOk = found.Ok && again?.Equal != false;
            if (parsed.GetValue(json))
                terminal.WriteJson(
                    new
                    {
                        found.Model,
                        found.Version,
                        found.Root,
                        Ok = isOk,
                        found.Checked,
                        found.Bytes,
                        found.Signatures,
                        found.Trusted,
                        found.Problem,
                        found.Ancestors,
                        Rerun = again,
                    });
            else
                Write(terminal, found, again);
            return isOk ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static void Write(Terminal terminal, Registry.Signing.Verification found, RerunOutcome? again)
    {
        terminal.Output.WriteLine(found.Ok
            ? $"{found.Model}@{found.Version}  {found.Root.Short}  {found.Checked} tensors and files, {found.Bytes:N0} bytes: all as the manifest says"
            : $"{found.Model}@{found.Version}  {found.Root.Short}  NOT as the manifest says: {found.Problem}");
        foreach (var ancestor in found.Ancestors)
            terminal.Output.WriteLine(
                $"{new string(' ', 2 * ancestor.Generation)}{ancestor.Relation} from {ancestor.Root.Short}  "
                    + (ancestor.Ok ? $"{ancestor.Checked} tensors and files, {ancestor.Bytes:N0} bytes: all as the manifest says" : ancestor.Problem));
        terminal.Output.WriteLine(found.Signatures == 0 ? "not signed" : $"{found.Signatures} signatures, {found.Trusted} by trusted keys");
        if (again is null)
            return;
        terminal.Output.WriteLine(again.Equal
            ? $"step '{again.Step}' ({again.Stage}) done again: the same root, all {again.Tensors} tensors bit for bit"
            : $"step '{again.Step}' ({again.Stage}) done again: {again.Differences} of {again.Tensors} tensors differ: {string.Join(", ", again.Different)}");
        foreach (var note in again.Notes)
            terminal.Output.WriteLine($"note: {note}");
    }
}
