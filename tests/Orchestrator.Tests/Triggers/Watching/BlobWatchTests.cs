using System.Diagnostics;
using Azure.Storage.Blobs;
using Azure.Storage.Sas;
using Espalier.Contracts;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers.Watching;

/// <summary>Blobs below a prefix of a container, on a real blob service.</summary>
public sealed class BlobWatchTests : IClassFixture<AzuriteServer>, IAsyncLifetime
{
    private readonly BlobContainerClient _container;
    private readonly Dictionary<string, string?> _settings;
    private readonly TriggerFixture _triggers;

    public BlobWatchTests(AzuriteServer server)
    {
        _container = new BlobContainerClient(server.ConnectionString, AzuriteServer.NewContainerName());
        _settings = new Dictionary<string, string?>
        {
            ["blobs:in_coming:location"] = server.ConnectionString, ["blobs:in_coming:container"] = _container.Name, ["blobs:in_coming:prefix"] = "for-us",
        };
        _triggers = new TriggerFixture(settings: _settings);
    }

    public async Task InitializeAsync()
    {
        await _container.CreateAsync();
        await _triggers.StartAsync();
    }

    public Task DisposeAsync()
    {
        _triggers.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Blob_NewOrWrittenAgain_StartsOneRunForEachWriting()
    {
        await WriteAsync("for-us/new/old.txt", "was there before");
        await AddAsync("settle: 0s, params: { text: '${event.path} ${event.size}' }");
        await LookAsync();

        await WriteAsync("for-us/new/a.txt", "one");
        await WriteAsync("for-us/new/deeper/b.txt", "other");
        await WriteAsync("for-us/new/notes.md", "another kind");
        await WriteAsync("for-us/elsewhere/c.txt", "not below the prefix");
        await WriteAsync("for-usurpers/new/d.txt", "not below the place");
        await LookAsync();
        await LookAsync();
        await WriteAsync("for-us/new/a.txt", "ONE"); // of the same length
        await LookAsync();
        await LookAsync();

        var runs = await _triggers.RunsAsync();
        (await Task.WhenAll(runs.Select(r => _triggers.ParametersAsync(r.RunId)))).ShouldBe(
            ["""{"text":"for-us/new/a.txt 3"}""", """{"text":"for-us/new/deeper/b.txt 5"}""", """{"text":"for-us/new/a.txt 3"}"""]);
        var happened = (await _triggers.Triggers.EventsAsync("watch", 10, default))[0].Fields;
        happened.GetProperty("url").GetString().ShouldBe($"{_container.Uri}/for-us/new/a.txt");
        var written = (await _container.GetBlobClient("for-us/new/a.txt").GetPropertiesAsync()).Value;
        happened.GetProperty("etag").GetString().ShouldBe(written.ETag.ToString().Trim('"'));
    }

    [Fact]
    public async Task Blob_OfALookThatWasKilledOrOfTwoOrchestrators_StartsOneRun()
    {
        await AddAsync("settle: 0s");
        await LookAsync();
        await WriteAsync("for-us/new/a.txt", "one");
        await LookAsync();
        // As if a process had died before it wrote down what it had seen.
        await _triggers.Ledger.Database.WriteAsync(transaction => transaction.ExecuteAsync("delete from watched_file where path <> ''"), default);
        await LookAsync();

        (await _triggers.RunsAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Blob_StillWrittenTo_WaitsUntilItSettles()
    {
        await AddAsync("settle: 15s");
        await LookAsync();
        for (var i = 0; i < 3; i++)
        {
            await WriteAsync("for-us/new/log.txt", $"line {i}");
            await LookAsync();
        }
        (await _triggers.RunsAsync()).ShouldBeEmpty();
        await LookAsync();
        await LookAsync();

        (await _triggers.RunsAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Place_OfSeveralPages_LosesNone_AndOneOfTooManySaysSo()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 9_995), async (i, _) => await WriteAsync($"for-us/new/{i:00000}.txt", "")); // a page has 5,000
        await AddAsync("settle: 0s");
        await LookUntilAsync(() => _triggers.Ledger.CountAsync("select count(*) from watched_file"), 9_996);

        for (var i = 0; i < 10_000; i += 2_000)
            await WriteAsync($"for-us/new/{i:00000}-new.txt", "");
        await LookUntilAsync(() => _triggers.Ledger.CountAsync("select count(*) from run"), 5);
        await WriteAsync("for-us/new/one-more.txt", "");
        await LookUntilAsync(
            TroubleAsync,
            "in-coming/new/ holds more than 10000 files that match '*.txt': move old ones away, or narrow the pattern. Until then none of them is new.");
        (await _triggers.Ledger.CountAsync("select count(*) from run")).ShouldBe(5);

        await _container.DeleteBlobAsync("for-us/new/00000.txt");
        await LookUntilAsync(TroubleAsync, "");
        await LookUntilAsync(() => _triggers.Ledger.CountAsync("select count(*) from run"), 6);
    }

    [Fact]
    public async Task Place_ThatRefusesOrIsGone_SaysSoWithoutItsSignatureUntilItIsBack()
    {
        await AddAsync("settle: 0s");
        await LookAsync();
        var location = _settings["blobs:in_coming:location"];

        await SetAsync(_container.GenerateSasUri(BlobContainerSasPermissions.All, DateTimeOffset.UtcNow.AddMinutes(-1)).ToString());
        await LookAsync();
        var refused = await TroubleAsync();
        await SetAsync("DefaultEndpointsProtocol=http;AccountName=a;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:1/a;");
        await LookAsync();
        var away = await TroubleAsync();
        await SetAsync(null);
        await LookAsync();
        var unset = await TroubleAsync();
        await SetAsync(location);
        await WriteAsync("for-us/new/a.txt", "one");

        refused.ShouldStartWith("in-coming/new/ cannot be read. The blob service refuses access (403");
        refused.ShouldContain("Renew it in blobs:in-coming:location");
        refused.ShouldNotContain("sig=");
        away.ShouldStartWith("in-coming/new/ cannot be read. The blob service does not answer: ");
        away.ShouldNotContain("c2VjcmV0");
        unset.ShouldContain("the artifact store is not in Azure, so blobs:in-coming:location says which account it is");
        await LookUntilAsync(TroubleAsync, "");
        await LookAsync();
        (await _triggers.RunsAsync()).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("elsewhere/new/", "there is no place of blobs 'elsewhere'. An administrator sets blobs:elsewhere:container of the orchestrator")]
    [InlineData("in-coming-too", "there is no place of blobs 'in-coming-too'")]
    public async Task Place_ThatNobodySet_IsRefused(string blobs, string expected)
    {
        var refusal = await Should.ThrowAsync<UserInputException>(() => _triggers.AddAsync($"watch: {{ blobs: {blobs} }}"));

        refusal.Message.ShouldContain(expected);
    }

    private Task AddAsync(string more) => _triggers.AddAsync($"watch: {{ blobs: in-coming/new/, pattern: '*.txt', {more} }}");

    private Task WriteAsync(string name, string text) => _container.GetBlobClient(name).UploadAsync(BinaryData.FromString(text), overwrite: true);

    private async Task SetAsync(string? location)
    {
        _triggers.Configuration["blobs:in_coming:location"] = location;
        await LookAsync();
    }

    private async Task<string> TroubleAsync() => (await _triggers.Triggers.ShowAsync("nightly", 0, default))!.Trouble;

    /// <summary>A machine that is busy may take longer for a look than others wait for it; it is then taken up by a later one.</summary>
    private async Task LookUntilAsync<T>(Func<Task<T>> find, T expected)
    {
        var limit = Stopwatch.StartNew();
        do
        {
            await LookAsync();
        }
        while (!Equals(await find(), expected) && limit.Elapsed < TimeSpan.FromMinutes(3));
        (await find()).ShouldBe(expected);
    }

    private async Task LookAsync()
    {
        _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(10));
        await _triggers.RoundAsync();
    }
}
