using Espalier.Contracts;
using Espalier.Registry.Events;
using Espalier.Registry.Gates;
using Espalier.Registry.Queries;
using Espalier.Registry.Search;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Servers;

namespace Espalier.Registry.Tests;

/// <summary>The clock is set back by a day between changes: what came first is still known, in every list and for every decision.</summary>
public sealed class OrderTests(PostgresServer postgres) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-registry").FullName;
    private readonly ManualTime _time = new();
    private RegistryDatabase _database = null!;
    private ModelRegistry _registry = null!;

    public Task InitializeAsync() => OpenAsync($"Data Source={Path.Combine(_folder, "registry.db")}");

    public async Task DisposeAsync()
    {
        await _database.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Revert_ClockSetBackBetweenMoves_LeadsToTheVersionBefore(bool isPostgres)
    {
        if (isPostgres)
            await OpenAsync(await postgres.NewDatabaseAsync());
        await RegisterAsync("demo", "a", "b", "c");
        await MoveBackwardsAsync(1, 2, 3);

        var reverted = await _registry.RevertAliasAsync("demo", "champion", "tester", "", default);

        reverted.Version.ShouldBe(2);
        (await _registry.ResolveAsync("demo@champion", default)).Version.ShouldBe(2);
        (await _registry.MovesAsync("demo", default)).Select(m => m.Version).ShouldBe([2, 3, 2, 1]);
    }

    [Fact]
    public async Task Moves_ByPage_AreEachReadOnce()
    {
        await RegisterAsync("demo", "a", "b", "c");
        await MoveBackwardsAsync(1, 2, 3, 1, 2);
        var queries = new ModelQueries(_database);

        var (read, cursor) = (new List<int>(), (string?)null);
        do
        {
            var page = await queries.ListMovesAsync("demo", 2, cursor, default);
            read.AddRange(page.Items.Select(m => m.Version));
            cursor = page.Next;
        }
        while (cursor is not null);

        read.ShouldBe([2, 1, 3, 2, 1]);
    }

    [Fact]
    public async Task Models_ChangedLast_AreListedFirst()
    {
        foreach (var model in new[] { "first", "second", "third" })
        {
            await RegisterAsync(model, "a");
            _time.Now -= TimeSpan.FromDays(1);
        }
        await _registry.CreateModelAsync("fourth", "", new Dictionary<string, string>(), default);
        _time.Now -= TimeSpan.FromDays(1);
        await _registry.MoveAliasAsync("first", "champion", 1, "tester", "", default);
        var queries = new ModelQueries(_database);

        var page = await queries.ListModelsAsync(null, 2, null, default);
        var rest = await queries.ListModelsAsync(null, 2, page.Next, default);

        page.Items.Concat(rest.Items).Select(m => m.Name).ShouldBe(["first", "fourth", "third", "second"]);
    }

    [Fact]
    public async Task Search_OrderedByCreated_FollowsRegistration()
    {
        await RegisterAsync("demo", "a", "b", "c");

        var search = new VersionSearch(_database);
        var page = await search.FindAsync("order by created desc", 2, null, default);
        var rest = await search.FindAsync("order by created desc", 2, page.Next, default);

        page.Items.Concat(rest.Items).Select(v => v.Version).ShouldBe([3, 2, 1]);
        (await search.FindAsync("model = demo order by created", 10, null, default)).Items.Select(v => v.Version).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public async Task DecisionsAndVerdicts_AreInTheOrderInWhichTheyWereMade()
    {
        await RegisterAsync("demo", "a", "b");
        var gates = new PromotionGates(_database, _time);
        await gates.ReplaceAsync("demo", [new Gate("champion", "version > 0", 0)], "tester", default);
        await MoveBackwardsAsync(1, 2);
        foreach (var actor in new[] { "zoe", "max", "zoe" })
        {
            await gates.ApproveAsync("demo", 2, "champion", true, "", actor, default);
            _time.Now -= TimeSpan.FromDays(1);
        }

        (await gates.DecisionsAsync("demo", 10, default)).Select(d => d.Version).ShouldBe([2, 1]);
        (await gates.ApprovalsAsync("demo", 2, default)).Select(a => a.Actor).ShouldBe(["max", "zoe"]);
    }

    [Fact]
    public async Task Deliveries_DueTogether_GoOutInTheOrderOfEvents()
    {
        var webhooks = new Webhooks(_database, new RegistryOptions { AllowPrivateWebhooks = true }, _time);
        var (webhook, _) = await webhooks.CreateAsync("http://127.0.0.1:9/", null, "", "tester", default);
        var late = _time.Now;
        await RegisterAsync("demo", "a", "b", "c");

        var due = await WebhookDeliveries.ClaimAsync(_database, webhook.Id, 2, late, late.AddMinutes(1), default);

        due.Select(d => d.Number).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task Deliveries_PutOffBeforeTheClockWasSetBack_AreDue()
    {
        var webhooks = new Webhooks(_database, new RegistryOptions { AllowPrivateWebhooks = true }, _time);
        var (webhook, _) = await webhooks.CreateAsync("http://127.0.0.1:9/", null, "", "tester", default);
        await RegisterAsync("demo", "a");

        var due = await WebhookDeliveries.ClaimAsync(_database, webhook.Id, 2, _time.Now, _time.Now.AddMinutes(1), default);

        due.ShouldHaveSingleItem().Number.ShouldBe(1);
        (await WebhookDeliveries.ClaimAsync(_database, webhook.Id, 2, _time.Now, _time.Now.AddMinutes(1), default)).ShouldBeEmpty("it is claimed");
    }

    private async Task OpenAsync(string connectionString)
    {
        _database = new RegistryDatabase(new RegistryOptions { Database = connectionString });
        await _database.MigrateAsync(default);
        _registry = new ModelRegistry(_database, _time);
    }

    private async Task RegisterAsync(string model, params string[] steps)
    {
        foreach (var step in steps)
        {
            await _registry.RegisterAsync(new NewVersion
            {
                Model = model,
                Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("weights"u8), 42),
                StepKey = CanonicalJson.DigestOf(step),
            }, default);
            _time.Now -= TimeSpan.FromDays(1);
        }
    }

    private async Task MoveBackwardsAsync(params int[] versions)
    {
        foreach (var version in versions)
        {
            await _registry.MoveAliasAsync("demo", "champion", version, "tester", "", default);
            _time.Now -= TimeSpan.FromDays(1);
        }
    }
}
