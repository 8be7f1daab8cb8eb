using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Artifacts.Tests;

public sealed class StoreOptionsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AddArtifactStore_FileLocation_OpensFileStore()
    {
        using var services = new ServiceCollection().AddArtifactStore(new StoreOptions { Location = $"file:{_folder["s"]}" }).BuildServiceProvider();

        var store = services.GetRequiredService<ArtifactStore>();

        store.Blobs.ShouldBeOfType<FileBlobStore>().Root.ShouldBe(_folder["s"]);
        store.Blobs.ShouldBeSameAs(services.GetRequiredService<IBlobStore>());
    }

    [Theory]
    [InlineData("")]
    [InlineData("file:")]
    [InlineData("/var/store")]
    [InlineData("s3://bucket")]
    public void AddArtifactStore_UnknownLocation_IsRefused(string location) =>
        Should.Throw<UserInputException>(() => new ServiceCollection().AddArtifactStore(new StoreOptions { Location = location })).Message
            .ShouldContain("store:location must be");

    [Theory]
    [InlineData("k")]
    [InlineData("Upper")]
    [InlineData("a--b")]
    [InlineData("-ab")]
    public void AddArtifactStore_BadContainer_IsRefused(string container) =>
        Should.Throw<UserInputException>(
            () => new ServiceCollection().AddArtifactStore(new StoreOptions { Location = "UseDevelopmentStorage=true", Container = container })).Message
            .ShouldContain($"'{container}'");
}
