using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.TestKit.Families;

namespace Espalier.Artifacts.Tests.Checkpoints.Families;

public sealed class FamilyRoundTripTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ArtifactStore _store;

    public FamilyRoundTripTests() => _store = new ArtifactStore(new FileBlobStore(_folder["store"], new FileBlobStoreOptions { IsDurable = false }));

    public static TheoryData<string> Cases => [.. FamilyModel.Cases];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Export_OfAnImport_IsByteEqualPerTensor(string name)
    {
        var model = FamilyModel.Create(name);
        var root = await HuggingFaceImporter.ImportAsync(_store, model.Write(_folder["in"], "BF16", shards: 2), default);

        await HuggingFaceExporter.ExportAsync(_store, root, _folder["out"], null, default);

        Same(FamilyModel.Read(_folder["out"]), FamilyModel.Read(_folder["in"]));
        File.ReadAllBytes(_folder["out/config.json"]).ShouldBe(File.ReadAllBytes(_folder["in/config.json"]));
    }

    [Theory]
    [InlineData("mixtral", "F32")]
    [InlineData("qwen2-moe-sparse-step", "F16")]
    [InlineData("qwen3-moe", "BF16")]
    [InlineData("olmoe", "F32")]
    [InlineData("deepseek-v3", "BF16")]
    public async Task Export_OfStackedExperts_IsStackedAgainAndSeparateOnRequest(string name, string dtype)
    {
        var model = FamilyModel.Create(name);
        var root = await HuggingFaceImporter.ImportAsync(_store, model.Write(_folder["stacked"], dtype, shards: 3, stacked: true), default);

        await HuggingFaceExporter.ExportAsync(_store, root, _folder["again"], null, default);
        await HuggingFaceExporter.ExportAsync(
            _store, root, _folder["separate"], new ExportOptions { Experts = ExpertLayout.Separate, ShardSizeBytes = 20_000 }, default);

        FamilyModel.Read(_folder["stacked"]).Keys.ShouldContain(key => key.EndsWith("mlp.experts.gate_up_proj"));
        Same(FamilyModel.Read(_folder["again"]), FamilyModel.Read(_folder["stacked"]));
        Same(FamilyModel.Read(_folder["separate"]), model.Tensors(dtype));
    }

    [Theory]
    [InlineData("mixtral", false)]
    [InlineData("deepseek", false)]
    [InlineData("qwen3-moe", true)]
    public async Task VirtualDirectory_OfAFamily_IsTheExportByteForByte(string name, bool stacked)
    {
        var root = await HuggingFaceImporter.ImportAsync(_store, FamilyModel.Create(name).Write(_folder["in"], stacked: stacked), default);
        await HuggingFaceExporter.ExportAsync(_store, root, _folder["out"], null, default);

        var reader = await CheckpointReader.OpenAsync(_store, root, default);
        var directory = VirtualDirectory.Of(reader.Manifest, reader.ReadFile("config.json"));

        foreach (var file in directory.Files)
        {
            using var stream = new VirtualFileStream(_store.Blobs, file);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes);
            bytes.ToArray().AsSpan().SequenceEqual(File.ReadAllBytes(_folder[$"out/{file.Path}"])).ShouldBeTrue(file.Path);
        }
        directory.Files.Count.ShouldBe(Directory.EnumerateFiles(_folder["out"]).Count());
    }

    [Fact]
    public async Task Import_OfBothLayouts_SharesEveryBlob()
    {
        var model = FamilyModel.Create("mixtral");
        var separate = await HuggingFaceImporter.ImportAsync(_store, model.Write(_folder["1"]), default);
        var stacked = await HuggingFaceImporter.ImportAsync(_store, model.Write(_folder["2"], stacked: true), default);

        var (a, b) = (await CheckpointReader.OpenAsync(_store, separate, default), await CheckpointReader.OpenAsync(_store, stacked, default));
        a.Manifest.Tensors.ShouldBe(b.Manifest.Tensors, ignoreOrder: false, comparer: TensorComparer.Instance);
        a.Names.ShouldContain("model.layers.0.mlp.experts.3.down_proj.weight");
    }

    [Fact]
    public void Open_OfTransposedExperts_IsRefusedByTensorName()
    {
        var message = Refusal(tensors =>
        {
            var (name, (dtype, shape, bytes)) = tensors.First(t => t.Key.EndsWith("1.mlp.experts.gate_up_proj", StringComparison.Ordinal));
            tensors[name] = (dtype, [shape[0], shape[2], shape[1]], bytes);
        });

        message.ShouldContain("model.layers.1.mlp.experts.gate_up_proj");
        message.ShouldContain("[4, 2 x expert width, 32]");
    }

    [Fact]
    public void Open_OfBothLayoutsInOneLayer_IsRefusedByTensorName()
    {
        var message = Refusal(tensors => tensors["model.layers.2.block_sparse_moe.experts.1.w2.weight"] = ("F32", [32, 20], new byte[4 * 640]));

        message.ShouldContain("model.layers.2.block_sparse_moe.experts.1.w2.weight");
        message.ShouldContain("a second time");
    }

    private string Refusal(Action<Dictionary<string, (string DType, long[] Shape, byte[] Bytes)>> damage)
    {
        var path = FamilyModel.Create("mixtral").Write(_folder["bad"], stacked: true);
        var tensors = FamilyModel.Read(path);
        damage(tensors);
        FamilyModel.WriteFile(Path.Combine(path, "model.safetensors"), tensors);
        var error = Should.Throw<UserInputException>(() => HuggingFaceImporter.ImportAsync(_store, path, default).GetAwaiter().GetResult());
        Directory.EnumerateFiles(_folder["store"], "*", SearchOption.AllDirectories).ShouldBeEmpty(); // nothing was written
        return error.Message;
    }

    private static void Same(
        Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> actual,
        Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> expected)
    {
        actual.Keys.ShouldBe(expected.Keys, ignoreOrder: true);
        foreach (var (name, (dtype, shape, bytes)) in expected)
        {
            actual[name].DType.ShouldBe(dtype, name);
            actual[name].Shape.ShouldBe(shape, name);
            actual[name].Bytes.AsSpan().SequenceEqual(bytes).ShouldBeTrue(name);
        }
    }

    private sealed class TensorComparer : IEqualityComparer<Manifests.TensorEntry>
    {
        public static TensorComparer Instance { get; } = new();

        public bool Equals(Manifests.TensorEntry? x, Manifests.TensorEntry? y) =>
            x!.Name == y!.Name && x.Blob == y.Blob && x.Offset == y.Offset && x.Shape.SequenceEqual(y.Shape);

        public int GetHashCode(Manifests.TensorEntry entry) => entry.Name.GetHashCode(StringComparison.Ordinal);
    }
}
