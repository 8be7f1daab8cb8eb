using System.Collections.Concurrent;

namespace Espalier.Database.Tests;

public sealed class OutboxTests(TestDatabases databases) : IClassFixture<TestDatabases>
{
    private static readonly OutboxTable Table = new("outbox");
    private readonly ManualTime _time = new();

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Dispatch_SeveralProcesses_SendEveryMessageOnce(Engine engine)
    {
        const int Messages = 1000;
        var connection = await databases.NewAsync(engine);
        var processes = Enumerable.Range(0, 3).Select(_ => TestDatabases.Open(engine, connection)).ToList();
        await Migrator.MigrateAsync(processes[0], TestDatabases.Migrations, default);
        await AddAsync(processes[0], [.. Enumerable.Range(0, Messages).Select(i => $"{i}")]);
        var sent = new ConcurrentBag<string>();

        await Task.WhenAll(processes.Select(p => Task.Run(() => DrainAsync(p))));

        sent.Order().ShouldBe(Enumerable.Range(0, Messages).Select(i => $"{i}").Order());
        foreach (var process in processes)
            await process.DisposeAsync();

        async Task DrainAsync(SqlDatabase database)
        {
            var outbox = new Outbox(database, Table, TimeProvider.System);
            while (await outbox.CountAsync(default) > 0)
            {
                await outbox.DispatchAsync(async (message, _) =>
                {
                    await Task.Yield();
                    sent.Add(message.Body);
                }, default);
            }
        }
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Dispatch_ProcessDiesWithAClaim_AnotherSendsAfterTheLease(Engine engine)
    {
        await using var database = await databases.CreateAsync(engine, _time);
        await AddAsync(database, "a");
        var dying = new Outbox(database, Table, _time) { Reached = moment => throw new InvalidOperationException($"dies at {moment}") };
        await Should.ThrowAsync<InvalidOperationException>(() => dying.DispatchAsync(NeverAsync, default));

        (await SendAsync(database)).ShouldBeEmpty("the claim still holds");
        _time.Advance(Outbox.Lease);
        (await SendAsync(database)).ShouldBe(["a"]);
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Dispatch_PoisonedMessages_OthersGoOnAndThePoisonWaitsLongerEachTime(Engine engine)
    {
        await using var database = await databases.CreateAsync(engine, _time);
        await AddAsync(database, "bad", "bad", "bad", "bad", "bad", "a", "b");
        var outbox = new Outbox(database, Table, _time);
        var sent = new List<string>();

        for (var round = 0; round < 3; round++)
            await outbox.DispatchAsync(SendGoodAsync, default);

        sent.ShouldBe(["a", "b"]);
        (await outbox.CountAsync(default)).ShouldBe(5);
        _time.Advance(TimeSpan.FromSeconds(0.6));
        (await outbox.DispatchAsync(SendGoodAsync, default)).Failures.Count.ShouldBe(3);
        _time.Advance(TimeSpan.FromSeconds(0.6));
        (await outbox.DispatchAsync(SendGoodAsync, default)).Failures.Select(f => f.Message.Attempts).ShouldBe([2, 2]);
        _time.Advance(TimeSpan.FromSeconds(0.3));
        (await outbox.DispatchAsync(SendGoodAsync, default)).Failures.ShouldBeEmpty("the second wait is longer than the first");

        Task SendGoodAsync(OutboxMessage message, CancellationToken cancellationToken)
        {
            if (message.Body == "bad")
                throw new InvalidDataException("It cannot be read.");
            sent.Add(message.Body);
            return Task.CompletedTask;
        }
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Dispatch_ReceiverAway_KeepsOrderAndCountsNoAttemptOfWhatWasNotTried(Engine engine)
    {
        await using var database = await databases.CreateAsync(engine, _time);
        await AddAsync(database, [.. Enumerable.Range(0, 10).Select(i => $"{i}")]);

        var round = await new Outbox(database, Table, _time).DispatchAsync((_, _) => throw new IOException("away"), default);

        round.Failures.Count.ShouldBe(3, "a receiver that is away is not asked for every message");
        (await database.CountAsync("select count(*) from outbox where attempts = 0")).ShouldBe(7);
        _time.Advance(TimeSpan.FromSeconds(1));
        (await SendAsync(database)).ShouldBe(Enumerable.Range(0, 10).Select(i => $"{i}"));
    }

    [Fact]
    public async Task Dispatch_SendNeverEnds_IsGivenUpAndTheLoopGoesOn()
    {
        await using var database = await databases.CreateAsync(Engine.Sqlite, _time);
        await AddAsync(database, "stuck", "a");
        var sent = new List<string>();

        var round = await new Outbox(database, Table, _time).DispatchAsync((message, _) =>
        {
            if (message.Body == "stuck")
                return new TaskCompletionSource().Task; // does not even look at its token
            sent.Add(message.Body);
            return Task.CompletedTask;
        }, default);

        sent.ShouldBe(["a"]);
        round.Failures.ShouldHaveSingleItem().Error.ShouldBeOfType<TimeoutException>();
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Add_TransactionRolledBack_LeavesNoMessage(Engine engine)
    {
        await using var database = await databases.CreateAsync(engine, _time);

        await Should.ThrowAsync<InvalidOperationException>(() => database.WriteAsync(async t =>
        {
            await Table.AddAsync(t, "", "test", "lost", 0);
            throw new InvalidOperationException("the change failed");
        }, default));

        (await database.CountAsync("select count(*) from outbox")).ShouldBe(0);
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Dispatch_NotBefore_WaitsUntilThen(Engine engine)
    {
        await using var database = await databases.CreateAsync(engine, _time);
        await database.WriteAsync(t => Table.AddAsync(t, "", "test", "later", t.Now + 5000), default);

        (await SendAsync(database)).ShouldBeEmpty();
        _time.Advance(TimeSpan.FromSeconds(5));

        (await SendAsync(database)).ShouldBe(["later"]);
    }

    private static Task AddAsync(SqlDatabase database, params string[] bodies) => database.WriteAsync(async t =>
    {
        foreach (var body in bodies)
            await Table.AddAsync(t, "", "test", body, 0);
    }, default);

    private async Task<List<string>> SendAsync(SqlDatabase database)
    {
        var sent = new List<string>();
        await new Outbox(database, Table, _time).DispatchAsync((message, _) =>
        {
            sent.Add(message.Body);
            return Task.CompletedTask;
        }, default);
        return sent;
    }

    private static Task NeverAsync(OutboxMessage message, CancellationToken cancellationToken) => throw new InvalidOperationException("It died before this.");
}
