using System.Diagnostics.Metrics;
using Espalier.Database;
using Espalier.Messaging.Broker;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator;

/// <summary>Looks at the ledger and the broker now and then, so that metrics can be read without waiting for either.</summary>
internal sealed class OrchestratorGauges : BackgroundService
{
    private readonly StatusReader _status;
    private readonly BrokerQueues _queues;
    private readonly StageCatalog _stages;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _time;
    private readonly ILogger<OrchestratorGauges> _logger;
    private volatile IReadOnlyList<StepCount> _steps = [];
    private volatile IReadOnlyDictionary<string, long> _runs = new Dictionary<string, long>();
    private volatile IReadOnlyList<QueueState> _depths = [];
    private long _outbox;

    public OrchestratorGauges(StatusReader status, BrokerQueues queues, StageCatalog stages, IConfiguration configuration, TimeProvider time,
        ILogger<OrchestratorGauges> logger)
    {
        (_status, _queues, _stages, _time, _logger) = (status, queues, stages, time, logger);
        _interval = string.IsNullOrEmpty(configuration["telemetry:endpoint"]) ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(5);
        OrchestratorTelemetry.Observe("espalier.steps", "{step}", "Steps that are ready or running.", () =>
            _steps.Select(s => new Measurement<long>(s.Number, Tag("kind", s.Kind), Tag("device", s.Device), Tag("state", EnumText.Of(s.State)))));
        OrchestratorTelemetry.Observe("espalier.runs", "{run}", "Runs by state.", () => _runs.Select(r => new Measurement<long>(r.Value, Tag("state", r.Key))));
        OrchestratorTelemetry.Observe("espalier.queue.depth", "{message}", "Messages that wait in a queue.", () =>
            _depths.Select(q => new Measurement<long>(q.Ready, Tag("queue", q.Name))));
        OrchestratorTelemetry.Observe("espalier.queue.consumers", "{consumer}", "Who listens to a queue.", () =>
            _depths.Select(q => new Measurement<long>(q.Consumers, Tag("queue", q.Name))));
        OrchestratorTelemetry.Observe("espalier.outbox.depth", "{message}", "Messages that the ledger still owes to the broker.", () =>
            [new Measurement<long>(Interlocked.Read(ref _outbox))]);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _interval == Timeout.InfiniteTimeSpan
        ? Task.CompletedTask
        : new DatabaseLoop("Reading what the metrics show", _time, _logger).RunAsync(ReadAsync, _interval, stoppingToken);

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        _steps = await _status.StepsAsync(cancellationToken).ConfigureAwait(false);
        _runs = await _status.RunsAsync(cancellationToken).ConfigureAwait(false);
        Interlocked.Exchange(ref _outbox, await _status.OutboxDepthAsync(cancellationToken).ConfigureAwait(false));
        _depths = await Api.QueuesApi.ReadAsync(_queues, _stages, cancellationToken).ConfigureAwait(false);
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
