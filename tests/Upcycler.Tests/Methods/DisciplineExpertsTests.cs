using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery;
using Espalier.TestKit.Models;

namespace Espalier.Upcycler.Tests.Methods;

public sealed class DisciplineExpertsTests
{
    private const string Options = """{"from":"${base.model}","method":"disciplines","disciplines":2,"shards":4,"seed":1}""";

    [Fact]
    public async Task Run_DisciplinesThatHaveNotMoved_AreTheBase()
    {
        using var tiny = await BenchAsync((_, values) => values, (_, values) => [.. values.Select(v => v)]);

        var result = await UpcycleStageTests.RunAsync(tiny, Options);

        (await GrownModels.DifferenceAsync(tiny, tiny.Inputs[0].Artifact, result.Outputs["model"])).ShouldBeLessThan(1e-5);
        var config = (await tiny.OpenAsync(result.Outputs["model"])).Config;
        (config.Experts, config.ExpertsPerToken, config.ExpertSize, config.SharedSize).ShouldBe((8, 4, 6, 24));
    }

    [Fact]
    public async Task Run_Disciplines_BecomeTheirOwnExperts()
    {
        using var tiny = await BenchAsync((name, values) =>
            name.Contains(".mlp.", StringComparison.Ordinal) ? [.. values.Select(v => v * 2)] : values, (_, values) => values);

        var result = await UpcycleStageTests.RunAsync(tiny, Options);

        var (first, second) = (await tiny.OpenAsync(tiny.Inputs[1].Artifact), await tiny.OpenAsync(tiny.Inputs[2].Artifact));
        var grown = await tiny.OpenAsync(result.Outputs["model"]);
        grown.ReadFloats(grown.Projection(1, 2, "up")).ShouldBe(first.ReadFloats(first.Tensor(TensorNames.DenseMlp(1, "up")))[(12 * 32)..(18 * 32)]);
        grown.ReadFloats(grown.Projection(1, 4, "up")).ShouldBe(second.ReadFloats(second.Tensor(TensorNames.DenseMlp(1, "up")))[..(6 * 32)]);
        grown.Manifest.Experts.Single(e => e is { Layer: 0, Expert: 5 }).Parent.ShouldBe(second.Artifact.Root);
        grown.Manifest.Parents.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Run_OtherAttention_SaysHowToTrain()
    {
        using var tiny = await BenchAsync((_, values) => [.. values.Select(v => v * 2)], (_, values) => values);

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, Options))).Message.ShouldContain("only: feed-forward");
    }

    [Fact]
    public async Task Run_TooFewModels_AsksForThem()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense());

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, Options))).Message.ShouldContain(
            "every discipline's step in 'needs'");
    }

    private static async Task<TinyCheckpoint> BenchAsync(params Func<string, float[], float[]>[] disciplines)
    {
        var tiny = await GrownModels.StoreAsync(GrownModels.Dense());
        var source = await tiny.OpenAsync(tiny.Inputs[0].Artifact);
        tiny.Inputs[0] = new StepInput("base", "from", source.Artifact);
        for (var i = 0; i < disciplines.Length; i++)
        {
            using var writer = new CheckpointWriter(tiny.Store);
            foreach (var file in source.Manifest.Files)
                writer.AddExisting(file);
            foreach (var tensor in source.Manifest.Tensors)
                await writer.AddTensorAsync(tensor.Name, tensor.DType, tensor.Shape,
                    FloatBytes.FromFloats(tensor.DType, disciplines[i](tensor.Name, source.ReadFloats(tensor))), default);
            writer.SetProperties(new System.Text.Json.Nodes.JsonObject { ["discipline"] = i });
            tiny.Inputs.Add(new StepInput($"discipline-{i}", OutputNames.Model, await writer.CommitAsync(default)));
        }
        return tiny;
    }
}
