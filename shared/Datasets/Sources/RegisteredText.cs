using System.Runtime.CompilerServices;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>
/// A dataset that was made before, as a source of another: with its domains, its questions and, above all, its splits: text that was held out
/// stays held out, whatever the domain is called now.
/// </summary>
internal static class RegisteredText
{
    /// <summary>Its text.</summary>
    /// <param name="artifacts">Where it is.</param>
    /// <param name="reference">Its name, for messages and for what is said of its origin.</param>
    /// <param name="root">Root of its artifact.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="UserInputException">The artifact is gone, or is no dataset.</exception>
    public static async Task<SourceText> OpenAsync(ArtifactStore artifacts, string reference, Digest root, CancellationToken cancellationToken)
    {
        TextDataset dataset;
        try
        {
            dataset = await TextDataset.OpenAsync(artifacts, new ManifestRef(ArtifactKind.Dataset, root, 0), cancellationToken).ConfigureAwait(false);
        }
        catch (MissingBlobException e)
        {
            throw new UserInputException($"The artifact {root.Short} of {reference} is not in the store: register the dataset again.", e);
        }
        var questions = new List<QuestionSource>();
        foreach (var name in dataset.MultipleChoiceNames)
        {
            var items = await dataset.ReadMultipleChoiceAsync(name, cancellationToken).ConfigureAwait(false);
            questions.Add(new QuestionSource(name, _ => items));
        }
        var domains = dataset.Domains(DatasetSplits.All).Select(name => new DomainText(
            name, dataset.Properties.Domains[name].Licence, dataset.Properties.Domains[name].Packages, ReadAsync(dataset, name, cancellationToken))
        {
            WhenEmpty = $"The domain '{name}' of {reference} holds no text.",
        });
        return new SourceText(reference, [.. domains], questions);
    }

    private static async IAsyncEnumerable<Document> ReadAsync(TextDataset dataset, string domain, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var split in DatasetSplits.Stored)
        {
            await foreach (var document in dataset.ReadAsync(split, domain, cancellationToken).ConfigureAwait(false))
                yield return document with { Split = split };
        }
    }
}
