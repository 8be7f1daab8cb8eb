using System.Collections.Concurrent;
using Espalier.Artifacts;
using Espalier.Stages;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>
/// What a member knows of the others: a record of each in the store, which changes while it lives. No clocks are compared; a member counts
/// as lost when its record has not changed for a while by the clock of whoever looks.
/// </summary>
internal sealed class TeamMates : IAsyncDisposable
{
    private readonly StepRounds _rounds;
    private readonly int _self;
    private readonly int[] _others;
    private readonly TeamPace _pace;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _left = new();
    private readonly ConcurrentDictionary<int, (MemberPosition Position, long ChangedAt)> _seen = new();
    private volatile MemberPosition _position = new(0, 0, 0, 0);
    private long _beats;
    private Task _beating = Task.CompletedTask;

    private TeamMates(StepRounds rounds, int self, int members, TeamPace pace, TimeProvider time)
    {
        (_rounds, _self, _pace, _time) = (rounds, self, pace, time);
        _others = [.. Enumerable.Range(1, members).Where(member => member != self)];
    }

    /// <summary>Tells the others that a member is there, until it is disposed.</summary>
    public static async Task<TeamMates> JoinAsync(
        StepRounds rounds, int self, int members, TeamPace pace, TimeProvider time, CancellationToken cancellationToken)
    {
        var mates = new TeamMates(rounds, self, members, pace, time);
        await mates.BeatAsync(cancellationToken).ConfigureAwait(false);
        mates._beating = Task.Run(mates.BeatUntilLeftAsync, CancellationToken.None);
        return mates;
    }

    /// <summary>Optimizer steps that this member has done of its own share.</summary>
    public long Step
    {
        get => _position.Step;
        set => _position = _position with { Step = value };
    }

    /// <summary>Says at once what this member works on, and looks at what the others do.</summary>
    /// <param name="round">The round.</param>
    /// <param name="share">Whose share of it; 0 while it waits.</param>
    /// <param name="cancellationToken">Stops.</param>
    public Task TurnToAsync(long round, int share, CancellationToken cancellationToken)
    {
        _position = _position with { Round = round, Share = share };
        return BeatAsync(cancellationToken);
    }

    /// <summary>Whether somebody who lives works on a member's share of a round.</summary>
    public bool IsWorkedOn(long round, int share, bool byLowerOnly = false) =>
        _others.Any(mate => (mate < _self || !byLowerOnly) && Find(mate) is { } position && position.Round == round && position.Share == share);

    /// <summary>Whether a member lives and has not gone past a round, so that its share will come.</summary>
    public bool IsExpected(int member, long round) => member == _self || Find(member) is { } position && position.Round <= round;

    /// <summary>The member that is furthest behind this one, and by how many steps; null when nobody is.</summary>
    public (int Member, long Steps)? Slowest() => _others
        .Where(mate => Find(mate) is { } position && position.Step < Step)
        .Select(mate => ((int, long)?)(mate, Step - Find(mate)!.Step)).MaxBy(behind => behind!.Value.Item2);

    /// <summary>Leaves.</summary>
    public async ValueTask DisposeAsync()
    {
        await _left.CancelAsync().ConfigureAwait(false);
        await _beating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _left.Dispose();
    }

    private MemberPosition? Find(int mate) =>
        _seen.TryGetValue(mate, out var seen) && _time.GetElapsedTime(seen.ChangedAt) < _pace.Silence ? seen.Position : null;

    private async Task BeatUntilLeftAsync()
    {
        while (!_left.IsCancellationRequested)
        {
            await Task.Delay(_pace.Beat, _time, _left.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (!_left.IsCancellationRequested)
                    await BeatAsync(_left.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (StoreFailure.Is(e))
            {
                // Whoever needs the store for more than this says so.
            }
        }
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        await _rounds.TellAsync(_self, _position with { Time = Interlocked.Increment(ref _beats) }, cancellationToken).ConfigureAwait(false);
        foreach (var mate in _others)
        {
            if (await _rounds.AskAsync(mate, cancellationToken).ConfigureAwait(false) is { } position
                && (!_seen.TryGetValue(mate, out var seen) || seen.Position != position))
                _seen[mate] = (position, _time.GetTimestamp());
        }
    }
}
