using System.Text;
using System.Text.Json.Nodes;
using Espalier.Tokenizers;

namespace Espalier.Tokenizers.Tests;

public sealed class ByteLevelBpeTests
{
    private static readonly ByteLevelBpe Golden = ByteLevelBpe.Read(GoldenFiles.TokenizerJson, GoldenFiles.TokenizerConfig);

    public static TheoryData<string> Variants => [.. GoldenFiles.Golden["variants"]!.AsObject().Select(v => v.Key)];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Encode_TortureAndRandomText_GivesTheLibrarysIds(string variant)
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!.AsObject();
        foreach (var (key, value) in GoldenFiles.Golden["variants"]![variant]!.AsObject())
            json[key] = value?.DeepClone();
        var (tokenizer, library) = (ByteLevelBpe.Read(Bytes(json), GoldenFiles.TokenizerConfig), new HuggingFaceOracle(Bytes(json)));

        foreach (var text in GoldenFiles.TortureTexts)
            tokenizer.Encode(text).ShouldBe(library.Encode(text), JsonValue.Create(text).ToJsonString());
        RandomTexts.Compare(tokenizer.Encode, library.Encode);
    }

    [Fact]
    public void Train_LineByLine_GivesTheReferenceMerges()
    {
        var merges = GoldenFiles.Golden["merges"]!.AsArray().Select(m => m!.GetValue<string>()).ToArray();

        var trained = ByteLevelBpe.Train(GoldenFiles.TrainingLines(), 257 + merges.Length);

        trained.Merges.Select(m => $"{m.Left} {m.Right}").ShouldBe(merges);
    }

    [Fact]
    public void Train_TextsInAnotherOrder_GivesTheSameFile()
    {
        var trained = ByteLevelBpe.Train(GoldenFiles.TrainingLines().Reverse(), 1024);

        trained.Files[TokenizerFiles.Tokenizer].ShouldBe(GoldenFiles.TokenizerJson);
        trained.Files[TokenizerFiles.Configuration].ShouldBe(GoldenFiles.TokenizerConfig);
        trained.Digest.ShouldBe(Golden.Digest);
    }

    [Fact]
    public void Train_FewerPairsThanAsked_StopsEarly() =>
        ByteLevelBpe.Train(["ab ab"], 4096).VocabularySize.ShouldBe(258);

    [Fact]
    public void Decode_EncodedTortureText_GivesItBack()
    {
        foreach (var text in GoldenFiles.TortureTexts.Where(t => !t.Contains("<|endoftext|>", StringComparison.Ordinal)))
            Golden.Decode(Golden.Encode(text)).ShouldBe(text);
    }

    [Fact]
    public void Encode_UnpairedSurrogate_CountsAsReplacementCharacter() =>
        Golden.Encode("a\uD800b").ShouldBe(Golden.Encode("a\uFFFDb"));

    [Fact]
    public void Encode_ManyThreads_GivesOneResult()
    {
        var text = string.Concat(GoldenFiles.TrainingLines());
        var expected = Golden.Encode(text);
        var fresh = ByteLevelBpe.Read(GoldenFiles.TokenizerJson);

        var results = new int[8][];
        Parallel.For(0, results.Length, i => results[i] = fresh.Encode(text));

        results.ShouldAllBe(ids => ids.SequenceEqual(expected));
    }

    [Fact]
    public void Encode_LongPieceWithoutSpaces_IsNotQuadratic()
    {
        var text = new string('a', 300_000) + string.Concat(Enumerable.Repeat("the", 100_000));

        Golden.Decode(Golden.Encode(text)).ShouldBe(text);
    }

    [Fact]
    public void Apply_HeapAndPlainScan_AgreeOnEveryPiece()
    {
        var definition = TokenizerJsonReader.Read(GoldenFiles.TokenizerJson);
        var table = new MergeTable(definition);
        foreach (var text in GoldenFiles.TortureTexts.Concat(GoldenFiles.TrainingLines().Take(20)))
        {
            var symbols = Encoding.UTF8.GetBytes(text).Select(b => definition.Vocabulary[ByteAlphabet.ToCharacter(b).ToString()]).ToArray();
            var (scanned, heaped) = ((int[])symbols.Clone(), (int[])symbols.Clone());

            var scannedCount = table.ApplyByScan(scanned);
            var heapedCount = table.ApplyByHeap(heaped);

            heaped[..heapedCount].ShouldBe(scanned[..scannedCount]);
        }
    }

    [Fact]
    public void Read_MergesAsPairs_EqualsMergesAsText()
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        json["model"]!["merges"] = new JsonArray([.. Golden.Merges.Select(m => (JsonNode)new JsonArray(m.Left, m.Right))]);

        ByteLevelBpe.Read(Bytes(json)).Merges.ShouldBe(Golden.Merges);
    }

    [Fact]
    public void ReadVocabularyAndMerges_SameContent_GivesTheSameIds()
    {
        var model = JsonNode.Parse(GoldenFiles.TokenizerJson)!["model"]!;
        var merges = "#version: 0.2\n" + string.Join('\n', Golden.Merges.Select(m => $"{m.Left} {m.Right}")) + "\n";

        var tokenizer = ByteLevelBpe.ReadVocabularyAndMerges(Bytes(model["vocab"]!), Encoding.UTF8.GetBytes(merges));

        foreach (var text in GoldenFiles.TortureTexts)
            tokenizer.Encode(text).ShouldBe(Golden.Encode(text));
        tokenizer.EndTokenId.ShouldBe(0);
    }

    [Fact]
    public void Encode_IgnoreMerges_TakesAWholeTokenAsItIs()
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        json["model"]!["ignore_merges"] = true;
        json["model"]!["vocab"]!["zyzzyva"] = 2000;

        ByteLevelBpe.Read(Bytes(json)).Encode("zyzzyva").ShouldBe([2000]);
    }

    private static byte[] Bytes(JsonNode json) => Encoding.UTF8.GetBytes(json.ToJsonString());
}
