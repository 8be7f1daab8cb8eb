using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Gguf.Blocks;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Families;
using Espalier.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Gguf.Tests;

/// <summary>A store in a temporary folder, models in it, and files made from them.</summary>
internal sealed class GgufBench : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-gguf-");
    private int _outputs;

    public GgufBench() => Store = new ArtifactStore(new FileBlobStore(Path.Combine(_folder.FullName, "store")));

    public ArtifactStore Store { get; }

    public List<string> Notes { get; } = [];

    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public Task<ManifestRef> ImportAsync(string family, bool hasTokenizer = false, Action<JsonObject>? change = null)
    {
        var made = FamilyModel.Create(family);
        change?.Invoke(made.Config);
        var folder = made.Write(PathOf(family));
        if (hasTokenizer)
            ByteTokenizerFiles.Write(folder);
        return HuggingFaceImporter.ImportAsync(Store, folder, new ImportOptions(), default);
    }

    public Task<string> ExportAsync(ManifestRef model, string type, bool hasTokenizer = true) => ExportAsync(Store, model, type, hasTokenizer);

    /// <summary>
    /// A mixture of 256 inputs a row, which every block type can cut, that has learnt a text of made sentences. Stored in the type that
    /// people publish.
    /// </summary>
    public async Task<(ManifestRef Model, ITokenizer Tokenizer)> TrainAsync()
    {
        var tokenizer = ByteLevelBpe.Train(Sentences(400, seed: 1), 512);
        var config = ModelConfig.Tiny(tokenizer.VocabularySize) with
        {
            HiddenSize = 256, Heads = 4, KeyValueHeads = 4, HeadSize = 64, ExpertSize = 256, Experts = 8, EosTokenId = tokenizer.EndTokenId,
        };
        using var decoder = MoeDecoder.Create(config, 3, CPU);
        using var optimizer = new AdamW(decoder.Buffer);
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings { Balance = BalanceMethod.Loss });
        var ids = tokenizer.Encode(string.Join(' ', Sentences(2000, seed: 2)));
        for (var step = 0; step < 120; step++)
        {
            var rows = Enumerable.Range(0, 8).Select(row => ids.AsSpan((step * 8 + row) * 31 % (ids.Length - 65), 65).ToArray());
            trainer.Step([tensor([.. rows.SelectMany(r => r).Select(id => (long)id)], [8, 65])], 3e-3);
        }
        using var writer = new CheckpointWriter(Store);
        await CheckpointSaver.AddAsync(writer, decoder, default);
        foreach (var (path, bytes) in tokenizer.Files)
            await writer.AddFileAsync(path, bytes, default);
        return (await writer.CommitAsync(default), tokenizer);
    }

    /// <summary>Sentences of a small grammar.</summary>
    public static IEnumerable<string> Sentences(int count, int seed)
    {
        string[] who = ["The gardener", "A pruner", "My neighbour", "The old tree"], does = ["cuts", "ties", "waters", "forgets", "sees"],
            what = ["a branch", "the frame", "seven apples", "its roots"], when = ["in spring.", "at dusk.", "every year."];
        var random = new Random(seed);
        string Pick(string[] from) => from[random.Next(from.Length)];
        return Enumerable.Range(0, count).Select(_ => $"{Pick(who)} {Pick(does)} {Pick(what)} {Pick(when)}");
    }

    public async Task<string> ExportAsync(ArtifactStore store, ManifestRef model, string type, bool hasTokenizer = true)
    {
        var output = PathOf($"out-{_outputs++}");
        var options = new GgufOptions { Type = BlockType.Of(type), Name = "test", HasTokenizer = hasTokenizer, Note = Notes.Add };
        await GgufExporter.ExportAsync(store, model.Root, output, options, default);
        return Path.Combine(output, GgufExporter.FileName);
    }

    /// <summary>Our own logits of every position.</summary>
    public static async Task<float[][]> LogitsAsync(ArtifactStore store, ManifestRef model, IReadOnlyList<int> tokens)
    {
        using var untracked = no_grad();
        using var decoder = await DecoderFiles.LoadDecoderAsync(store, model, default);
        using var logits = decoder.Forward(tensor(tokens.Select(t => (long)t).ToArray()).unsqueeze(0)).Logits.squeeze(0).to(float32);
        var size = (int)logits.shape[1];
        var all = logits.data<float>().ToArray();
        return [.. Enumerable.Range(0, tokens.Count).Select(i => all[(i * size)..((i + 1) * size)])];
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
