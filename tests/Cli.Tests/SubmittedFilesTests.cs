using Espalier.Artifacts.Uploads;
using Espalier.Cli.Client;
using Espalier.Cli.Commands;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Cli.Tests;

/// <summary>The submitter's own files on their way to a platform elsewhere.</summary>
public sealed class SubmittedFilesTests : IAsyncLifetime
{
    private const string Model = "tokens: 1k, "
        + "model: { family: olmoe, layers: 1, hidden: 16, heads: 2, experts: 2, top-k: 1, expert-size: 8, vocabulary: bytes }";

    private readonly CliRun _cli = new();
    private readonly StringWriter _said = new();
    private RegistryServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync(options => options.LargestUpload = 1 << 20);
        Directory.CreateDirectory(_cli.PathOf("domain/deep"));
        _cli.Write("domain/a.txt", "A first text.");
        _cli.Write("domain/deep/b.txt", "A second text.");
        _cli.Write("notes.jsonl", "{\"text\":\"A note.\"}\n");
    }

    public async Task DisposeAsync()
    {
        _cli.Dispose();
        _said.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Upload_FolderAndFile_AreNamedByTheirContentInTheSameText()
    {
        const string Text = $$"""
            name: own # the file keeps its comments
            params: { where: "dir:./domain" }
            stages:
              a: { uses: train, with: { data: "${where}", {{Model}} } }
              b: { uses: train, with: { data: [{ from: 'jsonl:notes.jsonl', weight: 0.5 }, { from: corpus:tiny, weight: 0.5 }], {{Model}} } }
            """;

        var (submitted, _) = await UploadAsync(Text);

        var folder = DatasetBuilder.Fingerprint($"dir:{_cli.PathOf("domain")}", default);
        var file = DatasetBuilder.Fingerprint($"jsonl:{_cli.PathOf("notes.jsonl")}", default);
        submitted.ShouldBe(Text.Replace("\"dir:./domain\"", $"\"dir:upload:{folder}/domain\"", StringComparison.Ordinal)
            .Replace("'jsonl:notes.jsonl'", $"\"jsonl:upload:{file}/notes.jsonl\"", StringComparison.Ordinal));
        var uploads = new UploadStore(_server.Store.Blobs, TimeProvider.System);
        (await uploads.FindAsync(Digest.Parse(folder), default))!.Files.Select(f => f.Path).ShouldBe(["a.txt", "deep/b.txt"]);
    }

    [Fact]
    public async Task Upload_Again_SendsNothing()
    {
        var text = Pipeline("dir:./domain");
        await UploadAsync(text);
        _said.ToString().ShouldContain("27 bytes sent");

        await UploadAsync(text);

        _said.ToString().ShouldContain("the platform has it already");
    }

    [Fact]
    public async Task Upload_AfterABreak_SendsOnlyWhatIsMissing()
    {
        await _server.Store.Blobs.PutAsync("A first text."u8.ToArray(), default);

        await UploadAsync(Pipeline("dir:./domain"));

        _said.ToString().ShouldContain("14 bytes sent");
    }

    [Fact]
    public async Task Upload_ParameterOfTheCommandLine_IsReplacedThere()
    {
        var text = $"name: own\nparams: {{ where: corpus:tiny }}\nstages: {{ a: {{ uses: train, with: {{ data: \"${{where}}\", {Model} }} }} }}\n";

        var (submitted, parameters) = await UploadAsync(text, new() { ["where"] = "dir:./domain" });

        submitted.ShouldBe(text);
        parameters["where"].ShouldMatch("^dir:upload:[0-9a-f]{64}/domain$");
    }

    [Fact]
    public async Task Upload_LinkOutOfTheFolder_IsLeftBehind()
    {
        _cli.Write("secret.txt", "A secret.");
        File.CreateSymbolicLink(_cli.PathOf("domain/link.txt"), _cli.PathOf("secret.txt"));
        Directory.CreateSymbolicLink(_cli.PathOf("domain/out"), _cli.Folder);

        await UploadAsync(Pipeline("dir:./domain"));

        (await _server.Store.Blobs.ExistsAsync(Digest.Of("A secret."u8), default)).ShouldBeFalse();
        _said.ToString().ShouldContain("27 bytes sent");
    }

    [Fact]
    public async Task Upload_MoreThanThePlatformTakes_IsRefusedBeforeItIsSent()
    {
        _cli.Write("domain/large.txt", new string('x', 2 << 20));

        var refusal = await Should.ThrowAsync<UserInputException>(() => UploadAsync(Pipeline("dir:./domain")));

        refusal.Message.ShouldContain("has 2,097,179 bytes; this platform takes 1,048,576 at once (registry:largest-upload)");
        (await _server.Store.Blobs.ExistsAsync(Digest.Of("A first text."u8), default)).ShouldBeFalse();
    }

    /// <summary>
    /// The last of more files than are sent at once changes when the first was sent: it was hashed before, and is read after. Nothing is sent of
    /// it, and the platform has no such upload.
    /// </summary>
    [Theory]
    [InlineData("other")]
    [InlineData("shorter")]
    [InlineData("gone")]
    public async Task Upload_FileThatChangesMeanwhile_IsRefusedByItsName(string change)
    {
        for (var i = 0; i < 12; i++)
            _cli.Write($"domain/{i:00}.txt", $"Text {i} of this folder.");
        var last = _cli.PathOf("domain/deep/b.txt"); // behind 00 to 11 and a
        var before = DatasetBuilder.Fingerprint($"dir:{_cli.PathOf("domain")}", default);
        using var registry = new RegistryConnection(Context());

        var refusal = await Should.ThrowAsync<UserInputException>(
            () => new TextUpload(registry).SendAsync(true, _cli.PathOf("domain"), new FirstReport(Change), default));

        refusal.Message.ShouldBe($"{last} changed while it was uploaded: submit again once nobody writes to it.");
        var uploads = new UploadStore(_server.Store.Blobs, TimeProvider.System);
        (await uploads.FindAsync(Digest.Parse(before), default)).ShouldBeNull();
        (await _server.Store.Blobs.ExistsAsync(Digest.Of("A second text!"u8), default)).ShouldBeFalse();

        void Change()
        {
            if (change == "gone")
                File.Delete(last);
            else
                File.WriteAllText(last, change == "other" ? "A second text!" : "A second");
        }
    }

    /// <summary>What was sent is what was hashed: the platform believes neither the name of a blob nor that of an upload.</summary>
    [Fact]
    public async Task Publish_ListingOfTheFileAsItWas_IsRefusedWhereOtherBytesWereSent()
    {
        await _server.Store.Blobs.PutAsync("A changed text."u8.ToArray(), default);
        var listing = new UploadListing
        {
            IsFolder = false, Files = [new UploadedFile("a.txt", Digest.Of("A first text."u8), 13, [Digest.Of("A first text."u8)])],
        };
        using var registry = new RegistryConnection(Context());

        var refusal = await Should.ThrowAsync<UserInputException>(
            () => registry.SendAsync<PublishedUpload>(new ApiRequest(HttpMethod.Post, "/api/v1/uploads").Body(listing), default));

        refusal.Message.ShouldContain("A part of 'a.txt' is not stored");
    }

    [Fact]
    public async Task Upload_PathThatThisMachineDoesNotHave_IsLeftToThePlatform()
    {
        var text = Pipeline("file:/data/of/the/platform.txt");

        (await UploadAsync(text)).Text.ShouldBe(text);
    }

    [Fact]
    public async Task Upload_PathPutTogetherFromParts_SaysHowToWriteIt()
    {
        var text = $"name: own\nparams: {{ where: domain }}\nstages: {{ a: {{ uses: train, with: {{ data: \"dir:./${{where}}\", {Model} }} }} }}\n";

        (await Should.ThrowAsync<UserInputException>(() => UploadAsync(text))).Message.ShouldContain("'dir:./domain' is put together from parts");
    }

    private Task<(string Text, IReadOnlyDictionary<string, string> Parameters)> UploadAsync(string text, Dictionary<string, string>? parameters = null) =>
        new SubmittedFiles(Context(), new Terminal(_said, _said, isInteractive: false))
            .UploadAsync(text, _cli.PathOf("own.yaml"), parameters ?? [], default);

    private CommandContext Context() => CommandContext.Of("test", null, _server.Address.ToString(), RegistryServer.Submitter);

    // Acts once, before the second part of any sender: all wait for it.
    private sealed class FirstReport(Action act) : IProgress<(long, long)>
    {
        private readonly Lock _lock = new();
        private bool _isDone;

        public void Report((long, long) value)
        {
            lock (_lock)
            {
                if (!_isDone)
                    act();
                _isDone = true;
            }
        }
    }

    private static string Pipeline(string source) => $"name: own\nstages: {{ a: {{ uses: train, with: {{ data: \"{source}\", {Model} }} }} }}\n";
}
