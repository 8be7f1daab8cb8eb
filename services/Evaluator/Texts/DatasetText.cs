using Espalier.Contracts;
using Espalier.Datasets;

namespace Espalier.Evaluator.Texts;

/// <summary>Reads what the tasks need from a dataset artifact.</summary>
internal static class DatasetText
{
    /// <summary>The documents of a split.</summary>
    /// <exception cref="UserInputException">The split has no text.</exception>
    public static async Task<HeldOutText> ReadAsync(TextDataset dataset, string split, CancellationToken cancellationToken)
    {
        var domains = dataset.Domains(split);
        var documents = new List<HeldOutDocument>();
        for (var domain = 0; domain < domains.Count; domain++)
        {
            await foreach (var document in dataset.ReadAsync(split, domains[domain], cancellationToken).ConfigureAwait(false))
                documents.Add(new HeldOutDocument(domain, document.Id, document.Text));
        }
        return documents.Exists(document => document.Bytes > 0)
            ? new HeldOutText(domains, documents) { Corpus = dataset.CorpusName }
            : throw new UserInputException(
                $"The dataset has no {split} text ({dataset.Properties.Source}): use a larger one, or 'split: "
                    + "all' when no model of this evaluation was trained on it.");
    }

    /// <summary>The first items of every multiple-choice set.</summary>
    /// <exception cref="UserInputException">There is no set, or an item is malformed.</exception>
    public static async Task<IReadOnlyList<ChoiceItem>> ReadChoicesAsync(TextDataset dataset, long? most, CancellationToken cancellationToken)
    {
        var items = new List<ChoiceItem>();
        foreach (var set in dataset.MultipleChoiceNames)
        {
            var read = await dataset.ReadMultipleChoiceAsync(set, cancellationToken).ConfigureAwait(false);
            items.AddRange(read.Take((int)Math.Min(most ?? int.MaxValue, int.MaxValue))
                .Select(item => new ChoiceItem(set, item.Id, item.Context, item.Choices, item.Answer)));
        }
        if (items.Count == 0)
            throw new UserInputException($"The dataset has no multiple-choice items ({dataset.Properties.Source}): "
                + $"leave out the task '{Tasks.MultipleChoiceTask.TaskName}', or use a dataset that has multiple-choice/NAME.jsonl.");
        return items.Find(item => item.Choices.Count < 2 || item.Answer < 0 || item.Answer >= item.Choices.Count) is { } odd
            ? throw new UserInputException($"Multiple-choice item '{odd.Id}' of '{odd.Set}' has {odd.Choices.Count} choices and the answer {odd.Answer}.")
            : items;
    }
}
