using System.Text;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Checkpoints;

/// <summary>What older writers and editors leave in model directories is read, and said.</summary>
public sealed class HarmlessOdditiesTests : IDisposable
{
    private const string Head = "lm_head.weight";
    private const string Embedding = "model.embed_tokens.weight";
    private static readonly byte[] Mark = [0xEF, 0xBB, 0xBF];
    private readonly TemporaryFolder _folder = new();
    private readonly ArtifactStore _store;

    public HarmlessOdditiesTests() => _store = new ArtifactStore(new FileBlobStore(_folder["store"], new FileBlobStoreOptions { IsDurable = false }));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true, 3, "F32", false)] // the same bytes: left out
    [InlineData(true, 4, "F32", true)]
    [InlineData(true, 3, "I32", true)] // the same bytes of another type are other numbers
    [InlineData(false, 3, "F32", true)] // not tied: a head of its own
    public async Task Import_HeadOfATiedModel_IsLeftOutWhereItIsTheEmbedding(bool isTied, int seed, string dtype, bool isKept)
    {
        var tensors = new InMemoryTensors()
            .Add(Embedding, "F32", [70_000, 10], ModelDirectories.Floats(3, 700_000)).Add(Head, dtype, [70_000, 10], ModelDirectories.Floats(seed, 700_000));
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], tensors);
        File.WriteAllText(Path.Combine(path, "config.json"), isTied ? """{"model_type":"olmoe","tie_word_embeddings":true}""" : ModelDirectories.Config);

        var (names, notes) = await ImportAsync(path);

        names.Contains(Head).ShouldBe(isKept);
        if (isKept)
            notes.ShouldBeEmpty();
        else
            notes.ShouldHaveSingleItem().ShouldContain("'lm_head.weight' was left out");
    }

    [Fact]
    public async Task Import_BuffersOfTheRotaryEmbedding_AreLeftOut()
    {
        var tensors = ModelDirectories.Tensors(2)
            .Add("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", [2], ModelDirectories.Floats(1, 2))
            .Add("model.layers.1.self_attn.rotary_emb.inv_freq", "F32", [2], ModelDirectories.Floats(1, 2))
            .Add("model.rotary_emb.inv_freq", "F32", [2], ModelDirectories.Floats(1, 2));

        var (names, notes) = await ImportAsync(await ModelDirectories.WriteSingleAsync(_folder["in"], tensors));

        names.ShouldBe(["model.layers.0.weight", "model.layers.1.weight"]);
        notes.ShouldHaveSingleItem().ShouldContain("3 buffer(s)");
    }

    [Fact]
    public async Task Import_ByteOrderMarks_GiveTheCheckpointWithoutThem()
    {
        var plain = await ModelDirectories.WriteShardedAsync(_folder["plain"], ModelDirectories.Tensors(), 2);
        var marked = await ModelDirectories.WriteShardedAsync(_folder["marked"], ModelDirectories.Tensors(), 2);
        foreach (var name in (string[])["generation_config.json", "tokenizer.json", "tokenizer_config.json"])
        {
            File.WriteAllText(Path.Combine(plain, name), "{ }");
            File.WriteAllText(Path.Combine(marked, name), "{ }");
        }
        foreach (var file in Directory.GetFiles(marked, "*.json"))
            File.WriteAllBytes(file, [.. Mark, .. File.ReadAllBytes(file)]);
        var expected = await HuggingFaceImporter.ImportAsync(_store, plain, default);

        var notes = new List<string>();
        (await HuggingFaceImporter.ImportAsync(_store, marked, new ImportOptions { Note = notes.Add }, default)).ShouldBe(expected);

        notes.Count(note => note.Contains("byte-order mark", StringComparison.Ordinal)).ShouldBe(4); // the index is not kept
        await HuggingFaceExporter.ExportAsync(_store, expected, _folder["out"], null, default);
        Encoding.UTF8.GetString(File.ReadAllBytes(_folder["out/config.json"])).ShouldBe(ModelDirectories.Config);
    }

    private async Task<(IReadOnlyList<string> Names, List<string> Notes)> ImportAsync(string path)
    {
        var notes = new List<string>();
        var root = await HuggingFaceImporter.ImportAsync(_store, path, new ImportOptions { Note = notes.Add }, default);
        var manifest = await _store.ReadAsync(root.Root, default);
        return ([.. manifest.Tensors.Select(tensor => tensor.Name)], notes);
    }
}
