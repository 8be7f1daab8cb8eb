using Espalier.Contracts;
using Espalier.Integration.Tests.Distributed;
using Espalier.Registry;
using Espalier.TestKit.Servers;

namespace Espalier.Integration.Tests.Registry;

/// <summary>The registry's promises on a real PostgreSQL, where transactions do run at the same time.</summary>
[Collection(ServersCollection.Name)]
public sealed class PostgresRegistryTests(BrokerAndDatabase servers)
{
    [Fact]
    public async Task Register_SameStepTwice_MakesOneVersionWithItsMetrics()
    {
        var registry = await CreateAsync();

        var first = await registry.RegisterAsync(Version("a") with { Metrics = new Dictionary<string, double> { ["loss"] = 2.5 } }, default);
        var second = await registry.RegisterAsync(Version("a"), default);

        (first.IsNew, second.IsNew).ShouldBe((true, false));
        var only = (await registry.ListAsync("demo", 10, default)).ShouldHaveSingleItem();
        (only.Version, only.SizeBytes, only.Metrics["loss"]).ShouldBe((1, 5_000_000_000, 2.5));
        (await registry.ListAsync(null, 10, default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Register_ManyAtOnce_GivesEveryStepOneNumber()
    {
        var registry = await CreateAsync();

        var made = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(() => registry.RegisterAsync(Version($"step {i / 2}"), default))));

        made.Where(m => m.IsNew).Select(m => m.Version.Version).Order().ShouldBe(Enumerable.Range(1, 12));
        made.GroupBy(m => m.Version.StepKey).ShouldAllBe(step => step.Select(m => m.Version.Version).Distinct().Count() == 1);
    }

    [Fact]
    public async Task MoveAlias_ToAnotherVersion_ResolvesThereAndRecordsThePreviousOne()
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("a"), default);
        await registry.RegisterAsync(Version("b"), default);

        await registry.MoveAliasAsync("demo", "candidate", 1, "tester", "first", default);
        await registry.MoveAliasAsync("demo", "candidate", 2, "tester", "better", default);

        (await registry.ResolveAsync("demo@candidate", default)).Version.ShouldBe(2);
        (await registry.ListAsync("demo", 10, default)).Select(v => string.Join(',', v.Aliases)).ShouldBe(["candidate", ""]);
        (await registry.MovesAsync("demo", default)).Select(m => (m.Version, m.Previous, m.Reason)).ShouldBe([(2, 1, "better"), (1, null, "first")]);
    }

    [Theory]
    [InlineData("demo", 2)]
    [InlineData("demo@1", 1)]
    [InlineData("demo@latest", 2)]
    public async Task Resolve_KnownReference_FindsTheVersion(string reference, int version)
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("a"), default);
        await registry.RegisterAsync(Version("b"), default);

        (await registry.ResolveAsync(reference, default)).Version.ShouldBe(version);
    }

    [Fact]
    public async Task Resolve_UnknownReference_ListsWhatThereIs()
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("a"), default);

        var error = await Should.ThrowAsync<UserInputException>(() => registry.ResolveAsync("demo@champion", default));

        error.Message.ShouldContain("demo@1");
    }

    [Fact]
    public async Task Migrate_TwoAtOnceOverOldData_KeepsIt()
    {
        var connection = await servers.Database.NewDatabaseAsync();
        var made = await Task.WhenAll(CreateAsync(connection), CreateAsync(connection));
        await made[0].RegisterAsync(Version("a"), default);

        var again = await CreateAsync(connection);

        (await again.ResolveAsync("demo", default)).Version.ShouldBe(1);
    }

    private async Task<ModelRegistry> CreateAsync() => await CreateAsync(await servers.Database.NewDatabaseAsync());

    private static async Task<ModelRegistry> CreateAsync(string connection)
    {
        var database = new RegistryDatabase(new RegistryOptions { Database = connection });
        await Task.Run(() => database.MigrateAsync(default));
        return new ModelRegistry(database, TimeProvider.System);
    }

    /// <summary>More bytes than 32 bits can count.</summary>
    private static NewVersion Version(string step) => new()
    {
        Model = "demo",
        Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("weights"u8), 5_000_000_000),
        StepKey = Digest.Of(System.Text.Encoding.UTF8.GetBytes(step)),
    };
}
