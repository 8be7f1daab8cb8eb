using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Stages;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>
/// Training by several members (SPES, arXiv 2602.11543). In a round each member takes some optimizer steps, on batches of its own: it trains
/// the dense part and its share of the experts, and leaves the others' as they are. Then all go on from the merged model
/// (<see cref="TeamRound"/>). A share of a round is a function of the round before, so anybody may do it: a member does its own, and then those
/// of members that are lost or not there yet. So one worker alone does all of it, and a kill costs a round at most and changes no bit.
/// </summary>
internal sealed class TeamTraining : IDisposable
{
    private const long DefaultSteps = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly TrainRun _run;
    private readonly TimeProvider _time;
    private readonly TeamPace _pace;
    private readonly TeamLayout _layout;
    private readonly SelectionBiasFolding _folding;
    private readonly StepRounds _rounds;
    private readonly Digest _stepKey;
    private readonly int _self;
    private readonly int _members;
    private readonly long _stepsPerRound;
    private readonly long _lastRound;
    private TeamMember? _member;
    private bool _isFresh = true;
    private (long Round, long Since) _waiting;

    /// <summary>Prepares the work; the ramp has seen the model as it was at the start.</summary>
    public TeamTraining(TrainRun run, TeamPace pace, TimeProvider time)
    {
        (_run, _pace, _time) = (run, pace, time);
        (_self, _members) = (run.Options.Member ?? 1, run.Options.Workers!.Value);
        _stepsPerRound = Math.Min(run.Options.SynchroniseSteps ?? DefaultSteps, run.Plan.Steps);
        _lastRound = (run.Plan.Steps + _stepsPerRound - 1) / _stepsPerRound;
        _stepKey = TeamKey.Of(run.Context, run.Options);
        _rounds = new StepRounds(run.Context.Artifacts, _stepKey);
        _layout = new TeamLayout(run.Start.Decoder);
        _folding = new SelectionBiasFolding(run.Options, run.Plan);
        if (run.Options.Balance == BalanceMethod.LossFree)
            run.Start.Decoder.AddSelectionBias();
    }

