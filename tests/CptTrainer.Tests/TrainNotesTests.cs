using System.Text;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Tests;

/// <summary>What training leaves out, and what other loaders of its model cannot run, is said; what avoids it works.</summary>
public sealed class TrainNotesTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_SelectionBiasFolded_LeavesNoneAndSaysWhatItWasWorth()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var kept = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"balance-rate":0.05}""")));
        var folded = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"balance-rate":0.05,"selection-bias":"fold","decay":0.5}""")));

        (await NamesAsync(kept)).ShouldContain(TensorNames.SelectionBias(0));
        kept.Notes.ShouldHaveSingleItem().ShouldContain("selection-bias: fold");
        (await NamesAsync(folded)).ShouldNotContain(TensorNames.SelectionBias(0));
        var note = folded.Notes.ShouldHaveSingleItem();
        note.ShouldContain("the last 8 of 16 optimizer steps");
        note.ShouldContain("Training loss was");
        (await _bench.ReportAsync(folded))["notes"]!.AsArray().Select(n => (string)n!).ShouldBe(folded.Notes);

        async Task<IReadOnlyList<string>> NamesAsync(StageResult result) =>
            (await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default)).Names;
    }

    [Fact]
    public async Task Run_StoppedWhileFolding_EndsInTheSameBits()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options("""{"selection-bias":"fold","decay":0.8,"balance-rate":0.05,"checkpoint-steps":3,"tokens":640}""");
        var whole = await TrainingBench.RunAsync(_bench.Context(data, options));
        var cursor = new MemoryCursor();
        var interrupted = _bench.Context(data, options, cursor, new TrainingProgress { AfterStep = Interrupt }); // of 10 steps

        await Should.ThrowAsync<IOException>(() => TrainingBench.RunAsync(interrupted));
        var resumed = await TrainingBench.RunAsync(_bench.Context(data, options, cursor));

        resumed.Outputs.ShouldBe(whole.Outputs);

        static void Interrupt(int step)
        {
            if (step == 5)
                throw new IOException("killed");
        }
    }

    [Fact]
    public async Task Run_PredictionLayers_AreLeftOutAndThatIsSaid()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny() with
        {
            Family = "deepseek_v3", QueryKeyNorm = QueryKeyNorm.None, SharedSize = 24, ExtraLayers = 1, HeadSize = 12,
            Latent = new LatentAttention(null, 12, 8, 4, 8, Interleaved: true), ScoreFunction = ScoreFunction.Sigmoid, NormalizeTopK = true,
        }, 1);
        using var writer = new CheckpointWriter(_bench.Store);
        await CheckpointSaver.AddTensorAsync(writer, TensorNames.Layer(2) + "eh_proj.weight", zeros(4, 4), ScalarType.Float32, default);
        await AddWithExtraLayersAsync(writer, decoder);
        var model = await writer.CommitAsync(default);

        var result = await TrainingBench.RunAsync(_bench.Context(
            data,
            TrainingBench.Options("""{"balance":"loss","tokens":64,"tokenizer":"bytes"}""", model: null),
            null,
            null,
            new StepInput("base", "model", model)));

        result.Notes.ShouldHaveSingleItem().ShouldContain("num_nextn_predict_layers");
        var names = (await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default)).Names;
        names.ShouldNotContain(TensorNames.Layer(2) + "eh_proj.weight");
        names.ShouldContain(TensorNames.SelectionBias(0)); // loaders of the family expect one

        static async Task AddWithExtraLayersAsync(CheckpointWriter writer, MoeDecoder decoder)
        {
            await writer.AddFileAsync("config.json", decoder.Config.ToJson(), default);
            foreach (var (name, value) in decoder.ExportWeights())
            {
                using (value)
                    await CheckpointSaver.AddTensorAsync(writer, name, value, ScalarType.Float32, default);
            }
        }
    }

    [Fact]
    public async Task Run_DynamicRotaryScaling_TakesTextBeyondThePositions()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny() with { MaxPositions = 8 }, 1);
        var config = JsonNode.Parse(decoder.Config.ToJson())!;
        config["rope_scaling"] = new JsonObject { ["rope_type"] = "dynamic", ["factor"] = 2.0 };
        using var scaled = MoeDecoder.Create(ModelConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString())), 1);
        var model = await _bench.AddModelAsync(scaled);

        (await TrainAsync(16)).Metrics["tokens"].ShouldBe(64);
        (await Should.ThrowAsync<UserInputException>(() => TrainAsync(17))).Message.ShouldContain("16 positions (max_position_embeddings 8");

        Task<StageResult> TrainAsync(int length) => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options($$"""{"tokens":64,"length":{{length}}}""", model: null), null, null, new StepInput("base", "model", model)));
    }
}
