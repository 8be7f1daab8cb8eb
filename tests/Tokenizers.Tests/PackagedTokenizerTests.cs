using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers.Tests;

/// <summary>Files that only Hugging Face's library reads: small ones with ids that can be checked by eye.</summary>
public sealed class PackagedTokenizerTests
{
    private const string WordPiece = """
        {"version":"1.0","truncation":{"direction":"Right","max_length":3,"strategy":"LongestFirst","stride":0},"padding":null,
         "added_tokens":[
           {"id":2,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
           {"id":3,"content":"[SEP]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
         "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
         "pre_tokenizer":{"type":"BertPreTokenizer"},
         "post_processor":{"type":"TemplateProcessing",
           "single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}],
           "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
           "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[2],"tokens":["[CLS]"]},"[SEP]":{"id":"[SEP]","ids":[3],"tokens":["[SEP]"]}}},
         "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
         "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
           "vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"play":4,"##ing":5,"##ed":6,"the":7,"game":8,".":9}}}
        """;

    private const string Unigram = """
        {"version":"1.0","truncation":null,"padding":null,
         "added_tokens":[{"id":1,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
         "normalizer":{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},
         "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
         "post_processor":null,
         "decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
         "model":{"type":"Unigram","unk_id":0,"byte_fallback":false,
           "vocab":[["<unk>",0],["</s>",0],["▁the",-1],["▁game",-1.5],["▁",-3],["s",-2],["g",-6],["a",-6],["m",-6],["e",-6]]}}
        """;

    private static readonly byte[] SepEnds = """{"eos_token":"[SEP]"}"""u8.ToArray();

    [Fact]
    public void Encode_WordPieceWithAPrefixAndASuffix_AddsNothingAndCutsNothing()
    {
        var tokenizer = Load(WordPiece, SepEnds);

        tokenizer.Encode("The game played.").ShouldBe([7, 8, 4, 6, 9]);
        tokenizer.Encode("").ShouldBeEmpty();
        tokenizer.Encode("zzz").ShouldBe([1]);
        tokenizer.EndTokenId.ShouldBe(3);
        tokenizer.VocabularySize.ShouldBe(10);
        tokenizer.Decode([7, 8, 4, 5, 9, 3, 999, -1]).ShouldBe("the game playing.");
        tokenizer.Files["tokenizer.json"].ShouldBe(Encoding.UTF8.GetBytes(WordPiece));
    }

    [Theory]
    [InlineData("the games", new[] { 2, 3, 5 })]
    [InlineData("the   game", new[] { 2, 3 })]
    [InlineData("game\uD800", new[] { 3, 0 })]
    public void Encode_Unigram_TakesTheLikeliestPieces(string text, int[] ids) => Load(Unigram).Encode(text).ShouldBe(ids);

    [Fact]
    public void Decode_Unigram_GivesTheTextBack()
    {
        var tokenizer = Load(Unigram);

        tokenizer.Decode(tokenizer.Encode("the games")).ShouldBe("the games");
        tokenizer.Decode([]).ShouldBe("");
    }

    [Fact]
    public void Digest_OtherEndToken_IsAnother()
    {
        Load(WordPiece, SepEnds).Digest.ShouldBe(Load(WordPiece, SepEnds).Digest);
        Load(WordPiece, SepEnds).Digest.ShouldNotBe(Load(WordPiece, """{"eos_token":"[CLS]"}"""u8.ToArray()).Digest);
    }

    [Fact]
    public void Encode_ManyThreads_GivesTheSameIds()
    {
        var tokenizer = Load(Unigram);

        Parallel.For(0, 200, _ => tokenizer.Encode("the games").ShouldBe([2, 3, 5]));
    }

