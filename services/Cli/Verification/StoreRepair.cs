using System.Collections.Concurrent;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Orchestrator.Repair;
using Espalier.Registry;
using Espalier.Stages.Worker;

namespace Espalier.Cli.Verification;

/// <summary>
/// Compares ledger, registry and store, as after a restore of backups from different moments, and brings them back together: what the
/// store does not have is marked, to be made again, and never deleted. What it has is left as it is.
/// </summary>
internal sealed class StoreRepair(ArtifactStore store, LedgerRepair ledger, ModelRegistry models, RunAgain again, Action<string> say)
{
    /// <summary>Findings of a kind that are listed; all are counted.</summary>
    public const int MostOfAKind = 1000;

    /// <summary>The tag that says what an incomplete version lacks.</summary>
    public const string IncompleteTag = "espalier.incomplete";

    private const int MostVersions = 100_000, LooksAtOnce = 8;
    private readonly List<RepairFinding> _findings = [];
    private readonly Dictionary<RepairKind, int> _counts = [];

    /// <summary>Compares, and unless it is a dry run does what is safe.</summary>
    public async Task<RepairOutcome> RunAsync(bool isDryRun, CancellationToken cancellationToken)
    {
        say("listing the store");
        var inventory = await StoreInventory.ReadAsync(store, cancellationToken).ConfigureAwait(false);
        say($"looking at {inventory.Steps.Count} step records");
        var keys = await ledger.ReadKeysAsync(cancellationToken).ConfigureAwait(false);
        var runs = await ledger.ReadRunsAsync(cancellationToken).ConfigureAwait(false);
        await CheckRecordsAsync(inventory, keys, runs, isDryRun, cancellationToken).ConfigureAwait(false);
        say("looking at the registry");
        var versions = await models.ListAsync(null, MostVersions, cancellationToken).ConfigureAwait(false);
        var incomplete = await FindDamageAsync(versions.Select(v => v.Root).Distinct(), inventory.FindDamageAsync, cancellationToken).ConfigureAwait(false);
        say("looking at the ledger");
        await CheckLeasesAsync(isDryRun, cancellationToken).ConfigureAwait(false); // first, so that such a step waits too when its input is gone
        var results = await CheckLedgerAsync(inventory, versions, incomplete, isDryRun, cancellationToken).ConfigureAwait(false);
        await FlagVersionsAsync(versions, incomplete, results, isDryRun, cancellationToken).ConfigureAwait(false);
        return new RepairOutcome(
            !_findings.Any(f => f.IsMissing), isDryRun, Hosting.StoreInUse.Describe(store), inventory.Blobs, inventory.Bytes, inventory.Steps.Count,
            results.Count, versions.Count, _counts.ToDictionary(c => Terminals.Terminal.Word(c.Key), c => c.Value),
            [.. _findings.OrderBy(f => f.Kind)]);
    }

    private void Add(RepairFinding finding)
    {
        var count = _counts[finding.Kind] = _counts.GetValueOrDefault(finding.Kind) + 1;
        if (count <= MostOfAKind)
            _findings.Add(finding);
    }

    private async Task CheckRecordsAsync(
        StoreInventory inventory, HashSet<Digest> keys, HashSet<Guid> runs, bool isDryRun, CancellationToken cancellationToken)
    {
        var damage = await FindDamageAsync(
            inventory.Steps, async (key, token) => (await inventory.InspectStepAsync(key, token).ConfigureAwait(false)).Damage, cancellationToken)
            .ConfigureAwait(false);
        foreach (var key in inventory.Steps.Where(key => damage.ContainsKey(key) || !keys.Contains(key)))
        {
            var receipt = await StepReceipt.FindAsync(store, key, cancellationToken).ConfigureAwait(false);
            var finding = new RepairFinding
            {
                Kind = RepairKind.ResultUnknown, Key = key, Run = receipt?.RunId, Step = receipt?.Step, Stage = receipt?.Kind,
                Detail = receipt is not null && runs.Contains(receipt.RunId)
                    ? "the ledger does not know this result yet; the run finds it when it comes to the step"
                    : "the ledger does not know the run that made this; the same work finds it whenever it is submitted again",
            };
            if (damage.TryGetValue(key, out var reason))
            {
                var aside = isDryRun ? null : await inventory.SetAsideAsync(key, cancellationToken).ConfigureAwait(false);
                finding = finding with
                {
                    Kind = RepairKind.RecordUnusable, Detail = reason, IsDone = aside is not null,
                    Action = aside is null ? "set the record aside, so that the step counts as not done" : $"set aside as {aside}",
                };
            }
            Add(finding);
        }
    }

