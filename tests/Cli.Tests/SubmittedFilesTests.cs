using Espalier.Artifacts.Uploads;
using Espalier.Cli.Commands;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Registry;
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
        new SubmittedFiles(
            CommandContext.Of("test", null, _server.Address.ToString(), RegistryServer.Submitter), new Terminal(_said, _said, isInteractive: false))
            .UploadAsync(text, _cli.PathOf("own.yaml"), parameters ?? [], default);

    private static string Pipeline(string source) => $"name: own\nstages: {{ a: {{ uses: train, with: {{ data: \"{source}\", {Model} }} }} }}\n";
}
