using Espalier.Contracts;
using Espalier.Registry;

namespace Espalier.Registry.Tests;

/// <summary>Names, versions and aliases on an embedded database; the same statements run on PostgreSQL in the integration tests.</summary>
public sealed class ModelRegistryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-registry").FullName;

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Register_SameStepTwice_MakesOneVersion()
    {
        var registry = await CreateAsync();

        var first = await registry.RegisterAsync(Version("demo", "a"), default);
        var second = await registry.RegisterAsync(Version("demo", "a"), default);

        first.IsNew.ShouldBeTrue();
        second.IsNew.ShouldBeFalse();
        second.Version.Version.ShouldBe(1);
        (await registry.ListAsync("demo", 10, default)).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("demo@v1")]
    [InlineData("demo@1")]
    public async Task Resolve_VersionWithOrWithoutItsLetter_IsTheSame(string reference)
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("demo", "a"), default);
        await registry.RegisterAsync(Version("demo", "b"), default);

        (await registry.ResolveAsync(reference, default)).Version.ShouldBe(1);
    }

    [Fact]
    public async Task Register_VersionWasDeletedOrAliasMoved_TheSameStepMakesItSureAgain()
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("demo", "a"), default);
        await registry.DeleteVersionAsync("demo", 1, default);

        var again = await registry.RegisterAsync(Version("demo", "a"), default);
        await registry.MoveAliasAsync("demo", "candidate", again.Version.Version, "run", "step", default);
        var other = await registry.RegisterAsync(Version("demo", "b"), default);
        await registry.MoveAliasAsync("demo", "candidate", other.Version.Version, "somebody", "", default);
        var once = await registry.RegisterAsync(Version("demo", "a"), default);
        await registry.MoveAliasAsync("demo", "candidate", once.Version.Version, "run", "step", default);
        await registry.MoveAliasAsync("demo", "candidate", once.Version.Version, "run", "step", default);

        (again.IsNew, once.IsNew, once.Version.Version).ShouldBe((true, false, again.Version.Version));
        (await registry.ResolveAsync("demo@candidate", default)).Version.ShouldBe(again.Version.Version);
        (await registry.MovesAsync("demo", default)).Count.ShouldBe(3, "a move to where it points already is none");
    }

    [Fact]
    public async Task Register_OtherStep_CountsUpFromOne()
    {
        var registry = await CreateAsync();

        await registry.RegisterAsync(Version("demo", "a"), default);
        var second = await registry.RegisterAsync(Version("demo", "b"), default);
        var other = await registry.RegisterAsync(Version("another", "a"), default);

        second.Version.Version.ShouldBe(2);
        other.Version.Version.ShouldBe(1);
    }

    [Fact]
    public async Task Register_ManyAtOnce_GivesEveryVersionItsOwnNumber()
    {
        var registry = await CreateAsync();

        var made = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => registry.RegisterAsync(Version("demo", $"step {i}"), default)));

        made.Select(m => m.Version.Version).Order().ShouldBe(Enumerable.Range(1, 12));
    }

    [Fact]
    public async Task Register_Metrics_AreKept()
    {
        var registry = await CreateAsync();

        await registry.RegisterAsync(Version("demo", "a") with { Metrics = new Dictionary<string, double> { ["loss"] = 2.5 } }, default);

        (await registry.ResolveAsync("demo", default)).Metrics["loss"].ShouldBe(2.5);
    }

    [Fact]
    public async Task MoveAlias_ToAnotherVersion_RecordsThePreviousOne()
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("demo", "a"), default);
        await registry.RegisterAsync(Version("demo", "b"), default);

        await registry.MoveAliasAsync("demo", "candidate", 1, "tester", "first", default);
        await registry.MoveAliasAsync("demo", "candidate", 2, "tester", "better", default);

        (await registry.ResolveAsync("demo@candidate", default)).Version.ShouldBe(2);
        var moves = await registry.MovesAsync("demo", default);
        moves.Select(m => (m.Version, m.Previous, m.Reason)).ShouldBe([(2, 1, "better"), (1, null, "first")]);
    }

    [Theory]
    [InlineData("demo", 1)]
    [InlineData("demo@1", 1)]
    [InlineData("demo@latest", 1)]
    public async Task Resolve_KnownReference_FindsTheVersion(string reference, int version)
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("demo", "a"), default);

        (await registry.ResolveAsync(reference, default)).Version.ShouldBe(version);
    }

    [Fact]
    public async Task Resolve_UnknownReference_ListsWhatThereIs()
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("demo", "a"), default);

        var error = await Should.ThrowAsync<UserInputException>(() => registry.ResolveAsync("dmeo@champion", default));

        error.Message.ShouldContain("demo@1");
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("v7")]
    [InlineData("12")]
    [InlineData("../etc")]
    [InlineData("")]
    public async Task MoveAlias_ReservedOrUnsafeWord_IsRefused(string alias)
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("demo", "a"), default);

        await Should.ThrowAsync<UserInputException>(() => registry.MoveAliasAsync("demo", alias, 1, "tester", "", default));
    }

    [Fact]
    public async Task Migrate_Twice_KeepsOldData()
    {
        var registry = await CreateAsync();
        await registry.RegisterAsync(Version("demo", "a"), default);

        var again = await CreateAsync();

        (await again.ResolveAsync("demo", default)).Version.ShouldBe(1);
    }

    private async Task<ModelRegistry> CreateAsync()
    {
        var database = new RegistryDatabase(new RegistryOptions { Database = $"Data Source={Path.Combine(_folder, "registry.db")}" });
        await database.MigrateAsync(default);
        return new ModelRegistry(database, TimeProvider.System);
    }

    private static NewVersion Version(string model, string step) => new()
    {
        Model = model,
        Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("weights"u8), 42),
        StepKey = Digest.Of(System.Text.Encoding.UTF8.GetBytes(step)),
    };
}
