using Espalier.Artifacts;
using Espalier.Contracts;

namespace Espalier.Datasets.Building;

/// <summary>Looks for evaluation items in training text, and does about them what was asked for.</summary>
internal sealed class TrainingCheck(ArtifactStore artifacts, DocumentSpool spool, IReadOnlyList<DomainDraft> domains, Action<string> log)
{
    private const int GroupDocuments = 1024;

    /// <summary>Runs the check; returns how many training documents hold an item.</summary>
    /// <exception cref="UserInputException">There is one, and that is refused; or nothing would be left.</exception>
    public async Task<int> RunAsync(
        DatasetRequest request, IReadOnlyDictionary<string, IReadOnlyList<MultipleChoiceItem>> questions, CancellationToken cancellationToken)
    {
        var contamination = new Contamination();
        foreach (var item in questions.Values.SelectMany(items => items))
            contamination.AddItem(EvaluationItems.TextOf(item));
        if (request.Against is { } against)
        {
            await foreach (var item in EvaluationItems.OfAsync(artifacts, against, cancellationToken).ConfigureAwait(false))
                contamination.AddItem(item);
        }
        if (contamination.Items == 0)
            return 0;
        return domains.Sum(domain => Check(domain, contamination, request.Contamination, cancellationToken));
    }

    private int Check(DomainDraft domain, Contamination contamination, ContaminationAction action, CancellationToken cancellationToken)
    {
        var found = new List<(int Number, string Id)>();
        foreach (var group in spool.Read(domain.Documents, d => DomainDraft.IsIn(spool, d, DatasetSplits.Train)).Select(d => (d.Number, d.ToDocument()))
            .Chunk(GroupDocuments))
        {
            var holds = new bool[group.Length];
            Parallel.For(0, group.Length, new ParallelOptions { CancellationToken = cancellationToken }, () => new List<ulong>(), (i, _, words) =>
            {
                holds[i] = contamination.IsIn(group[i].Item2.Text, words);
                return words;
            }, _ => { });
            found.AddRange(group.Where((_, i) => holds[i]).Select(d => (d.Number, d.Item2.Id)));
        }
        if (found.Count == 0)
            return 0;
        var finding = FormattableString.Invariant($"{found.Count:N0} training documents of '{domain.Name}' share {Contamination.Words} words in a row")
            + $" with evaluation items, for example {found[0].Id}";
        if (action == ContaminationAction.Fail)
            throw new UserInputException($"{finding}. Take them out, or set 'contamination' to 'drop' or 'report'.");
        if (action == ContaminationAction.Drop)
            Drop(domain, found.Select(f => f.Number));
        log(finding + (action == ContaminationAction.Drop ? "; they are left out." : "; they stay: 'contamination: drop' leaves them out."));
        return found.Count;
    }

    private void Drop(DomainDraft domain, IEnumerable<int> documents)
    {
        foreach (var document in documents)
            spool.Settle(document, Fate.Contaminated);
        if (domain.SizeOf(spool, DatasetSplits.Train).Documents == 0)
            throw new UserInputException($"Every training document of '{domain.Name}' holds an evaluation item: nothing is left to train on.");
    }
}
