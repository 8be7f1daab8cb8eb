using System.Collections.Concurrent;
using Espalier.TestKit.Servers;
using Microsoft.Extensions.Logging;

namespace Espalier.Database.Tests;

public sealed class DatabaseLoopTests
{
    [Fact]
    public async Task Run_FailsForManyRounds_SaysItOnceAndThatItWorksAgain()
    {
        var log = new ListLogger();
        using var stop = new CancellationTokenSource();
        var rounds = 0;

        await new DatabaseLoop("The loop", TimeProvider.System, log).RunAsync(_ =>
        {
            rounds++;
            if (rounds == 25)
                stop.Cancel();
            return rounds is > 2 and < 20 ? throw new IOException("away") : Task.CompletedTask;
        }, TimeSpan.FromMilliseconds(1), stop.Token);

        log.Lines.Count.ShouldBe(2);
        log.Lines.First().ShouldContain("away");
        log.Lines.Last().ShouldContain("works again");
    }

    [Fact]
    public async Task Dispatcher_PostgresCrashesAndComesBack_SaysSoOnceAndSendsWhatWaited()
    {
        var server = new PostgresServer();
        await server.InitializeAsync();
        try
        {
            await using var database = new SqlDatabase(new PostgresDialect(await server.NewDatabaseAsync()), TimeProvider.System);
            await Migrator.MigrateAsync(database, TestDatabases.Migrations, default);
            var (log, publisher, table) = (new ListLogger(), new Publisher(), new OutboxTable("outbox"));
            var outbox = new Outbox(database, table, TimeProvider.System);
            using var dispatcher = new OutboxDispatcher(outbox, publisher, new Wakeup(), TimeSpan.FromMilliseconds(20), TimeProvider.System, log);
            await dispatcher.StartAsync(default);

            await server.CrashAsync();
            await log.WaitForAsync("fails");
            await server.StartAsync();
            await log.WaitForAsync("works again");
            await database.WriteAsync(t => table.AddAsync(t, "", "test", "a", 0), default);

            (await publisher.NextAsync()).ShouldBe("a");
            await dispatcher.StopAsync(default);
            log.Lines.GroupBy(l => l).ShouldAllBe(same => same.Count() == 1);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private sealed class Publisher : IOutboxPublisher
    {
        private readonly TaskCompletionSource<string> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task PublishAsync(OutboxMessage message, CancellationToken cancellationToken)
        {
            _first.TrySetResult(message.Body);
            return Task.CompletedTask;
        }

        public Task<string> NextAsync() => _first.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }

    private sealed class ListLogger : ILogger<OutboxDispatcher>
    {
        private readonly SemaphoreSlim _added = new(0);

        public ConcurrentQueue<string> Lines { get; } = new();

        public async Task WaitForAsync(string part)
        {
            while (!Lines.Any(l => l.Contains(part, StringComparison.Ordinal)))
                (await _added.WaitAsync(TimeSpan.FromSeconds(120))).ShouldBeTrue($"no line says '{part}'");
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Lines.Enqueue(formatter(state, exception));
            _added.Release();
        }
    }
}
