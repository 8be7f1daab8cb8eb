using Espalier.Contracts;
using Espalier.Registry.Queries;
using Espalier.Registry.Tests.Mlflow;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests;

/// <summary>Versions are deleted: the name means the newest that is left, and no number is given out twice.</summary>
public sealed class DeletionTests : IAsyncLifetime
{
    private RegistryServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        foreach (var step in new[] { "a", "b", "c" })
            await RegisterAsync(step);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(3, 2)]
    [InlineData(2, 3)]
    public async Task Name_AfterADeletion_MeansTheNewestThatIsLeft(int deleted, int newest)
    {
        await _server.Registry.DeleteVersionAsync("demo", deleted, default);

        (await _server.Registry.ResolveAsync("demo", default)).Version.ShouldBe(newest);
        (await _server.Registry.ResolveAsync("demo@latest", default)).Version.ShouldBe(newest);
        (await _server.Get<ModelQueries>().FindModelAsync("demo", default))!.Latest.ShouldBe(newest);
    }

    [Fact]
    public async Task MlflowClient_AfterTheNewestWasDeleted_SeesTheOneBefore()
    {
        using var http = _server.Client();
        var client = new MlflowClient(http);
        await client.DeleteModelVersionAsync("demo", "3");

        (await client.GetRegisteredModelAsync("demo")).LatestVersions.ShouldHaveSingleItem().Version.ShouldBe("2");
        (await client.GetLatestVersionsAsync("demo")).ShouldHaveSingleItem().Version.ShouldBe("2");
        (await client.SearchRegisteredModelsAsync()).RegisteredModels.ShouldHaveSingleItem().LatestVersions.ShouldHaveSingleItem().Version.ShouldBe("2");
    }

    [Fact]
    public async Task Number_OfADeletedVersion_IsNotGivenOutAgain()
    {
        await _server.Registry.DeleteVersionAsync("demo", 3, default);

        await RegisterAsync("d");

        (await _server.Registry.ResolveAsync("demo", default)).Version.ShouldBe(4);
    }

    [Fact]
    public async Task Name_WithoutVersions_IsRefused_AndCountsOn()
    {
        foreach (var version in new[] { 1, 2, 3 })
            await _server.Registry.DeleteVersionAsync("demo", version, default);

        await Should.ThrowAsync<UserInputException>(() => _server.Registry.ResolveAsync("demo", default));
        (await _server.Get<ModelQueries>().FindModelAsync("demo", default))!.Latest.ShouldBe(0);
        await RegisterAsync("d");
        (await _server.Registry.ResolveAsync("demo", default)).Version.ShouldBe(4);
    }

    [Fact]
    public async Task Revert_ToADeletedVersion_SaysThatItIsGone()
    {
        foreach (var version in new[] { 1, 2 })
            await _server.Registry.MoveAliasAsync("demo", "champion", version, "tester", "", default);
        await _server.Registry.DeleteVersionAsync("demo", 1, default);

        var error = await Should.ThrowAsync<UserInputException>(() => _server.Registry.RevertAliasAsync("demo", "champion", "tester", "", default));

        error.Message.ShouldContain("version 1 before, which was deleted");
        (await _server.Registry.ResolveAsync("demo@champion", default)).Version.ShouldBe(2);
    }

    private Task RegisterAsync(string step) => _server.Registry.RegisterAsync(new NewVersion
    {
        Model = "demo",
        Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("weights"u8), 42),
        StepKey = CanonicalJson.DigestOf(step),
    }, default);
}