    /// <summary>Trains until the last round is whole. The decoder then is the trained model; null for a member that is not the first.</summary>
    public async Task<TeamResult?> RunAsync(CancellationToken cancellationToken)
    {
        var mates = await TeamMates.JoinAsync(_rounds, _self, _members, _pace, _time, cancellationToken).ConfigureAwait(false);
        await using var _ = mates.ConfigureAwait(false);
        var whole = -1L;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_self > 1 && await IsDoneAsync(cancellationToken).ConfigureAwait(false))
            {
                await _rounds.ClearAsync(cancellationToken).ConfigureAwait(false);
                return null;
            }
            try
            {
                var before = whole;
                whole = await _rounds.LastWholeAsync(_members, cancellationToken).ConfigureAwait(false);
                if (whole != before)
                    await KeepAsync(whole, cancellationToken).ConfigureAwait(false);
                if (whole >= _lastRound)
                    return _self == 1 ? await EndAsync(whole, cancellationToken).ConfigureAwait(false) : null;
                if (await ChooseAsync(whole + 1, mates, cancellationToken).ConfigureAwait(false) is { } share)
                    await TrainAsync(share, whole + 1, mates, cancellationToken).ConfigureAwait(false);
                else
                    await WaitAsync(whole + 1, mates, cancellationToken).ConfigureAwait(false);
            }
            catch (UnusableRoundException e)
            {
                await RecoverAsync(whole, e, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public void Dispose() => _member?.Dispose();

    private async Task<bool> IsDoneAsync(CancellationToken cancellationToken) =>
        await _run.Context.Artifacts.FindStepAsync(_stepKey, cancellationToken).ConfigureAwait(false) is not null
        && await _run.Context.Artifacts.FindIntactStepAsync(_stepKey, cancellationToken).ConfigureAwait(false) is not null;

    private async Task KeepAsync(long whole, CancellationToken cancellationToken)
    {
        await _rounds.DeleteBeforeAsync(whole, cancellationToken).ConfigureAwait(false);
        if (_self == 1 && whole > 0)
            await _run.Context.Cursor.SaveAsync(CanonicalJson.Serialize(new { round = whole }), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whose share of a round to do now: its own first; null when there is none but what others are at.</summary>
    private async Task<int?> ChooseAsync(long round, TeamMates mates, CancellationToken cancellationToken)
    {
        foreach (var share in Enumerable.Range(1, _members).OrderBy(member => member != _self))
        {
            if ((share == _self || !mates.IsExpected(share, round)) && !mates.IsWorkedOn(round, share)
                && await _rounds.FindAsync(round, share, cancellationToken).ConfigureAwait(false) is null)
            {
                await mates.TurnToAsync(round, share, cancellationToken).ConfigureAwait(false);
                if (!mates.IsWorkedOn(round, share, byLowerOnly: true))
                    return share;
                await mates.TurnToAsync(round, 0, cancellationToken).ConfigureAwait(false); // somebody else turned to it at the same time
            }
        }
        return null;
    }

    private async Task WaitAsync(long round, TeamMates mates, CancellationToken cancellationToken)
    {
        var progress = _run.Context.Progress;
        if (_waiting.Round != round)
        {
            _waiting = (round, _time.GetTimestamp());
            await mates.TurnToAsync(round, 0, cancellationToken).ConfigureAwait(false);
        }
        if (mates.Slowest() is { } slowest)
        {
            progress.Metric(TeamMetrics.Behind, slowest.Steps);
            var phase = $"waiting for worker {slowest.Member}, {slowest.Steps} optimizer steps behind";
            progress.Report(phase, mates.Step * _run.Plan.TokensPerStep, _run.Plan.Tokens, "tokens");
            if (_waiting.Since != 0 && _time.GetElapsedTime(_waiting.Since) > Patience)
            {
                progress.Log($"Round {round} of {_lastRound}: {phase}.");
                _waiting.Since = 0; // once a round
            }
        }
        await Task.Delay(_pace.Poll, _time, cancellationToken).ConfigureAwait(false);
    }

    private async Task TrainAsync(int share, long round, TeamMates mates, CancellationToken cancellationToken)
    {
        var (context, options, plan, start, teacher, monitor, ramp) = _run;
        var member = _member = await HoldAsync(share, round - 1, cancellationToken).ConfigureAwait(false);
        _isFresh = false;
        start.Data.Member = share - 1;
        monitor.Phase = share == _self ? "training" : $"training the share of worker {share}";
        var (first, end) = ((round - 1) * _stepsPerRound, Math.Min(round * _stepsPerRound, plan.Steps));
        if (share == 1)
            monitor.AfterExchange(first, member.Record);
        for (var step = first; step < end; step++)
        {
            cancellationToken.ThrowIfCancellationRequested(); // the position is the last exchange
            ramp.Apply(start.Decoder, step);
            _folding.Apply(start.Decoder, member.Trainer, step);
            var rate = plan.Schedule.At(step);
            var outcome = TrainStage.Step(context, member.Trainer, start.Data, rate, step);
            member.Record.Add(step, rate, outcome, plan);
            member.Count(outcome.Counts);
            var operations = TrainStage.OperationsOf(start.Decoder.Config, teacher, plan, outcome) / _members;
            member.Record.Operations += operations;
            if (share == _self)
                mates.Step = step + 1;
            monitor.After(step, outcome, rate, operations, member.Record);
        }
        member.Rounds = round;
        var made = await member.SaveAsync(context.Artifacts, _stepKey, start.Decoder, _layout, cancellationToken).ConfigureAwait(false);
        if ((await _rounds.PublishAsync(round, share, made, cancellationToken).ConfigureAwait(false)).Root != made.Root)
            Forget(); // made with another split of memory, which rounds otherwise
        await ReportAsync(share, round, made, cancellationToken).ConfigureAwait(false);
    }

    private async Task ReportAsync(int share, long round, ManifestRef made, CancellationToken cancellationToken)
    {
        if (share != _self)
        {
            _run.Context.Progress.Log($"Round {round} of {_lastRound}: did the share of worker {share}, which is not there.");
            return;
        }
        if (round is not 1 && round != _lastRound)
            return;
        try
        {
            var part = await CheckpointReader.OpenAsync(_run.Context.Artifacts, made, cancellationToken).ConfigureAwait(false);
            var bytes = TeamRound.BytesOf(part);
            _run.Context.Progress.Metric(TeamMetrics.Uploaded, bytes);
            _run.Context.Progress.Log(FormattableString.Invariant(
                $"Round {round} of {_lastRound}: {bytes:n0} bytes for the others, {made.SizeBytes - bytes:n0} more to go on from."));
        }
        catch (Artifacts.Blobs.MissingBlobException)
        {
            // The others have gone on.
        }
    }

    /// <summary>Makes the decoder the merged model of a round, and gives the member that goes on from there.</summary>
    private async Task<TeamMember> HoldAsync(int share, long round, CancellationToken cancellationToken)
    {
        var decoder = _run.Start.Decoder;
        if (round == 0)
        {
            if (!_isFresh)
                _run.Start.Restore();
            Forget();
            var even = ExpertShares.Even(decoder.Config, _members);
            return Create(share, even, new TrainingRecord(), [.. even.Owners.Select(layer => new long[layer.Count])]);
        }
        var done = await TeamRound.OpenAsync(_run.Context.Artifacts, _rounds, round, _members, cancellationToken).ConfigureAwait(false);
        var shares = done.NextShares;
        done.MergeInto(decoder, _layout);
        if (_member is { } member && member.Number == share && member.Rounds == round && member.Shares.IsLike(shares))
            return member;
        Forget();
        var notes = done.Notes[share - 1];
        var created = Create(share, shares, notes.Record, notes.Routed);
        try
        {
            done.LoadMoments(created.Optimizer, share, shares, _layout);
        }
        catch
        {
            created.Dispose();
            throw;
        }
        return created;
    }

    private TeamMember Create(int share, ExpertShares shares, TrainingRecord record, long[][] routed)
    {
        var decoder = _run.Start.Decoder;
        var optimizer = OptimizerChoice.CreateAdamW(decoder, _run.Options, _layout.RangesOf(share, shares));
        optimizer.Frozen = _layout.OthersOf(share, shares);
        optimizer.Rates = WeightGroups.Rates(decoder, _run.Options.Rates);
        var trainer = new DecoderTrainer(decoder, optimizer, TrainStage.SettingsOf(_run.Options, _run.Teacher, _run.Start))
        {
            HeldBack = _run.Ramp.HeldBack,
            Spikes = _run.Options.SkipSpikes > 0 ? new SpikeGuard(_run.Options.SkipSpikes, record.GradientNorms) : null,
        };
        return new TeamMember(share, shares, optimizer, trainer, record, routed);
    }

    private void Forget()
    {
        _member?.Dispose();
        _member = null;
    }

    private async Task<TeamResult> EndAsync(long round, CancellationToken cancellationToken)
    {
        var (context, _, plan, start, _, monitor, ramp) = _run;
        var done = await TeamRound.OpenAsync(context.Artifacts, _rounds, round, _members, cancellationToken).ConfigureAwait(false);
        Forget();
        done.MergeInto(start.Decoder, _layout);
        ramp.Route(start.Decoder, plan.Steps - 1); // routing as in the last step, whoever took it
        var record = TeamRecord.Of([.. done.Notes.Select(notes => notes.Record)]);
        start.Data.Member = 0;
        monitor.AfterExchange(plan.Steps, record);
        var bytes = Enumerable.Range(1, _members).Sum(done.BytesOf);
        return new TeamResult(record, TeamMetrics.Of(_lastRound, bytes),
            parent => done.SaveTrainerStateAsync(context.Artifacts, start.Decoder, _layout, parent, cancellationToken));
    }

    /// <summary>Goes on where the others are by now; where they are not further, the store has lost something, and the work begins anew.</summary>
    private async Task RecoverAsync(long round, UnusableRoundException error, CancellationToken cancellationToken)
    {
        _isFresh = false;
        Forget();
        if (_self > 1 && await IsDoneAsync(cancellationToken).ConfigureAwait(false)
            || await _rounds.LastWholeAsync(_members, cancellationToken).ConfigureAwait(false) > round)
            return;
        _run.Context.Progress.Log($"What the workers exchanged cannot be read from the store; starting again. {error.Message}");
        await _rounds.ClearAsync(cancellationToken).ConfigureAwait(false);
    }
}