    public static TheoryData<string, string, string> Damages => new()
    {
        { "model.type", "\"Other\"", "model.type is 'Other'" },
        { "model.vocab", "[]", "model.vocab is empty" },
        { "model.vocab", "[[\"<unk>\",0],[\"<unk>\",1]]", "model.vocab[1]" },
        { "model.vocab", "[[\"<unk>\",0],[\"\",1]]", "model.vocab[1]" },
        { "model.vocab", "{\"a\":0}", "is not an array" },
        { "model.unk_id", "10", "model.unk_id" },
        { "model.unk_id", "null", "model.unk_id" },
        { "model.max_input_chars_per_word", "1000000000", "max_input_chars_per_word" },
        { "normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}", "normalizer.precompiled_charsmap is damaged" },
        { "normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"***\"}", "normalizer.precompiled_charsmap is damaged" },
        { "normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a+)+b\"},\"content\":\"\"}", "may run for hours" },
        { "normalizer",
            "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"123456789\"},{\"type\":\"Prepend\",\"prepend\":\"123456789\"}]}",
            "times as long" },
        { "pre_tokenizer", "{\"type\":\"Other\"}", "'Other' is not supported" },
        { "decoder", "{\"type\":\"Strip\",\"content\":\" \",\"start\":0,\"stop\":3}", "strips more than one character" },
        { "added_tokens", "[{\"id\":-5,\"content\":\"x\"}]", "added_tokens[0]" },
        { "added_tokens", "[{\"id\":5,\"content\":\"</s>\"}]", "Failed to load" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Read_HostileEntry_IsRefusedBeforeTheLibraryPanics(string path, string value, string expected)
    {
        var json = JsonNode.Parse(Unigram)!;
        var keys = path.Split('.');
        keys[..^1].Aggregate(json, (node, key) => node[key]!)[keys[^1]] = JsonNode.Parse(value);

        var error = Should.Throw<InvalidTokenizerException>(() => Load(json.ToJsonString()));

        error.Message.ShouldStartWith("tokenizer.json");
        error.Message.ShouldContain(expected);
    }

    [Theory]
    [InlineData(WordPiece, "\u0301")]
    [InlineData(Unigram, "game")]
    public void Read_NormalizedTokenThatMayVanish_IsRefusedBeforeTheLibraryPanics(string file, string content)
    {
        var json = JsonNode.Parse(file)!;
        json["added_tokens"]!.AsArray().Add(new JsonObject
        {
            ["id"] = 10, ["content"] = content, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = true, ["special"] = false,
        });

        Should.Throw<InvalidTokenizerException>(() => Load(json.ToJsonString(), SepEnds)).Message.ShouldContain("may leave nothing of it");
    }

    [Fact]
    public void Read_NameThatAppearsTwice_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => Load(Unigram.Replace("\"unk_id\":0", "\"unk_id\":9999,\"unk_id\":0", StringComparison.Ordinal)))
            .Message.ShouldStartWith("tokenizer.json is not usable");

    [Fact]
    public void Encode_AddedTokenWhoseIdDoesNotFollow_IsRefused()
    {
        var json = JsonNode.Parse(Unigram)!;
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse(
            """{"id":2,"content":"new","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":false}"""));

        Should.Throw<InvalidTokenizerException>(() => Load(json.ToJsonString()).Encode("new")).Message.ShouldContain("beyond its 10 tokens");
    }

    [Fact]
    public void Encode_ByteLevelBpeOfOurs_GivesTheLibrarysIds()
    {
        var ours = TokenizerFiles.Read(GoldenFiles.TokenizerJson);
        var library = Library(new Dictionary<string, byte[]> { ["tokenizer.json"] = GoldenFiles.TokenizerJson });

        foreach (var text in JsonSerializer.Deserialize<string[]>(GoldenFiles.Read("torture.json"))!)
            ours.Encode(text).ShouldBe(library.Encode(text), text);
    }

    [Fact]
    public void Train_FilesOfOurs_GiveTheSameIdsInTheLibrary()
    {
        var ours = ByteLevelBpe.Train(GoldenFiles.TrainingLines(), 500);
        var library = Library(ours.Files);

        foreach (var text in JsonSerializer.Deserialize<string[]>(GoldenFiles.Read("torture.json"))!)
            library.Encode(text).ShouldBe(ours.Encode(text), text);
    }

    [Fact]
    public void Read_LibraryThatIsNotThere_SaysWhereToRun()
    {
        var files = new Dictionary<string, byte[]> { ["tokenizer.json"] = Encoding.UTF8.GetBytes(Unigram) };
        var settings = TokenizerSettings.Read(TokenizerSource.Of(files), null);

        foreach (var fault in new Exception[] { new DllNotFoundException(), new EntryPointNotFoundException(), new BadImageFormatException() })
        {
            var error = Should.Throw<InvalidTokenizerException>(() => PackagedTokenizer.Read(files["tokenizer.json"], settings, files, _ => throw fault));
            error.Message.ShouldContain("ships with this program for Linux on x64 only");
            error.InnerException.ShouldBe(fault);
        }
    }

