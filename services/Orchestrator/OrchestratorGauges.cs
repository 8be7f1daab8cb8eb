using System.Diagnostics.Metrics;
using Espalier.Database;
using Espalier.Messaging.Broker;
using Espalier.Orchestrator.Ledger;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Orchestrator;

/// <summary>
/// What metrics show of the ledger and the broker: read every few seconds while telemetry is sent somewhere, and before somebody is handed
/// the metrics who asks for them.
/// </summary>
internal sealed class OrchestratorGauges : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5), Fresh = TimeSpan.FromSeconds(2);
    private static readonly string[] Devices = ["cpu", "cuda"];

    private readonly StatusReader _status;
    private readonly BrokerQueues _queues;
    private readonly StageCatalog _stages;
    private readonly bool _isSent;
    private readonly TimeProvider _time;
    private readonly ILogger<OrchestratorGauges> _logger;
    private readonly SemaphoreSlim _reading = new(1, 1);
    private volatile IReadOnlyList<StepCount> _steps = [];
    private volatile IReadOnlyList<StepDemand> _demand = [];
    private volatile IReadOnlyDictionary<string, long> _runs = new Dictionary<string, long>();
    private volatile IReadOnlyList<QueueState> _depths = [];
    private long _outbox;
    private long? _readAt;

    public OrchestratorGauges(StatusReader status, BrokerQueues queues, StageCatalog stages, IConfiguration configuration, TimeProvider time,
        ILogger<OrchestratorGauges> logger)
    {
        (_status, _queues, _stages, _time, _logger) = (status, queues, stages, time, logger);
        _isSent = !string.IsNullOrEmpty(configuration["telemetry:endpoint"]);
        OrchestratorTelemetry.Observe("espalier.steps", "{step}", "Steps that are ready or running.", () =>
            _steps.Select(s => new Measurement<long>(s.Number, Tag("kind", s.Kind), Tag("device", s.Device), Tag("state", EnumText.Of(s.State)))));
        OrchestratorTelemetry.Observe("espalier.steps.demand", "{step}", "Steps that ask for a worker's slot or hold one.", () =>
            _demand.Select(s => new Measurement<long>(s.Number, Tag("kind", s.Kind), Tag("device", s.Device))));
        OrchestratorTelemetry.Observe("espalier.runs", "{run}", "Runs by state.", () => _runs.Select(r => new Measurement<long>(r.Value, Tag("state", r.Key))));
        OrchestratorTelemetry.Observe("espalier.queue.depth", "{message}", "Messages that wait in a queue.", () =>
            _depths.Select(q => new Measurement<long>(q.Ready, Tag("queue", q.Name))));
        OrchestratorTelemetry.Observe("espalier.queue.consumers", "{consumer}", "Who listens to a queue.", () =>
            _depths.Select(q => new Measurement<long>(q.Consumers, Tag("queue", q.Name))));
        OrchestratorTelemetry.Observe("espalier.outbox.depth", "{message}", "Messages that the ledger still owes to the broker.", () =>
            [new Measurement<long>(Interlocked.Read(ref _outbox))]);
    }

    /// <summary>Reads anew, unless that was done a moment ago.</summary>
    /// <exception cref="System.Data.Common.DbException">The ledger does not answer: old numbers must not pass for new ones.</exception>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_readAt is { } at && _time.GetElapsedTime(at) < Fresh)
                return;
            await ReadAsync(cancellationToken).ConfigureAwait(false);
            _readAt = _time.GetTimestamp();
        }
        finally
        {
            _reading.Release();
        }
    }

    public override void Dispose()
    {
        _reading.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _isSent
        ? new DatabaseLoop("Reading what the metrics show", _time, _logger).RunAsync(RefreshAsync, Interval, stoppingToken)
        : Task.CompletedTask;

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        _steps = await _status.StepsAsync(cancellationToken).ConfigureAwait(false);
        _demand = WithZeros(await _status.DemandAsync(cancellationToken).ConfigureAwait(false));
        _runs = await _status.RunsAsync(cancellationToken).ConfigureAwait(false);
        Interlocked.Exchange(ref _outbox, await _status.OutboxDepthAsync(cancellationToken).ConfigureAwait(false));
        try
        {
            _depths = await Api.QueuesApi.ReadAsync(_queues, _stages, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is BrokerUnreachableException or OperationInterruptedException or AlreadyClosedException)
        {
            _depths = []; // the ledger's numbers are good all the same
        }
    }

    /// <summary>Every kind and device has a number: whoever scales by one takes a missing one for an error.</summary>
    private static List<StepDemand> WithZeros(IReadOnlyList<StepDemand> found)
    {
        var none = from kind in ServiceAccounts.All.SelectMany(a => a.Kinds) from device in Devices select new StepDemand(kind, device, 0);
        return [.. found.Concat(none).DistinctBy(d => (d.Kind, d.Device))];
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
