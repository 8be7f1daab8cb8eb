using System.Threading.Channels;
using Espalier.Contracts;
using MassTransit;

namespace Espalier.Cli.Hosting;

/// <summary>Events from the bus for whoever watches a run. Old progress is dropped when it is not read.</summary>
internal sealed class RunEvents
{
    private readonly Channel<StepProgress> _progress = Channel.CreateBounded<StepProgress>(
        new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly Channel<StepStateChanged> _changes = Channel.CreateBounded<StepStateChanged>(
        new BoundedChannelOptions(10_000) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly SemaphoreSlim _changed = new(0, 1);

    private readonly TaskCompletionSource _offered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<string> _awaited = [];

    /// <summary>Names the stage kinds that <see cref="WaitForStagesAsync"/> waits for.</summary>
    public void Await(IEnumerable<string> kinds)
    {
        lock (_awaited)
            _awaited.UnionWith(kinds);
    }

    /// <summary>Records that a worker offers a stage.</summary>
    public void Add(StageAdvertised stage)
    {
        lock (_awaited)
        {
            if (_awaited.Remove(stage.Kind) && _awaited.Count == 0)
                _offered.TrySetResult();
        }
    }

    /// <summary>Waits until the worker has advertised its stages, for which it loads the tensor engine.</summary>
    public Task WaitForStagesAsync(CancellationToken cancellationToken) => _offered.Task.WaitAsync(cancellationToken);

    public void Add(StepProgress progress)
    {
        _progress.Writer.TryWrite(progress);
        Wake();
    }

    public void Add(StepStateChanged change)
    {
        _changes.Writer.TryWrite(change);
        Wake();
    }

    /// <summary>Wakes the watcher: the ledger has changed.</summary>
    public void Wake()
    {
        try
        {
            _changed.Release();
        }
        catch (SemaphoreFullException)
        {
            // The watcher is awake already.
        }
    }

    /// <summary>Waits for a change, or for a limited time.</summary>
    public Task WaitAsync(TimeSpan limit, CancellationToken cancellationToken) => _changed.WaitAsync(limit, cancellationToken);

    /// <summary>Progress since the last call.</summary>
    public IEnumerable<StepProgress> Take()
    {
        while (_progress.Reader.TryRead(out var progress))
            yield return progress;
    }

    /// <summary>Changes of steps' states since the last call.</summary>
    public IEnumerable<StepStateChanged> TakeChanges()
    {
        while (_changes.Reader.TryRead(out var change))
            yield return change;
    }
}

/// <summary>Passes events of the bus to <see cref="RunEvents"/>.</summary>
internal sealed class RunEventsConsumer(RunEvents events)
    : IConsumer<StageAdvertised>, IConsumer<StepProgress>, IConsumer<StepStateChanged>, IConsumer<RunStateChanged>
{
    public Task Consume(ConsumeContext<StageAdvertised> context)
    {
        events.Add(context.Message);
        return Task.CompletedTask;
    }

    public Task Consume(ConsumeContext<StepProgress> context)
    {
        events.Add(context.Message);
        return Task.CompletedTask;
    }

    public Task Consume(ConsumeContext<StepStateChanged> context)
    {
        events.Add(context.Message);
        return Task.CompletedTask;
    }

    public Task Consume(ConsumeContext<RunStateChanged> context)
    {
        events.Wake();
        return Task.CompletedTask;
    }
}
