using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.TestKit.Models;

namespace Espalier.Upcycler.Tests.Methods;

/// <summary>Layers that predict further tokens do not survive growth, and the result says so.</summary>
public sealed class PredictionLayersTests
{
    [Theory]
    [InlineData("""{"method":"copy","preserve":"frozen","seed":1}""")]
    [InlineData("""{"method":"depth","start":"zero","seed":1}""")]
    public async Task Growth_OfAModelWithPredictionLayers_LeavesThemOutAndSaysSo(string options)
    {
        using var tiny = await GrownModels.StoreAsync(Source());
        await AddPredictionLayerAsync(tiny);

        var (result, difference) = await GrownModels.GrowAsync(tiny, options);

        difference.ShouldBeLessThan(1e-5);
        result.Notes.Count(note => note.Contains("num_nextn_predict_layers", StringComparison.Ordinal)).ShouldBe(1);
        var grown = await tiny.OpenAsync(result.Outputs["model"]);
        grown.Config.ExtraLayers.ShouldBe(0);
        grown.Reader.Names.ShouldAllBe(name => TensorNames.LayerOf(name) == null || TensorNames.LayerOf(name) < grown.Config.Layers);
    }

    private static ModelConfig Source() => ModelConfig.Tiny() with
    {
        Family = "deepseek_v3", InitializerRange = 0.2, QueryKeyNorm = QueryKeyNorm.None, SharedSize = 24,
        Latent = new LatentAttention(null, 12, 8, 4, 8, Interleaved: true), HeadSize = 12, RoutedScale = 2,
        ScoreFunction = ScoreFunction.Sigmoid, NormalizeTopK = true,
    };

    // A third layer, whose tensors are copies of the second's.
    private static async Task AddPredictionLayerAsync(TinyCheckpoint tiny)
    {
        var plain = await tiny.OpenAsync(tiny.Inputs[0].Artifact);
        using var writer = new CheckpointWriter(tiny.Store);
        await writer.AddFileAsync("config.json", (plain.Config with { ExtraLayers = 1 }).ToJson(), default);
        foreach (var tensor in plain.Manifest.Tensors)
        {
            writer.AddExisting(tensor);
            if (TensorNames.LayerOf(tensor.Name) == 1)
                writer.AddExisting(tensor, TensorNames.Layer(2) + tensor.Name[TensorNames.Layer(1).Length..]);
        }
        tiny.Inputs[0] = new StepInput("base", OutputNames.Model, await writer.CommitAsync(default));
    }
}
