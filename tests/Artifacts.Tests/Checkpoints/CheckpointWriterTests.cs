using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Checkpoints;

public sealed class CheckpointWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ArtifactStore _store;

    public CheckpointWriterTests() => _store = new ArtifactStore(new FileBlobStore(_folder.Path, new FileBlobStoreOptions { IsDurable = false }));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task CommitAsync_SmallAndLargeTensors_ReadBackAsWritten()
    {
        using var writer = new CheckpointWriter(_store);
        var large = Bytes(1, 100_000);
        await writer.AddTensorAsync("model.embed_tokens.weight", "U8", [100_000], large, default);
        await writer.AddTensorAsync("model.norm.weight", "F32", [4], Bytes(2, 16), default);
        await writer.AddTensorAsync("model.layers.0.input_layernorm.weight", "BF16", [8], Bytes(3, 16), default);
        await writer.AddTensorAsync("scalar", "F64", [], Bytes(4, 8), default);
        await writer.AddTensorAsync("empty", "F64", [0, 3], Array.Empty<byte>(), default);
        await writer.AddFileAsync("config.json", "{}"u8.ToArray(), default);
        writer.SetProperties(new JsonObject { ["tokens"] = 5 });

        var reference = await writer.CommitAsync(default);

        var reader = await CheckpointReader.OpenAsync(_store, reference, default);
        reader.Names.ShouldBe(["empty", "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight", "model.norm.weight", "scalar"]);
        reader.ReadAll("model.embed_tokens.weight").ShouldBe(large);
        reader.ReadAll("model.norm.weight").ShouldBe(Bytes(2, 16));
        reader.ReadAll("model.layers.0.input_layernorm.weight").ShouldBe(Bytes(3, 16));
        reader.ReadAll("scalar").ShouldBe(Bytes(4, 8));
        reader.ReadAll("empty").ShouldBeEmpty();
        reader.ReadFile("config.json").ShouldBe("{}"u8.ToArray());
        reader.HasFile("tokenizer.json").ShouldBeFalse();
        reader.Manifest.Properties!["tokens"]!.GetValue<int>().ShouldBe(5);
        reference.SizeBytes.ShouldBe(100_000 + 16 + 16 + 8 + 2);
        var part = new byte[10];
        reader.ReadRange("model.norm.weight", 6, part);
        part.ShouldBe(Bytes(2, 16)[6..]);
    }

    [Fact]
    public async Task CommitAsync_TensorsInAnyOrder_GivesSameRoot()
    {
        var names = Model(layers: 3, experts: 4).ToList();

        var forward = await WriteAsync(names);
        var backward = await WriteAsync(Enumerable.Reverse(names));

        backward.ShouldBe(forward);
    }

    [Fact]
    public async Task CommitAsync_RouterChanged_AddsOnlyRouterAndManifest()
    {
        var model = Model(layers: 3, experts: 4).ToList();
        var before = await _store.ReadAsync((await WriteAsync(model)).Root, default);

        var after = await _store.ReadAsync((await WriteAsync(model, changed: "model.layers.1.mlp.gate.weight")).Root, default);

        after.Tensors.Where(t => before.Tensors.All(b => b.Blob != t.Blob)).Select(t => t.Name).ShouldBe(["model.layers.1.mlp.gate.weight"]);
    }

    [Fact]
    public async Task CommitAsync_ExpertsCopied_AddsNoTensorBytes()
    {
        var original = await _store.ReadAsync((await WriteAsync(Model(layers: 2, experts: 4))).Root, default);
        using var writer = new CheckpointWriter(_store);
        foreach (var entry in original.Tensors)
        {
            writer.AddExisting(entry);
            for (var e = 0; e < 4; e++)
                if (entry.Name.Contains($".experts.{e}.", StringComparison.Ordinal))
                    writer.AddExisting(entry, entry.Name.Replace($".experts.{e}.", $".experts.{e + 4}.", StringComparison.Ordinal));
        }

        var grown = await _store.ReadAsync((await writer.CommitAsync(default)).Root, default);

        grown.Tensors.Count.ShouldBe(original.Tensors.Count + (2 * 4 * 3));
        grown.Tensors.Select(t => t.Blob).Except(original.Tensors.Select(t => t.Blob)).ShouldBeEmpty();
    }

    [Fact]
    public async Task AddExisting_PartOfPackChanged_GivesSameRootAsWritingAnew()
    {
        const string Changed = "model.layers.0.mlp.experts.1.down_proj.weight";
        var model = Model(layers: 1, experts: 2).ToList();
        var original = await _store.ReadAsync((await WriteAsync(model)).Root, default);
        var anew = await WriteAsync(model, Changed);
        using var writer = new CheckpointWriter(_store);
        foreach (var entry in original.Tensors.Where(t => t.Name != Changed))
            writer.AddExisting(entry);
        await writer.AddTensorAsync(Changed, "F32", [4, 4], Bytes(-1, 64), default);

        var edited = await writer.CommitAsync(default);

        edited.ShouldBe(anew);
    }

    [Fact]
    public async Task AddTensorAsync_FromStream_GivesSameRootAsFromMemory()
    {
        var roots = new List<Digest>();
        foreach (var size in new[] { 10, 200_000 })
            foreach (var fromStream in new[] { true, false })
            {
                using var writer = new CheckpointWriter(_store);
                if (fromStream)
                    await writer.AddTensorAsync("t", "U8", [size], new MemoryStream(Bytes(5, size)), default);
                else
                    await writer.AddTensorAsync("t", "U8", [size], Bytes(5, size), default);
                roots.Add((await writer.CommitAsync(default)).Root);
            }

        roots[0].ShouldBe(roots[1]);
        roots[2].ShouldBe(roots[3]);
        roots[0].ShouldNotBe(roots[2]);
    }

    [Fact]
    public async Task CommitAsync_Origins_AreSortedAndParentsKept()
    {
        var parent = Digest.Of("parent"u8);
        using var writer = new CheckpointWriter(_store);
        writer.AddParent(new Parent(parent, "upcycled", null));
        writer.AddParent(new Parent(parent, "upcycled", null));
        writer.AddExpertOrigin(new ExpertOrigin(1, 0, parent, 1, 0));
        writer.AddExpertOrigin(new ExpertOrigin(0, 10, parent, 0, 2));
        writer.AddExpertOrigin(new ExpertOrigin(0, 9, parent, 0, 1));

        var manifest = await _store.ReadAsync((await writer.CommitAsync(default)).Root, default);

        manifest.Parents.Count.ShouldBe(1);
        manifest.Experts.Select(o => (o.Layer, o.Expert)).ShouldBe([(0, 9), (0, 10), (1, 0)]);
    }

    [Fact]
    public async Task AddTensorAsync_WrongInput_IsRefused()
    {
        using var writer = new CheckpointWriter(_store);
        await writer.AddTensorAsync("t", "U8", [2], Bytes(1, 2), default);

        await Should.ThrowAsync<ArgumentException>(() => writer.AddTensorAsync("t", "U8", [2], Bytes(1, 2), default));
        await Should.ThrowAsync<ArgumentException>(() => writer.AddTensorAsync("x", "U9", [2], Bytes(1, 2), default));
        await Should.ThrowAsync<ArgumentException>(() => writer.AddTensorAsync("y", "F32", [2], Bytes(1, 2), default));
        await Should.ThrowAsync<ArgumentException>(() => writer.AddFileAsync("../up", Bytes(1, 2), default));
        await Should.ThrowAsync<ArgumentException>(() => writer.AddFileAsync("/up", Bytes(1, 2), default));
        await Should.ThrowAsync<ArgumentException>(() => writer.AddFileAsync("a//b", Bytes(1, 2), default));
    }

    [Fact]
    public async Task CommitAsync_Twice_IsRefused()
    {
        using var writer = new CheckpointWriter(_store);
        await writer.CommitAsync(default);

        await Should.ThrowAsync<InvalidOperationException>(() => writer.CommitAsync(default));
        await Should.ThrowAsync<InvalidOperationException>(() => writer.AddTensorAsync("t", "U8", [2], Bytes(1, 2), default));
    }

    [Fact]
    public async Task AddTensorAsync_FromManyThreads_GivesSameRoot()
    {
        var names = Model(layers: 4, experts: 8).ToList();
        var expected = await WriteAsync(names);
        using var writer = new CheckpointWriter(_store);

        await Parallel.ForEachAsync(names, async (name, token) => await writer.AddTensorAsync(name, "F32", [4, 4], Bytes(0, 64, name), token));

        (await writer.CommitAsync(default)).ShouldBe(expected);
    }

    [Fact]
    public async Task AddTensorAsync_BufferReusedByCaller_KeepsWhatWasAdded()
    {
        var buffer = new byte[100_000];
        using var writer = new CheckpointWriter(_store);
        for (var i = 0; i < 20; i++)
        {
            Bytes(i, buffer.Length).CopyTo(buffer, 0);
            await writer.AddTensorAsync($"t{i}", "U8", [buffer.Length], buffer, default);
        }

        var reader = await CheckpointReader.OpenAsync(_store, await writer.CommitAsync(default), default);

        for (var i = 0; i < 20; i++)
            reader.ReadAll($"t{i}").ShouldBe(Bytes(i, buffer.Length));
    }

    [Fact]
    public async Task CommitAsync_BackgroundPutFailed_ThrowsAndPublishesNothing()
    {
        var full = new FileBlobStore(_folder["full"], new FileBlobStoreOptions { ReservedBytes = long.MaxValue / 2 });
        using var writer = new CheckpointWriter(new ArtifactStore(full));
        await writer.AddTensorAsync("t", "U8", [2 << 20], new byte[2 << 20], default);

        (await Should.ThrowAsync<IOException>(() => writer.CommitAsync(default))).Message.ShouldContain("No space for 2097152 bytes");

        (await full.ListAsync(default).ToListAsync()).ShouldBeEmpty();
    }

    [Fact]
    public void SmallTensorBuffer_MoreThanMemory_SpillsAndReadsBack()
    {
        using var buffer = new SmallTensorBuffer(memoryBytes: 100);
        for (var i = 0; i < 20; i++)
            buffer.Add($"{i}", Bytes(i, 30));

        for (var i = 0; i < 20; i++)
        {
            var read = new byte[30];
            buffer.CopyTo($"{i}", read);
            read.ShouldBe(Bytes(i, 30));
        }
    }

    private async Task<ManifestRef> WriteAsync(IEnumerable<string> names, string? changed = null)
    {
        using var writer = new CheckpointWriter(_store);
        foreach (var name in names)
            await writer.AddTensorAsync(name, "F32", [4, 4], name == changed ? Bytes(-1, 64) : Bytes(0, 64, name), default);
        return await writer.CommitAsync(default);
    }

    private static IEnumerable<string> Model(int layers, int experts)
    {
        yield return "model.embed_tokens.weight";
        yield return "model.norm.weight";
        yield return "lm_head.weight";
        for (var l = 0; l < layers; l++)
        {
            yield return $"model.layers.{l}.input_layernorm.weight";
            yield return $"model.layers.{l}.self_attn.q_proj.weight";
            yield return $"model.layers.{l}.mlp.gate.weight";
            for (var e = 0; e < experts; e++)
                foreach (var part in new[] { "gate", "up", "down" })
                    yield return $"model.layers.{l}.mlp.experts.{e}.{part}_proj.weight";
        }
    }

    private static byte[] Bytes(int seed, int length, string name = "") =>
        [.. Enumerable.Range(0, length).Select(
            i => (byte)((i * 31) + (seed * 17) + (name.Length == 0 ? 0 : Digest.Of(System.Text.Encoding.UTF8.GetBytes(name)).Hex[i % 64])))];
}
