using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Checkpoints;

public sealed class HuggingFaceImporterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ArtifactStore _store;

    public HuggingFaceImporterTests() => _store = new ArtifactStore(new FileBlobStore(_folder["store"], new FileBlobStoreOptions { IsDurable = false }));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ImportAsync_AnySharding_GivesSameRoot()
    {
        var tensors = ModelDirectories.Tensors(12).Add("model.embed_tokens.weight", "F32", [300, 100], ModelDirectories.Floats(3, 30_000));

        var single = await HuggingFaceImporter.ImportAsync(_store, await ModelDirectories.WriteSingleAsync(_folder["1"], tensors), default);
        var sharded = await HuggingFaceImporter.ImportAsync(_store, await ModelDirectories.WriteShardedAsync(_folder["5"], tensors, 5), default);

        sharded.ShouldBe(single);
        (await _store.ReadAsync(single.Root, default)).Parents.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(5_000_000_000, 1)]
    [InlineData(100, 2)]
    [InlineData(1, 6)]
    public async Task ExportAsync_AnyShardSize_ComesBackWithSameRoot(long shardSize, int files)
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors());
        File.WriteAllText(Path.Combine(path, "tokenizer.json"), "{ }");
        File.WriteAllText(Path.Combine(path, "README.md"), "text");
        var root = await HuggingFaceImporter.ImportAsync(_store, path, default);

        await HuggingFaceExporter.ExportAsync(_store, root, _folder["out"], new ExportOptions { ShardSizeBytes = shardSize }, default);

        Directory.GetFiles(_folder["out"], "*.safetensors").Length.ShouldBe(files);
        (await HuggingFaceImporter.ImportAsync(_store, _folder["out"], default)).ShouldBe(root);
        if (files == 1)
            File.ReadAllBytes(_folder["out/model.safetensors"]).ShouldBe(File.ReadAllBytes(Path.Combine(path, "model.safetensors")));
    }

    [Fact]
    public async Task ExportAsync_Sharded_WritesIndexAsOthersDo()
    {
        var tensors = new InMemoryTensors().Add("b", "U8", [3], new byte[3]).Add("a", "U8", [2], new byte[2]);
        var root = await HuggingFaceImporter.ImportAsync(_store, await ModelDirectories.WriteSingleAsync(_folder["in"], tensors), default);

        await HuggingFaceExporter.ExportAsync(_store, root.Root, _folder["out"], new ExportOptions { ShardSizeBytes = 3 }, default);

        File.ReadAllText(_folder["out/model.safetensors.index.json"]).ShouldBe(
            """
            {
              "metadata": {
                "total_size": 5
              },
              "weight_map": {
                "a": "model-00001-of-00002.safetensors",
                "b": "model-00002-of-00002.safetensors"
              }
            }

            """);
    }

    [Fact]
    public void Split_LayersBeyondTen_KeepsNeighboursTogether()
    {
        var names = Enumerable.Range(0, 12).Select(l => $"model.layers.{l}.w").Append("model.embed_tokens.weight").Order(LayerOrder.Comparer).ToList();

        names.Take(4).ShouldBe(["model.embed_tokens.weight", "model.layers.0.w", "model.layers.1.w", "model.layers.2.w"]);
        names[^1].ShouldBe("model.layers.11.w");
    }

    [Fact]
    public async Task ExportAsync_OutputInUse_IsRefusedAndUntouched()
    {
        var root = await HuggingFaceImporter.ImportAsync(_store, await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors()), default);
        Directory.CreateDirectory(_folder["full"]);
        File.WriteAllText(_folder["full/mine.txt"], "mine");
        File.WriteAllText(_folder["file"], "mine");
        Directory.CreateDirectory(_folder["vacant"]);

        (
            await Should.ThrowAsync<UserInputException>(() => HuggingFaceExporter.ExportAsync(_store, root, _folder["full"], null, default)))
                .Message.ShouldContain("not empty");
        (
            await Should.ThrowAsync<UserInputException>(() => HuggingFaceExporter.ExportAsync(_store, root, _folder["file"], null, default)))
                .Message.ShouldContain("a file of this name exists");
        await HuggingFaceExporter.ExportAsync(_store, root, _folder["vacant"] + "/", null, default);

        Directory.GetFileSystemEntries(_folder["full"]).ShouldBe([_folder["full/mine.txt"]]);
        File.Exists(_folder["vacant/model.safetensors"]).ShouldBeTrue();
        Directory.GetDirectories(_folder.Path, ".*").ShouldBeEmpty();
    }

    [Fact]
    public async Task ExportAsync_BlobMissing_LeavesNothing()
    {
        var root = await HuggingFaceImporter.ImportAsync(_store, await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors()), default);
        var blob = (await _store.ReadAsync(root.Root, default)).Tensors[^1].Blob.Hex;
        File.Delete(_folder[$"store/blobs/{blob[..2]}/{blob[2..]}"]);

        await Should.ThrowAsync<MissingBlobException>(() => HuggingFaceExporter.ExportAsync(_store, root, _folder["out"], null, default));

        Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order().ShouldBe(["in", "store"]);
    }

    [Theory]
    [InlineData("F32", new byte[] { 0, 0, 192, 127 })]
    [InlineData("F32", new byte[] { 0, 0, 128, 255 })]
    [InlineData("BF16", new byte[] { 0x80, 0x7F })]
    [InlineData("F16", new byte[] { 0x01, 0xFC })]
    [InlineData("F64", new byte[] { 0, 0, 0, 0, 0, 0, 0xF0, 0x7F })]
    [InlineData("F8_E4M3", new byte[] { 0xFF })]
    public async Task ImportAsync_NotFinite_IsRefusedWithFileTensorAndElement(string dtype, byte[] bad)
    {
        const int At = 1234, Count = 5000;
        var bytes = new byte[Count * bad.Length];
        bad.CopyTo(bytes, At * bad.Length);
        var path = await ModelDirectories.WriteShardedAsync(_folder["in"], ModelDirectories.Tensors().Add("w", dtype, [Count], bytes), 2);

        var error = await Should.ThrowAsync<UserInputException>(() => HuggingFaceImporter.ImportAsync(_store, path, default));

        error.Message.ShouldContain("model-00001-of-00002.safetensors: tensor 'w'");
        error.Message.ShouldContain("NaN or infinity, first at element 1234");
        (await HuggingFaceImporter.ImportAsync(_store, path, new ImportOptions { RequireFinite = false }, default)).Kind.ShouldBe(ArtifactKind.Checkpoint);
    }

    [Fact]
    public async Task ImportAsync_TensorBeyondMemoryLimit_StreamsAndReportsProgress()
    {
        const int Floats = 20 << 20; // 80 MiB
        var bytes = new byte[Floats * 4];
        for (var i = 0; i < bytes.Length; i += 4096)
            bytes[i] = (byte)(i >> 12);
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], new InMemoryTensors().Add("big", "F32", [Floats], bytes));
        var reports = new Reports();

        var root = await HuggingFaceImporter.ImportAsync(_store, path, new ImportOptions { Progress = reports }, default);

        reports.Last.ShouldBe((bytes.Length, bytes.Length));
        reports.Count.ShouldBeGreaterThan(10);
        (await CheckpointReader.OpenAsync(_store, root, default)).Entry("big").Blob.ShouldBe(Digest.Of(bytes));
    }

    [Fact]
    public async Task ImportAsync_ForeignFiles_AreNoted()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors());
        File.WriteAllText(Path.Combine(path, "optimizer.pt"), "x");
        var notes = new List<string>();

        var root = await HuggingFaceImporter.ImportAsync(_store, path, new ImportOptions { Note = notes.Add }, default);

        notes.ShouldHaveSingleItem().ShouldContain("optimizer.pt: pickled data, never read");
        (await _store.ReadAsync(root.Root, default)).Files.Select(f => f.Path).ShouldBe(["config.json"]);
    }

    [Fact]
    public async Task ImportAsync_EverythingBesideTheWeights_ComesBackByteForByte()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors());
        var files = new Dictionary<string, string>
        {
            ["tokenizer.json"] = "{}",
            ["tokenizer.model"] = "\u0001\u0002",
            ["qwen.tiktoken"] = "IQ== 0",
            ["tekken.json"] = "{}",
            ["vocab.txt"] = "[PAD]",
            ["generation_config.json"] = """{"eos_token_id":2}""",
            ["preprocessor_config.json"] = "{}",
            ["chat_template.jinja"] = "{{ messages }}",
            ["additional_chat_templates/rag.jinja"] = "{{ documents }}",
            ["modeling_own.py"] = "raise SystemExit",
            ["LICENSE"] = "text",
        };
        foreach (var (name, text) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(path, name))!);
            File.WriteAllText(Path.Combine(path, name), text);
        }

        var root = await HuggingFaceImporter.ImportAsync(_store, path, default);
        await HuggingFaceExporter.ExportAsync(_store, root, _folder["out"], null, default);

        foreach (var name in files.Keys)
            File.ReadAllBytes(Path.Combine(_folder["out"], name)).ShouldBe(File.ReadAllBytes(Path.Combine(path, name)), name);
        var served = VirtualDirectory.Of(await _store.ReadAsync(root.Root, default));
        served.Files.Select(f => f.Path).ShouldBe(Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(path, f)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ImportAsync_CodeThatIsNotThere_IsNotedAndNothingPointsToIt()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors());
        File.WriteAllText(Path.Combine(path, "configuration_own.py"), "");
        File.WriteAllText(Path.Combine(path, "config.json"), new JsonObject
        {
            ["model_type"] = "olmoe",
            ["auto_map"] = new JsonObject
            {
                ["AutoConfig"] = "configuration_own.OwnConfig", ["AutoModel"] = "modeling_own.OwnModel", ["AutoTokenizer"] = "other/name--tokenization.Own",
            },
        }.ToJsonString());
        var notes = new List<string>();

        var root = await HuggingFaceImporter.ImportAsync(_store, path, new ImportOptions { Note = notes.Add }, default);

        notes.ShouldHaveSingleItem().ShouldContain("auto_map names modeling_own.py, which is not there; the entry is left out");
        var config = JsonNode.Parse((await CheckpointReader.OpenAsync(_store, root.Root, default)).ReadFile("config.json"))!.AsObject();
        config["auto_map"]!.AsObject().Select(e => e.Key).ShouldBe(["AutoConfig", "AutoTokenizer"]);
        ((string)config["model_type"]!).ShouldBe("olmoe");
    }

    [Fact]
    public async Task ImportAsync_NoCodeAtAll_LeavesNoAutoMapInAnyConfiguration()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors());
        var map = """{"auto_map":{"AutoTokenizer":["tokenization_own.Slow",null]},"added":"é"}""";
        File.WriteAllText(Path.Combine(path, "tokenizer_config.json"), map);

        var root = await HuggingFaceImporter.ImportAsync(_store, path, default);

        var reader = await CheckpointReader.OpenAsync(_store, root.Root, default);
        JsonNode.Parse(reader.ReadFile("tokenizer_config.json"))!.ToJsonString().ShouldBe(JsonNode.Parse("""{"added":"é"}""")!.ToJsonString());
    }

    [Fact]
    public async Task NewBytesAsync_ConfigChanged_CountsConfigAndManifest()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], ModelDirectories.Tensors());
        var first = await HuggingFaceImporter.ImportAsync(_store, path, default);
        var config = new JsonObject { ["model_type"] = "olmoe", ["changed"] = true }.ToJsonString();
        File.WriteAllText(Path.Combine(path, "config.json"), config);
        var second = await HuggingFaceImporter.ImportAsync(_store, path, default);
        var manifestBytes = (await _store.Blobs.FindLengthAsync(second.Root, default))!.Value;

        var usage = await StoreUsage.ComputeAsync(_store, [first.Root, second.Root, first.Root], default);

        (await StoreUsage.NewBytesAsync(_store, second.Root, [first.Root], default)).ShouldBe(manifestBytes + config.Length);
        (await StoreUsage.NewBytesAsync(_store, second.Root, [second.Root], default)).ShouldBe(0);
        usage.LogicalBytes.ShouldBe(first.SizeBytes + second.SizeBytes);
        var onDisk = Directory.GetFiles(_folder["store/blobs"], "*", SearchOption.AllDirectories);
        usage.PhysicalBytes.ShouldBe(onDisk.Sum(f => new FileInfo(f).Length));
        usage.Blobs.ShouldBe(onDisk.Length);
    }

    private sealed class Reports : IProgress<(long Done, long Total)>
    {
        public int Count { get; private set; }

        public (long Done, long Total) Last { get; private set; }

        public void Report((long Done, long Total) value) => (Count, Last) = (Count + 1, value);
    }
}
