using System.Collections.Concurrent;
using System.Data.Common;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.FaultInjection;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// Takes steps whose needs are done, finds their inputs, their condition and their key, and makes them cached, skipped or
/// ready. Whatever it did not get to is found again in the ledger. Each step's trouble is its own: one that cannot be prepared says
/// why in its run and is looked at again later, one whose store does not answer is left to itself, and the others go on.
/// </summary>
internal sealed class StepScheduler(
    StepPreparations preparations, PlanResolution plans, StepMemory memory, Wakeups wakeups,
    OrchestratorOptions options, TimeProvider time, ILogger<StepScheduler> logger) : BackgroundService
{
    private const int Batch = 64, AtOnce = 16, MostUnderWay = 512;

    /// <summary>So long a round waits for the store to answer about one step.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>A look into the store ends at last, so that a lost answer is asked for again.</summary>
    private static readonly TimeSpan LongestLook = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromSeconds(30);

    // Steps that the store has not answered about yet, and how often others could not be prepared.
    private readonly ConcurrentDictionary<long, bool> _underWay = new();
    private readonly ConcurrentDictionary<long, int> _tries = new();

    // Steps that cannot even be written to: until when they are passed over.
    private readonly ConcurrentDictionary<long, long> _passedOver = new();

    // Two steps with the same key must not become ready side by side.
    private readonly SemaphoreSlim _writing = new(1, 1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new DatabaseLoop("The scheduler", time, logger).RunAsync(
        async token => await PrepareAsync(token).ConfigureAwait(false) > 0,
        token => wakeups.Scheduler.WaitAsync(options.SweepInterval, time, token), options.SweepInterval, stoppingToken);

    /// <summary>Prepares one batch; returns the number of steps in it that could be looked at.</summary>
    internal async Task<int> PrepareAsync(CancellationToken cancellationToken)
    {
        var steps = await preparations.ListAsync(Batch + _underWay.Count + _passedOver.Count, cancellationToken).ConfigureAwait(false);
        using var slots = new SemaphoreSlim(AtOnce);
        var due = steps.Where(s => !_underWay.ContainsKey(s.Id) && !IsPassedOver(s.Id)).Take(Math.Min(Batch, MostUnderWay - _underWay.Count));
        var prepared = await Task.WhenAll(due.Select(s => TryInTurnAsync(s, slots, cancellationToken)).ToList()).ConfigureAwait(false);
        return prepared.Count(p => p);
    }

    private async Task<bool> TryInTurnAsync(StepRow step, SemaphoreSlim slots, CancellationToken cancellationToken)
    {
        await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _underWay[step.Id] = true;
            var preparing = Task.Run(() => TryAsync(step, cancellationToken), CancellationToken.None);
            if (await Task.WhenAny(preparing, Task.Delay(Patience, time, cancellationToken)).ConfigureAwait(false) == preparing)
                return await preparing.ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            var message = $"The artifact store has not answered for {Patience.TotalSeconds:0} s; still waiting.";
            OrchestratorLog.StepHeld(logger, step.RunId, step.Name, message, null);
            await preparations.HoldAsync(step, message, TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
            return false;
        }
        finally
        {
            slots.Release();
        }
    }

    private async Task<bool> TryAsync(StepRow step, CancellationToken cancellationToken)
    {
        try
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(LongestLook);
            await PrepareAsync(step, limited.Token).WaitAsync(limited.Token).ConfigureAwait(false);
            _tries.TryRemove(step.Id, out _);
            _passedOver.TryRemove(step.Id, out _);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && !(e is DbException d && preparations.IsUnavailable(d)))
        {
            await HoldAsync(step, e, cancellationToken).ConfigureAwait(false);
            return false;
        }
        finally
        {
            _underWay.TryRemove(step.Id, out _);
        }
    }

    private async Task PrepareAsync(StepRow step, CancellationToken cancellationToken)
    {
        var plan = JsonColumn.Read<PlannedStep>(step.Plan)!;
        var needs = await preparations.NeedsOfAsync(step, cancellationToken).ConfigureAwait(false);
        StepResolution resolution;
        try
        {
            var upstream = needs.ToDictionary(n => n.Name, n => (StepOutcome?)new StepOutcome(n.ReadOutputs(), n.ReadMetrics()));
            resolution = await plans.Decisions.ResolveAsync(plan, upstream, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is UserInputException or ExpressionException)
        {
            await preparations.RejectAsync(step, e.Message, cancellationToken).ConfigureAwait(false);
            return;
        }
        if (resolution.IsMet == false)
        {
            await preparations.SkipAsync(step, $"Its condition is false: {plan.When}", cancellationToken).ConfigureAwait(false);
            return;
        }
        if (resolution is not { Code: { } code, Digest: { } key })
            return; // nobody offers its kind now

        var memoryBytes = resolution.Outcome is null ? await memory.EstimateAsync(plan, resolution, cancellationToken).ConfigureAwait(false) : null;
        Faults.Reach(FaultPoints.StepPrepare);
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (resolution.Outcome is { } outcome)
            {
                await preparations.CachedAsync(step, key, resolution.Inputs, outcome, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await preparations.ReadyAsync(
                    step, key, StageCatalog.OfferOf(code), resolution.Inputs, resolution.Damage, cancellationToken, memoryBytes).ConfigureAwait(false);
            }
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Says in the run why its step waits, and puts the step off.</summary>
    private async Task HoldAsync(StepRow step, Exception error, CancellationToken cancellationToken)
    {
        var tries = _tries.AddOrUpdate(step.Id, 1, (_, before) => before + 1);
        var wait = FirstWait * Math.Pow(2, Math.Min(tries, 6) - 1);
        wait = wait < LongestWait ? wait : LongestWait;
        var message = error switch
        {
            OperationCanceledException => "The artifact store does not answer.",
            _ when StoreFailure.Is(error) => StoreFailure.Describe(error),
            _ => $"It cannot be prepared: {error.GetType().Name}: {error.Message}",
        };
        if (tries == 1)
            OrchestratorLog.StepHeld(logger, step.RunId, step.Name, message, error);
        try
        {
            await preparations.HoldAsync(step, MessageLimits.Cut(message), wait, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && !(e is DbException d && preparations.IsUnavailable(d)))
        {
            _passedOver[step.Id] = time.GetTimestamp() + (long)(wait.TotalSeconds * time.TimestampFrequency);
        }
    }

    private bool IsPassedOver(long step) => _passedOver.TryGetValue(step, out var until) && time.GetTimestamp() < until;
}