    [Fact]
    public void Encode_PrecompiledNormalizer_GivesTheIdsOfTheModelItComesFrom()
    {
        var model = SentencePieceFile.Read("tokenizer.model", GoldenFiles.Read("spm-unigram.model"));
        var tokenizer = Load(Converted(model, "spm-unigram.model"));
        var golden = JsonNode.Parse(GoldenFiles.Read("golden-sentencepiece.json"))!;
        var (texts, ids) = (golden["texts"].Deserialize<string[]>()!, GoldenFiles.Ids(golden["ids"]!["unigram"]!));

        // The conversion leaves spaces at the ends and takes user-defined pieces for words.
        var plain = Enumerable.Range(0, texts.Length).Where(i => texts[i].Trim() == texts[i]
            && texts[i].All(c => c is >= ' ' and <= '~' and not '<' or >= '\uFF01' and <= '\uFF5E')).ToList();

        plain.Count.ShouldBeGreaterThan(10);
        foreach (var i in plain)
            tokenizer.Encode(texts[i]).ShouldBe(ids[i], texts[i]);
        tokenizer.Encode("\uFF34\uFF48\uFF45").ShouldBe(tokenizer.Encode("The")); // full-width letters
    }

    [Fact]
    public void Encode_BpeWithMarksAndALowercaseNormalizer_IsReadByTheLibrary()
    {
        var json = JsonNode.Parse(GoldenFiles.Read("tokenizer-metaspace.json"))!;
        var normalizer = json["normalizer"]!.DeepClone();
        json["normalizer"] = JsonNode.Parse("""{"type":"Sequence","normalizers":[{"type":"Lowercase"}]}""");
        json["normalizer"]!["normalizers"]!.AsArray().Add(normalizer);

        var tokenizer = Load(json.ToJsonString());

        tokenizer.ShouldBeOfType<PackagedTokenizer>();
        tokenizer.Encode("THE HOUSE").ShouldBe(tokenizer.Encode("the house"));
    }

    [Fact]
    public void Encode_TokensOfTheConfiguration_AreGivenToTheLibrary()
    {
        var tokenizer = Load(
            Unigram,
            """{"added_tokens_decoder":{"1":{"content":"</s>","special":true},"10":{"content":"<|turn|>","special":true}}}"""u8.ToArray());

        tokenizer.Encode("the game<|turn|>").ShouldBe([2, 3, 10]);
        tokenizer.VocabularySize.ShouldBe(11);
    }

    [Fact]
    public void Read_NormalizedTokenOfTheConfigurationThatMayVanish_IsRefusedBeforeTheLibraryPanics() =>
        Should.Throw<InvalidTokenizerException>(() => Load(
            Unigram, """{"added_tokens_decoder":{"10":{"content":"game","normalized":true}}}"""u8.ToArray())).Message.ShouldContain("may leave nothing of it");

    // As transformers' SpmConverter writes it.
    private static string Converted(SentencePieceFile model, string file)
    {
        var json = JsonNode.Parse(Unigram)!;
        json["added_tokens"] = JsonNode.Parse(
            """[{"id":2,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]""");
        json["model"]!["vocab"] = new JsonArray([.. model.Pieces.Select(piece => (JsonNode)new JsonArray(piece.Text, piece.Score))]);
        json["normalizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["normalizers"] = new JsonArray(
                new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = Convert.ToBase64String(CharacterMapOf(GoldenFiles.Read(file))) },
                JsonNode.Parse("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}""")),
        };
        return json.ToJsonString();
    }

    // normalizer_spec (3), precompiled_charsmap (2)
    private static byte[] CharacterMapOf(byte[] model) => ProtocolFields.Of(ProtocolFields.Of(model).Single(field => field.Number == 3).Bytes)
        .Single(field => field.Number == 2).Bytes.ToArray();

    private static PackagedTokenizer Library(IReadOnlyDictionary<string, byte[]> files) =>
        PackagedTokenizer.Read(files["tokenizer.json"], TokenizerSettings.Read(TokenizerSource.Of(files), null), files);

    private static ITokenizer Load(string json, byte[]? configuration = null)
    {
        var files = new Dictionary<string, byte[]> { ["tokenizer.json"] = Encoding.UTF8.GetBytes(json) };
        if (configuration is not null)
            files["tokenizer_config.json"] = configuration;
        return TokenizerFiles.Load(TokenizerSource.Of(files), 1024);
    }
}
