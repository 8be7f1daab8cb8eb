using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Datasets.Tests;

public sealed class JsonLinesTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_PlainOrPacked_GivesTheSameDataset()
    {
        var notes = Enumerable.Range(0, 200).Select(i => new { id = i, text = $"Ä note of {i} words, {i % 190}.", more = 1 });
        var lines = string.Concat(notes.Select(note => JsonSerializer.Serialize(note) + "\n"));
        var plain = _workspace.Write("notes.jsonl", "\uFEFF" + lines + "\n  \n" + lines[..lines.IndexOf('\n')]);
        var packed = Path.Combine(_workspace.Folder.FullName, "notes.jsonl.gz");
        using (var file = new GZipStream(File.Create(packed), CompressionLevel.Fastest))
            file.Write(File.ReadAllBytes(plain));

        var first = await _workspace.BuildAsync("jsonl:" + plain);
        var second = await _workspace.BuildAsync("jsonl:" + packed);

        second.ShouldBe(first);
        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, first, default);
        dataset.Properties.Source.ShouldBe("jsonl");
        var domain = dataset.Properties.Domains["text"];
        domain.Splits.Values.Sum(s => s.Documents).ShouldBe(200);
        domain.Duplicates.ShouldBe(1, "the first line stands at the end again");
        var texts = new List<string>();
        await foreach (var document in dataset.ReadAsync(DatasetSplits.All, "text", default))
            texts.Add(document.Text);
        texts.ShouldContain("Ä note of 7 words, 7.");
        DatasetBuilder.Fingerprint("jsonl:" + plain, default).ShouldNotBe(DatasetBuilder.Fingerprint("jsonl:" + packed, default));
    }

    [Theory]
    [InlineData("{\"text\":\"a\"}\n{\"text\":\"b", "line 2: it is not JSON")]
    [InlineData("{\"text\":\"a\"}\n\n[1]", "line 3: it is a JSON list, and an object such as {\"text\": \"...\"} is expected.")]
    [InlineData("{\"body\":\"a\",\"title\":\"b\"}", "line 1: it has no field 'text'; it has 'body', 'title'.")]
    [InlineData("{}", "line 1: it has no field 'text'; it has none.")]
    [InlineData("{\"text\":7}", "line 1: its field 'text' is a number, not a text.")]
    [InlineData("{\"text\":\"\\ud800\"}", "line 1: its field 'text' holds half of a character.")]
    [InlineData("{\"text\":\"  \"}", "holds no text")]
    [InlineData("", "holds no text")]
    public async Task BuildAsync_LineThatIsWrong_IsNamed(string content, string reason)
    {
        var path = _workspace.Write("bad.jsonl", content);

        var error = await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync("jsonl:" + path));

        error.Message.ShouldStartWith(path);
        error.Message.ShouldContain(reason);
    }

    [Fact]
    public async Task BuildAsync_FileThatIsNoGzipOrCutOff_IsRefused()
    {
        var noGzip = _workspace.Write("no.jsonl.gz", "{\"text\":\"a\"}");
        var cut = Path.Combine(_workspace.Folder.FullName, "cut.jsonl.gz");
        using (var memory = new MemoryStream())
        {
            using (var file = new GZipStream(memory, CompressionLevel.NoCompression, leaveOpen: true))
                file.Write(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 100).Select(i => $"{{\"text\":\"line {i}\"}}\n"))));
            File.WriteAllBytes(cut, memory.ToArray()[..700]);
        }

        (await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync("jsonl:" + noGzip))).Message.ShouldContain("cannot be unpacked near line 1");
        (await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync("jsonl:" + cut))).Message.ShouldStartWith(cut);
    }

    [Fact]
    public async Task BuildAsync_BytesThatAreNoText_AreRefused()
    {
        var path = Path.Combine(_workspace.Folder.FullName, "latin.jsonl");
        File.WriteAllBytes(path, [.. "{\"text\":\"caf"u8, 0xE9, .. "\"}"u8]);

        (await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync("jsonl:" + path))).Message.ShouldContain("is not UTF-8 text near line 1");
    }
}
