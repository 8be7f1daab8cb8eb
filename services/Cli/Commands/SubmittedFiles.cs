using Espalier.Cli.Client;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Espalier.Cli.Commands;

/// <summary>
/// The user's own files that a pipeline names, on the way to a platform elsewhere: they are uploaded, and the submitted text names what was
/// uploaded in the place of their paths.
/// </summary>
internal sealed class SubmittedFiles(CommandContext context, Terminal terminal)
{
    /// <summary>The file and its parameters as they are submitted.</summary>
    /// <param name="text">The pipeline file.</param>
    /// <param name="path">Its full path; relative paths in it start there.</param>
    /// <param name="parameters">Parameters of the command line.</param>
    /// <param name="cancellationToken">Stops the upload.</param>
    /// <exception cref="UserInputException">A file cannot be read, is too large for the platform, or changed meanwhile.</exception>
    public async Task<(string Text, IReadOnlyDictionary<string, string> Parameters)> UploadAsync(
        string text, string path, IReadOnlyDictionary<string, string> parameters, CancellationToken cancellationToken)
    {
        var named = new Dictionary<string, string>();
        using var registry = new RegistryConnection(context);
        var draft = Read(text, path, parameters);
        foreach (var source in draft.OwnFiles.Where(s => Find(s, draft.BaseDirectory) is not null))
        {
            if (named.ContainsKey(source.From))
                continue;
            var located = Find(source, draft.BaseDirectory)!;
            _ = DatasetBuilder.Examine(new TextSource(located) { Field = source.Field, Name = source.Name }, cancellationToken);
            named[source.From] = await SendAsync(registry, located, cancellationToken).ConfigureAwait(false);
        }
        if (named.Count == 0)
            return (text, parameters);
        var values = parameters.ToDictionary(p => p.Key, p => named.GetValueOrDefault(p.Value, p.Value));
        var renamed = Rename(text, named);
        if (Read(renamed, path, values).OwnFiles.FirstOrDefault(s => Find(s, draft.BaseDirectory) is not null) is { } left)
        {
            throw new UserInputException(
                $"'{left.From}' is put together from parts, so that the uploaded text cannot be named in its place: write it as one value, or as one "
                    + "parameter.");
        }
        return (renamed, values);
    }

    private async Task<string> SendAsync(RegistryConnection registry, string located, CancellationToken cancellationToken)
    {
        var colon = located.IndexOf(':', StringComparison.Ordinal) + 1;
        var (form, path) = (located[..colon], located[colon..]);
        using var progress = new ByteProgress(terminal, $"sending {Path.GetFileName(path)}");
        var (reference, sent) = await new TextUpload(registry)
            .SendAsync(form == ArtifactForms.Directory, path, progress, cancellationToken).ConfigureAwait(false);
        terminal.Say(sent == 0 ? $"{path}: the platform has it already." : $"{path}: {sent:N0} bytes sent.");
        return $"{form}{reference}";
    }

    private static PipelineDraft Read(string text, string path, IReadOnlyDictionary<string, string> parameters) => PipelineDraft.Read(
        text, path, parameters, new PlanningContext { Stages = Hosting.Stages.Definitions(Hosting.Stages.All(EspalierHome.OfThisProcess())) });

    /// <summary>The source with its full path; null where this machine has no such file, so that the platform may look for it itself.</summary>
    private static string? Find(DataSource source, string baseDirectory)
    {
        if (UploadReference.IsOne(source.From[(source.From.IndexOf(':', StringComparison.Ordinal) + 1)..]))
            return null;
        try
        {
            return DatasetSource.Locate(source.From, baseDirectory);
        }
        catch (UserInputException)
        {
            return null;
        }
    }

    /// <summary>Puts other values in the place of whole values, and leaves everything else of the text as it is.</summary>
    private static string Rename(string text, Dictionary<string, string> named)
    {
        var places = new List<(int From, int To, string Value)>();
        var parser = new Parser(new StringReader(text));
        while (parser.MoveNext())
        {
            if (parser.Current is Scalar { IsKey: false } scalar && named.TryGetValue(scalar.Value, out var value)
                && scalar.Style is not (ScalarStyle.Literal or ScalarStyle.Folded))
            {
                var (from, to) = ((int)scalar.Start.Index, (int)scalar.End.Index);
                places.Add((from, from + text[from..to].TrimEnd().Length, value));
            }
        }
        foreach (var (from, to, value) in places.OrderByDescending(p => p.From))
            text = $"{text[..from]}\"{value}\"{text[to..]}";
        return text;
    }
}
