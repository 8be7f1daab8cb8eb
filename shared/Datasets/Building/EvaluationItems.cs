using System.Runtime.CompilerServices;
using Espalier.Artifacts;
using Espalier.Contracts;

namespace Espalier.Datasets.Building;

/// <summary>The texts that training text must not hold: what evaluations ask.</summary>
internal static class EvaluationItems
{
    /// <summary>A question as it reads with its right answer.</summary>
    public static string TextOf(MultipleChoiceItem item) => $"{item.Context} {item.Choices[item.Answer]}";

    /// <summary>Every question and every document of a dataset.</summary>
    public static async IAsyncEnumerable<string> OfAsync(
        ArtifactStore artifacts, ManifestRef reference, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var dataset = await TextDataset.OpenAsync(artifacts, reference, cancellationToken).ConfigureAwait(false);
        foreach (var name in dataset.MultipleChoiceNames)
        {
            foreach (var item in await dataset.ReadMultipleChoiceAsync(name, cancellationToken).ConfigureAwait(false))
                yield return TextOf(item);
        }
        foreach (var domain in dataset.Domains(DatasetSplits.All))
        {
            await foreach (var document in dataset.ReadAsync(DatasetSplits.All, domain, cancellationToken).ConfigureAwait(false))
                yield return document.Text;
        }
    }
}
