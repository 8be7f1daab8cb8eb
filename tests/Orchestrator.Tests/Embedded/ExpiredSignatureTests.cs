using System.Diagnostics;
using Azure.Storage.Blobs;
using Azure.Storage.Sas;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Embedded;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>A shared access signature that has run out at a real blob service, which then answers 403 to everything.</summary>
public sealed class ExpiredSignatureTests(AzuriteServer server) : IClassFixture<AzuriteServer>
{
    private const string Held = "name: held\nstages:\n  a: { uses: noop, with: { text: held } }\n  b: { uses: noop, needs: a, with: { text: more } }\n";
    private const string Other = "name: other\nstages:\n  a: { uses: noop, with: { text: other } }\n";
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);
    private readonly BlobContainerClient _container = new(server.ConnectionString, AzuriteServer.NewContainerName());

    [Fact]
    public async Task Run_OneStepsStoreAnswers403_SaysWhyWithinSecondsAndTheOtherRunEnds()
    {
        TroubledBlobStore? store = null;
        await using var platform = await EmbeddedPlatform.StartAsync(store: files => store = new TroubledBlobStore(files));
        var key = (await platform.EndAsync(await platform.SubmitAsync(Held))).Steps[0].Key!.Value;
        var expired = await OpenAsync(DateTimeOffset.UtcNow.AddMinutes(-1));
        store!.Before = (name, token) => name == $"records/steps/{key.Hex}" ? expired.ReadRecordAsync($"steps/{key.Hex}", token) : Task.CompletedTask;

        var clock = Stopwatch.StartNew();
        var held = await platform.SubmitAsync(Held);
        var seen = await platform.WaitAsync(held, r => r.Message.Length > 0);
        var other = await platform.EndAsync(await platform.SubmitAsync(Other));
        var took = clock.Elapsed;
        store.Before = (_, _) => Task.CompletedTask; // renewed
        var ended = await platform.EndAsync(held);

        Check(seen);
        other.State.ShouldBe(RunState.Succeeded, other.Message);
        took.ShouldBeLessThan(Soon);
        (ended.State, ended.Message).ShouldBe((RunState.Succeeded, ""));
    }

    [Fact]
    public async Task Run_SignatureOfTheWholeStoreRunsOut_SaysWhyWithinSeconds()
    {
        var store = await OpenAsync(DateTimeOffset.UtcNow.AddMinutes(-1));
        await using var platform = await EmbeddedPlatform.StartAsync(store: _ => store);

        var clock = Stopwatch.StartNew();
        var seen = await platform.WaitAsync(await platform.SubmitAsync(Held), r => r.Message.Length > 0);

        Check(seen);
        clock.Elapsed.ShouldBeLessThan(Soon);
    }

    [Fact]
    public async Task Run_SignatureRunsOutWhileAStepWorks_TheAttemptFailsWithTheReason()
    {
        TroubledBlobStore? store = null;
        await using var platform = await EmbeddedPlatform.StartAsync(store: files => store = new TroubledBlobStore(files));
        var expired = await OpenAsync(DateTimeOffset.UtcNow.AddMinutes(-1));
        store!.BeforePut = bytes => { _ = bytes.Span.StartsWith("held"u8) ? throw Refusal(expired) : 0; };

        var held = await platform.SubmitAsync(Held.Replace("text: held", "text: held }, retry: { attempts: 2, backoff: 100ms", StringComparison.Ordinal));
        var failed = await platform.EndAsync(held);
        var other = await platform.EndAsync(await platform.SubmitAsync(Other));

        failed.State.ShouldBe(RunState.Failed);
        failed.Steps[0].Message.ShouldContain("Given up after 2 attempts");
        failed.Steps[0].Message.ShouldContain("403");
        failed.Steps[0].Message.ShouldNotContain("sig=");
        other.State.ShouldBe(RunState.Succeeded, other.Message);
    }

    private static void Check(RunView seen)
    {
        seen.State.ShouldBe(RunState.Queued);
        seen.Message.ShouldContain("The artifact store refuses access (403");
        seen.Message.ShouldContain("expired");
        seen.Message.ShouldNotContain("sig=");
        seen.Steps[0].Message.ShouldBe(seen.Message);
    }

    private static Azure.RequestFailedException Refusal(AzureBlobStore expired) =>
        Should.Throw<Azure.RequestFailedException>(() => expired.ReadExactly(Digest.Of("any"u8), 0, new byte[1]));

    private async Task<AzureBlobStore> OpenAsync(DateTimeOffset until)
    {
        await _container.CreateIfNotExistsAsync();
        return AzureBlobStore.Open(_container.GenerateSasUri(BlobContainerSasPermissions.All, until).ToString(), "unused");
    }
}
