using System.Text;
using System.Text.Json;
using Espalier.Contracts;
using Parquet;
using Parquet.Schema;
using ZstdSharp;

namespace Espalier.Datasets.Tests;

/// <summary>Text in Parquet files, and in lines packed by zstd.</summary>
public sealed class ParquetTests : IDisposable
{
    private static readonly DataField<string> Body = new("body");
    private static readonly DataField<int> Number = new("number");
    private static readonly string[] Notes = [.. Enumerable.Range(0, 200).Select(i => $"Ä note of {i} words, {i % 190}.")];

    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_ParquetOrPackedLines_GiveTheDocumentsOfPlainLines()
    {
        var plain = _workspace.Write("notes.jsonl", Lines());
        var packed = PathOf("notes.jsonl.zst");
        using (var file = new CompressionStream(File.Create(packed), leaveOpen: false))
            file.Write(File.ReadAllBytes(plain));
        var columns = await WriteParquetAsync("notes.parquet");

        var lines = await DocumentsAsync("jsonl:" + plain);

        (await _workspace.BuildAsync("jsonl:" + packed)).ShouldBe(await _workspace.BuildAsync("jsonl:" + plain));
        (await DocumentsAsync("parquet:" + columns, "body")).ShouldBe(lines);
        lines.Count.ShouldBe(200);
    }

    [Fact]
    public async Task BuildAsync_ParquetWithoutTheField_NamesThoseItHas()
    {
        var path = await WriteParquetAsync("notes.parquet");

        (await RefusalAsync("parquet:" + path, null)).ShouldBe($"{path}: it has no field 'text'; it has 'body', 'number'.");
        (await RefusalAsync("parquet:" + path, "number")).ShouldContain("its field 'number' is not text, but Int32");
        Should.Throw<UserInputException>(() => DatasetBuilder.Examine(new TextSource("parquet:" + path), default))
            .Message.ShouldContain("it has 'body', 'number'");
    }

    [Theory]
    [InlineData(0, 40)]
    [InlineData(0, 0)]
    [InlineData(30, 0)]
    [InlineData(0, -1)]
    public async Task BuildAsync_ParquetCutOff_IsRefused(int before, int after)
    {
        var path = await WriteParquetAsync("notes.parquet");
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, after < 0 ? "no Parquet, but text"u8.ToArray() : (before, after) == (0, 0) ? [] : bytes[before..^after]);

        (await RefusalAsync("parquet:" + path, "body")).ShouldStartWith($"{path} cannot be read: it is damaged or cut off, or no Parquet file.");
    }

    [Fact]
    public async Task BuildAsync_ParquetWithDamagedValues_IsRefusedWithThePlace()
    {
        var path = await WriteParquetAsync("notes.parquet");
        var bytes = File.ReadAllBytes(path);
        for (var i = 5; i < 60; i++)
            bytes[i] ^= 0xFF;
        File.WriteAllBytes(path, bytes);

        (await RefusalAsync("parquet:" + path, "body")).ShouldStartWith($"{path} cannot be read in row group 1: it is damaged");
    }

    [Fact]
    public async Task BuildAsync_ZstdThatIsNoneOrCutOff_IsRefused()
    {
        var packed = new Compressor().Wrap(Encoding.UTF8.GetBytes(Lines())).ToArray();
        File.WriteAllBytes(PathOf("cut.jsonl.zst"), packed[..(packed.Length / 2)]);

        (await RefusalAsync("jsonl:" + _workspace.Write("no.jsonl.zst", Lines()), null)).ShouldContain("it is damaged or cut off, or no zstd file");
        (await RefusalAsync("jsonl:" + PathOf("cut.jsonl.zst"), null)).ShouldContain("cut.jsonl.zst");
    }

    private static string Lines() => string.Concat(Notes.Select(note => JsonSerializer.Serialize(new { text = note }) + "\n"));

    private string PathOf(string name) => Path.Combine(_workspace.Folder.FullName, name);

    /// <summary>Two groups of rows, with some that have no text.</summary>
    private async Task<string> WriteParquetAsync(string name)
    {
        using var file = File.Create(PathOf(name));
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(Body, Number), file);
        foreach (var notes in Notes.Chunk(120))
        {
            string?[] texts = [.. notes, null, ""];
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(Body, texts!);
            await group.WriteAsync<int>(Number, Enumerable.Range(0, texts.Length).ToArray().AsMemory());
            group.CompleteValidate();
        }
        return PathOf(name);
    }

    private async Task<List<string>> DocumentsAsync(string source, string? field = null)
    {
        var built = await _workspace.BuildAsync(new DatasetRequest { Sources = [new TextSource(source) { Field = field }] });
        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        return [.. (await dataset.DocumentsAsync(DatasetSplits.All)).Select(d => $"{d.Id} {d.Text}")];
    }

    private async Task<string> RefusalAsync(string source, string? field) =>
        (await Should.ThrowAsync<UserInputException>(() => DocumentsAsync(source, field))).Message;
}