    /// <summary>What is wrong with some of many, of which several are looked at together.</summary>
    private static async Task<IReadOnlyDictionary<Digest, string>> FindDamageAsync(
        IEnumerable<Digest> items, Func<Digest, CancellationToken, Task<string?>> find, CancellationToken cancellationToken)
    {
        var damage = new ConcurrentDictionary<Digest, string>();
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = LooksAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(items, parallel, async (item, token) =>
        {
            if (await find(item, token).ConfigureAwait(false) is { } found)
                damage[item] = found;
        }).ConfigureAwait(false);
        return damage;
    }

    /// <summary>Looks at every result of the ledger, run by run, and puts back what has to be made again.</summary>
    private async Task<(int Count, Dictionary<Digest, Maker> Makers)> CheckLedgerAsync(
        StoreInventory inventory, IReadOnlyList<ModelVersion> versions, IReadOnlyDictionary<Digest, string> incomplete, bool isDryRun,
        CancellationToken cancellationToken)
    {
        var registered = versions.Select(v => v.StepKey).ToHashSet();
        var (count, makers) = (0, new Dictionary<Digest, Maker>());
        var ofRun = new List<(LedgerResult Result, string Damage)>();
        await foreach (var result in ledger.ReadResultsAsync(cancellationToken).ConfigureAwait(false))
        {
            count++;
            if (result.IsEffect)
            {
                CheckRegistration(result, registered);
                continue;
            }
            if (ofRun is [var first, ..] && first.Result.Run.RunId != result.Run.RunId)
                await PutBackAsync(ofRun, incomplete, makers, isDryRun, cancellationToken).ConfigureAwait(false);
            if (await inventory.FindDamageAsync(result.Outputs, cancellationToken).ConfigureAwait(false) is { } damage)
                ofRun.Add((result, damage));
        }
        await PutBackAsync(ofRun, incomplete, makers, isDryRun, cancellationToken).ConfigureAwait(false);
        return (count, makers);
    }

    private void CheckRegistration(LedgerResult result, HashSet<Digest> registered)
    {
        if (result.Kind != StageKinds.Register || result.Key is not { } key || registered.Contains(key))
            return;
        Add(new RepairFinding
        {
            Kind = RepairKind.RegistrationUnknown, Run = result.Run.RunId, Step = result.Step, Stage = result.Kind, Key = key,
            Detail = "the registry has no version of this registration: it was deleted since, or the registry is older than the ledger; running "
                + "the pipeline again registers it from the kept result",
            Command = again.CommandOf(result.Run),
        });
    }

