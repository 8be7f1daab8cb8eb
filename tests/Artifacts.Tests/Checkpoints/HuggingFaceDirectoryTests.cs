using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Checkpoints;

public sealed class HuggingFaceDirectoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Open_SingleAndSharded_HoldSameTensors()
    {
        var tensors = ModelDirectories.Tensors();
        using var single = HuggingFaceDirectory.Open(await ModelDirectories.WriteSingleAsync(_folder["single"], tensors));
        using var sharded = HuggingFaceDirectory.Open(await ModelDirectories.WriteShardedAsync(_folder["sharded"], tensors, 3));

        sharded.Names.ShouldBe(single.Names);
        sharded.SizeBytes.ShouldBe(single.SizeBytes);
        foreach (var name in single.Names)
        {
            sharded.ReadAll(name).ShouldBe(tensors.ReadAll(name));
            single.ReadAll(name).ShouldBe(tensors.ReadAll(name));
        }
    }

    [Fact]
    public async Task Open_OtherFiles_TakesOnlyWhatBelongsToACheckpoint()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["m"], ModelDirectories.Tensors());
        foreach (var name in (string[])
            ["tokenizer.json", "LICENSE.txt", "merges.txt", "optimizer.pt", "figure.png", "pytorch_model.bin.index.json", "model-00001-of-00009.safetensors"])
            File.WriteAllText(Path.Combine(path, name), "x");

        using var directory = HuggingFaceDirectory.Open(path);

        directory.Files.ShouldBe(["LICENSE.txt", "config.json", "merges.txt", "tokenizer.json"]);
        directory.IgnoredFiles.ShouldBe(["figure.png", "optimizer.pt", "pytorch_model.bin.index.json"]);
        directory.HasFile("optimizer.pt").ShouldBeFalse();
        directory.ReadFile("tokenizer.json").ShouldBe("x"u8.ToArray());
    }

    [Fact]
    public async Task Open_Folders_AreLookedIntoUnlessTheyHoldAModelOrAreLinks()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["m"], ModelDirectories.Tensors());
        foreach (var name in (string[])
            ["additional_chat_templates/tool_use.jinja", "assets/vocab/words.txt", "original/tokenizer.model", "original/consolidated.00.pth",
            "figures/loss.png", ".git/config.json", "a/b/c/d/e/deep.json"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(path, name))!);
            File.WriteAllText(Path.Combine(path, name), "x");
        }
        Directory.CreateSymbolicLink(Path.Combine(path, "outside"), _folder["."]);

        using var directory = HuggingFaceDirectory.Open(path);

        directory.Files.ShouldBe(["additional_chat_templates/tool_use.jinja", "assets/vocab/words.txt", "config.json"]);
        directory.IgnoredFiles.ShouldBe(["a/", "figures/", "original/", "outside/"]);
        directory.ReadFile("additional_chat_templates/tool_use.jinja").ShouldBe("x"u8.ToArray());
    }

    [Fact]
    public async Task Open_LinkInAFolderThatLeadsOut_IsRefused()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["m"], ModelDirectories.Tensors());
        File.WriteAllText(_folder["secret.txt"], "x");
        Directory.CreateDirectory(Path.Combine(path, "additional_chat_templates"));
        File.CreateSymbolicLink(Path.Combine(path, "additional_chat_templates", "a.jinja"), _folder["secret.txt"]);

        Refusal(path).ShouldContain("a link that leads out of the directory");
    }

    [Fact]
    public async Task Open_MoreFilesThanACheckpointCarries_IsRefused()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["m"], ModelDirectories.Tensors());
        for (var i = 0; i < 1001; i++)
            File.WriteAllText(Path.Combine(path, $"{i}.txt"), "");

        Refusal(path).ShouldContain("more than 1000 files beside the weights");
    }

    [Theory]
    [InlineData("../evil.safetensors")]
    [InlineData("/etc/evil.safetensors")]
    [InlineData("sub/evil.safetensors")]
    [InlineData("sub\\evil.safetensors")]
    [InlineData("C:evil.safetensors")]
    [InlineData(".safetensors")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("config.json")]
    [InlineData("pytorch_model.bin")]
    public async Task Open_IndexNamesPath_IsRefused(string shard)
    {
        var path = await ShardedAsync();
        ModelDirectories.WriteIndex(path, new Dictionary<string, string> { ["a"] = shard });

        Refusal(path).ShouldContain("tensor 'a' is mapped to");
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":5}}""", "tensor 'a' is not mapped to a file name")]
    [InlineData("""{"weight_map":{}}""", "'weight_map' is empty")]
    [InlineData("""{"weight_map":[]}""", "no object 'weight_map'")]
    [InlineData("""[]""", "no object 'weight_map'")]
    [InlineData("""{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}""", "mapped twice")]
    [InlineData("""{"weight_map":{"a":"x.safetensors""", "not a shard index")]
    [InlineData("""{"weight_map":{"a":"m-00001-of-00002.safetensors"}}""", "1 of 2 shards are mapped; the first one missing is number 2")]
    [InlineData("""{"weight_map":{"a":"m-00000-of-00001.safetensors"}}""", "a shard is numbered 0 of 1")]
    [InlineData("""{"weight_map":{"a":"m-00003-of-00002.safetensors"}}""", "a shard is numbered 3 of 2")]
    [InlineData("""{"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00003.safetensors"}}""", "different series")]
    [InlineData("""{"weight_map":{"a":"m-00001-of-00001.safetensors","b":"other.safetensors"}}""", "different series")]
    public async Task Open_BrokenIndex_IsRefused(string index, string expected)
    {
        var path = await ShardedAsync();
        File.WriteAllText(Path.Combine(path, "model.safetensors.index.json"), index);

        Refusal(path).ShouldContain(expected);
    }

    [Fact]
    public async Task Open_MissingShard_IsRefusedByName()
    {
        var path = await ShardedAsync();
        File.Delete(Path.Combine(path, ModelDirectories.ShardName(2, 3)));

        Refusal(path).ShouldContain("model-00002-of-00003.safetensors: no such file, but the index places 2 tensors there");
    }

    [Fact]
    public async Task Open_TotalSizeLies_IsNoted()
    {
        var path = await ShardedAsync();
        var map = Map(path);
        ModelDirectories.WriteIndex(path, map, 17);

        using var directory = HuggingFaceDirectory.Open(path);

        directory.Notes.ShouldHaveSingleItem().ShouldContain("total_size says 17 bytes");
    }

    [Fact]
    public async Task Open_NoTotalSize_IsAccepted()
    {
        var path = await ShardedAsync();
        ModelDirectories.WriteIndex(path, Map(path));

        using var directory = HuggingFaceDirectory.Open(path);
        directory.Names.Count.ShouldBe(6);
    }

    [Fact]
    public async Task Open_ShardHoldsTensorThatIndexDoesNotList_IsRefused()
    {
        var path = await ShardedAsync();
        var map = Map(path);
        map.Remove("model.layers.4.weight");
        ModelDirectories.WriteIndex(path, map);

        Refusal(path).ShouldContain("tensor 'model.layers.4.weight' is here, but the index does not list it");
    }

    [Fact]
    public async Task Open_TensorInTwoShards_IsRefused()
    {
        var path = await ShardedAsync();
        var tensors = ModelDirectories.Tensors();
        await SafetensorsWriter.WriteAsync(
            Path.Combine(path, ModelDirectories.ShardName(2, 3)), tensors,
            ["model.layers.0.weight", "model.layers.1.weight", "model.layers.4.weight"]);

        Refusal(path).ShouldContain(
            "model-00002-of-00003.safetensors: tensor 'model.layers.0.weight' is here, but the index places it in model-00001-of-00003.safetensors");
    }

    [Fact]
    public async Task Open_IndexListsTensorThatNoShardHolds_IsRefused()
    {
        var path = await ShardedAsync();
        var map = Map(path);
        map["ghost"] = ModelDirectories.ShardName(1, 3);
        ModelDirectories.WriteIndex(path, map);

        Refusal(path).ShouldContain("model-00001-of-00003.safetensors: the index places tensor 'ghost' here, but it is not");
    }

    [Fact]
    public async Task Open_SingleFileBesideShards_IsRefused()
    {
        var path = await ShardedAsync();
        await ModelDirectories.WriteSingleAsync(path, ModelDirectories.Tensors());

        Refusal(path).ShouldContain("both model.safetensors and shards");
    }

    [Fact]
    public async Task Open_LinkOutOfDirectory_IsRefused()
    {
        var outside = await ModelDirectories.WriteSingleAsync(_folder["outside"], ModelDirectories.Tensors());
        var inside = await ModelDirectories.WriteSingleAsync(_folder["inside"], ModelDirectories.Tensors());
        foreach (var name in new[] { "model.safetensors", "config.json" })
        {
            File.Move(Path.Combine(inside, name), Path.Combine(inside, "kept"));
            File.CreateSymbolicLink(Path.Combine(inside, name), Path.Combine("..", "outside", name));

            Refusal(inside).ShouldContain($"{name}: a link that leads out of the directory, to {outside}");

            File.Delete(Path.Combine(inside, name));
            File.Move(Path.Combine(inside, "kept"), Path.Combine(inside, name));
        }
    }

    [Fact]
    public async Task Open_HubCacheSnapshot_FollowsLinksToItsBlobs()
    {
        var snapshot = await ModelDirectories.WriteSingleAsync(_folder["models--o--m/snapshots/abc"], ModelDirectories.Tensors());
        Directory.CreateDirectory(_folder["models--o--m/blobs"]);
        File.Move(Path.Combine(snapshot, "model.safetensors"), _folder["models--o--m/blobs/etag"]);
        File.CreateSymbolicLink(Path.Combine(snapshot, "model.safetensors"), "../../blobs/etag");

        using var directory = HuggingFaceDirectory.Open(snapshot);

        directory.Names.Count.ShouldBe(6);
    }

    [Fact]
    public void Open_OnlyPickles_SaysWhyAndWhatToDo()
    {
        Directory.CreateDirectory(_folder["p"]);
        File.WriteAllText(_folder["p/config.json"], "{}");
        File.WriteAllText(_folder["p/pytorch_model-00001-of-00002.bin"], "x");

        Refusal(_folder["p"]).ShouldContain(
            "only pickled weights (pytorch_model-00001-of-00002.bin). A pickle can run code when it is opened, so none is ever read; convert");
    }

    [Theory]
    [InlineData("[1]", "config.json: expected a JSON object")]
    [InlineData("{", "config.json: not valid JSON")]
    [InlineData("", "config.json: not valid JSON")]
    [InlineData(null, "no config.json")]
    public async Task Open_BadConfig_IsRefused(string? config, string expected)
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["c"], ModelDirectories.Tensors());
        File.Delete(Path.Combine(path, "config.json"));
        if (config is not null)
            File.WriteAllText(Path.Combine(path, "config.json"), config);

        Refusal(path).ShouldContain(expected);
    }

    [Fact]
    public async Task Open_HugeConfig_IsRefusedUnread()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["h"], ModelDirectories.Tensors());
        using (var stream = File.OpenWrite(Path.Combine(path, "config.json")))
            stream.SetLength(1L << 40);

        Refusal(path).ShouldContain("config.json: 1099511627776 bytes; at most 16777216 are read");
    }

    [Fact]
    public async Task Open_NoDirectory_IsRefused()
    {
        Refusal(_folder["none"]).ShouldContain("no such directory");
        Directory.CreateDirectory(_folder["empty"]);
        Refusal(_folder["empty"]).ShouldContain("no config.json, so this is not a model directory");
        var path = await ModelDirectories.WriteSingleAsync(_folder["nw"], ModelDirectories.Tensors());
        File.Delete(Path.Combine(path, "model.safetensors"));
        Refusal(path).ShouldContain("there are no weights");
    }

    [Fact]
    public async Task Open_ForeignFormat_IsRefused()
    {
        var path = await ModelDirectories.WriteSingleAsync(_folder["f"], ModelDirectories.Tensors());
        await SafetensorsWriter.WriteAsync(
            Path.Combine(path, "model.safetensors"), ModelDirectories.Tensors(), metadata: new Dictionary<string, string> { ["format"] = "zip" });

        Refusal(path).ShouldContain("format 'zip' is none of");
    }

    private Task<string> ShardedAsync() => ModelDirectories.WriteShardedAsync(_folder["s"], ModelDirectories.Tensors(), 3);

    private static Dictionary<string, string> Map(string path)
    {
        using var directory = HuggingFaceDirectory.Open(path);
        return directory.Names.ToDictionary(n => n, n => Path.GetFileName(directory.FileOf(n)));
    }

    private static string Refusal(string path) => Should.Throw<UserInputException>(() => HuggingFaceDirectory.Open(path).Dispose()).Message;
}