    private async Task PutBackAsync(
        List<(LedgerResult Result, string Damage)> lost, IReadOnlyDictionary<Digest, string> incomplete, Dictionary<Digest, Maker> makers, bool isDryRun,
        CancellationToken cancellationToken)
    {
        if (lost.Count == 0)
            return;
        var run = lost[0].Result.Run;
        var wanted = lost.Where(l => l.Result.Outputs.Values.Any(o => incomplete.ContainsKey(o.Root))).Select(l => l.Result.Step).ToHashSet();
        var needed = await ledger.FindNeededAsync(run, lost.Select(l => l.Result.Step).ToHashSet(), wanted, cancellationToken).ConfigureAwait(false);
        var damage = lost.Where(l => needed.Contains(l.Result.Step)).ToDictionary(l => l.Result.Step, l => l.Damage);
        var back = isDryRun || damage.Count == 0 ? [] : await ledger.PutBackAsync(run.RunId, damage, cancellationToken).ConfigureAwait(false);
        foreach (var (result, reason) in lost)
        {
            var isNeeded = needed.Contains(result.Step);
            foreach (var output in result.Outputs.Values.Where(o => isNeeded || !makers.ContainsKey(o.Root)))
                makers[output.Root] = new Maker(result, isNeeded);
            Add(new RepairFinding
            {
                Kind = isNeeded ? RepairKind.ResultLost : RepairKind.ResultGone, Detail = reason,
                Run = run.RunId, Step = result.Step, Stage = result.Kind, Key = result.Key,
                Action = isNeeded ? "mark the step, so that its run does it again" : null,
                IsDone = back.Contains(result.Step),
                Command = again.CommandOf(run),
            });
        }
        lost.Clear();
    }

    private async Task FlagVersionsAsync(
        IReadOnlyList<ModelVersion> versions, IReadOnlyDictionary<Digest, string> incomplete, (int Count, Dictionary<Digest, Maker> Makers) results,
        bool isDryRun, CancellationToken cancellationToken)
    {
        foreach (var version in versions)
        {
            var damage = incomplete.GetValueOrDefault(version.Root);
            var flag = version.Tags.GetValueOrDefault(IncompleteTag);
            if (damage is null && flag is null)
                continue;
            if (!isDryRun && damage != flag)
            {
                var tags = new Dictionary<string, string?> { [IncompleteTag] = damage };
                await models.ChangeAsync(version.Model, version.Version, null, tags, cancellationToken).ConfigureAwait(false);
            }
            var (remedy, command) = damage is null ? ("", null) : RemedyOf(version, results.Makers);
            Add(new RepairFinding
            {
                Kind = damage is null ? RepairKind.VersionWhole : RepairKind.VersionIncomplete,
                Model = version.Model, Version = version.Version, Aliases = version.Aliases,
                Run = version.RunId == Guid.Empty ? null : version.RunId, Step = version.Step.Length == 0 ? null : version.Step,
                Detail = damage is null ? "all its bytes are there again" : $"{damage}; {remedy}",
                Action = damage is null ? $"take the tag {IncompleteTag} away" : $"tag it {IncompleteTag}", IsDone = !isDryRun,
                Command = command,
            });
        }
    }

    private (string Remedy, string? Command) RemedyOf(ModelVersion version, Dictionary<Digest, Maker> makers) =>
        makers.TryGetValue(version.Root, out var maker)
            ? maker.IsMarked
                ? ($"step '{maker.Result.Step}' of run {maker.Result.Run.RunId:N} makes it again", again.CommandOf(maker.Result.Run))
                : ($"doing step '{maker.Result.Step}' of run {maker.Result.Run.RunId:N} again makes the same bytes", again.CommandOf(maker.Result.Run))
            : version.Step.Length == 0
                ? ($"it was imported ({version.Origin}): import it again", $"espalier import DIR --name {version.Model}")
                : ($"step '{version.Step}' made it in a run that the ledger does not have: run its pipeline again", null);

    private async Task CheckLeasesAsync(bool isDryRun, CancellationToken cancellationToken)
    {
        foreach (var lease in await ledger.ReadLostLeasesAsync(cancellationToken).ConfigureAwait(false))
        {
            var isDone = !isDryRun && await ledger.ReleaseAsync(lease, cancellationToken).ConfigureAwait(false);
            Add(new RepairFinding
            {
                Kind = RepairKind.LeaseOver, Run = lease.RunId, Step = lease.Step, Stage = lease.Kind,
                Detail = $"worker {lease.Worker} had it until {lease.Until:yyyy-MM-dd HH:mm:ss}Z",
                Action = "give it to the next worker, which goes on from its saved position", IsDone = isDone,
            });
        }
    }

    /// <summary>Who made an artifact that is gone, and whether the step is marked to be done again.</summary>
    private sealed record Maker(LedgerResult Result, bool IsMarked);
}
