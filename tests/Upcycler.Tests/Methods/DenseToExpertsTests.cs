using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Tests.Methods;

/// <summary>Sparse upcycling, drop-upcycling and ternary experts from dense models, through the stage.</summary>
public sealed class DenseToExpertsTests
{
    [Theory]
    [InlineData("llama", "mixtral", 2)]
    [InlineData("qwen2", "qwen2_moe", 2)]
    [InlineData("qwen3", "qwen3_moe", 3)]
    public async Task Sparse_GatesThatSumToOne_KeepLogits(string dense, string mixture, int topK)
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense(dense));

        var (result, difference) = await GrownModels.GrowAsync(tiny, $$"""{"method":"sparse","experts":4,"top-k":{{topK}},"seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        var grown = await tiny.OpenAsync(result.Outputs["model"]);
        (grown.Config.Family, grown.Config.Experts, grown.Config.ExpertsPerToken).ShouldBe((mixture, 4, topK));
        var standIn = dense == "qwen2" ? 3 * 32 * 24 + 32 : 0; // a shared expert of zeros and its gate
        result.Metrics["total-parameters"].ShouldBe(GrownModels.Dense(dense).TotalParameters + 2 * (3 * 3 * 32 * 24 + 4 * 32 + standIn));
        result.Notes.ShouldBeEmpty();
        var before = await tiny.OpenAsync(tiny.Inputs[0].Artifact);
        grown.Read(grown.Projection(1, 3, "up")).ShouldBe(before.Read(before.Tensor(TensorNames.DenseMlp(1, "up"))));
    }

    [Fact]
    public async Task Sparse_GatesNotDivided_ChangeLogits()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense());

        var (_, difference) = await GrownModels.GrowAsync(tiny, """{"method":"sparse","experts":4,"normalize-top-k":false,"seed":1}""");

        difference.ShouldBeGreaterThan(0.01);
    }

    [Fact]
    public async Task Sparse_SomeLayers_LeavesTheOthersDense()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense("qwen3"));

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"sparse","experts":4,"layers":[1],"seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        (await tiny.OpenAsync(result.Outputs["model"])).Config.SparseLayers.ShouldBe([1]);
    }

    [Theory]
    [InlineData("sparse")]
    [InlineData("drop")]
    public async Task Shared_ExpertsBesideTheFeedForward_KeepLogits(string method)
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense());

        var (result, difference) = await GrownModels.GrowAsync(tiny, $$"""{"method":"{{method}}","experts":4,"shared":"dense","seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        (await tiny.OpenAsync(result.Outputs["model"])).Config.SharedSize.ShouldBe(24);
    }

    [Theory]
    [InlineData("""{"method":"sparse","experts":4,"seed":1}""", 24, true)]
    [InlineData("""{"method":"drop","experts":4,"ratio":0,"seed":1}""", 24, true)]
    [InlineData("""{"method":"split","shards":4,"seed":1}""", 6, true)]
    [InlineData("""{"method":"split","shards":4,"shared":1,"seed":1}""", 6, false)]
    [InlineData("""{"method":"sparse","experts":4,"shared":"dense","seed":1}""", 24, false)]
    public async Task Qwen2_EveryWayToExperts_IsWhatItsLoadersExpect(string options, int sharedSize, bool isStandIn)
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense("qwen2"));

        var (result, difference) = await GrownModels.GrowAsync(tiny, options);

        difference.ShouldBeLessThan(1e-5);
        result.Notes.ShouldBeEmpty();
        var grown = await tiny.OpenAsync(result.Outputs["model"]);
        JsonNode.Parse(grown.Reader.ReadFile("config.json"))!.AsObject().ContainsKey("espalier").ShouldBeFalse();
        foreach (var layer in grown.Config.SparseLayers)
        {
            grown.Tensor(TensorNames.SharedExpert(layer, "gate")).Shape.ShouldBe([sharedSize, 32]);
            grown.Tensor(TensorNames.SharedExpert(layer, "down")).Shape.ShouldBe([32, sharedSize]);
            grown.ReadFloats(grown.Tensor(TensorNames.SharedExpertGate(layer))).ShouldAllBe(value => value == 0);
            grown.ReadFloats(grown.Tensor(TensorNames.SharedExpert(layer, "down"))).All(value => value == 0).ShouldBe(isStandIn);
        }
    }

    [Fact]
    public async Task Qwen2_StandInForASharedExpert_StaysZeroInTraining()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense("qwen2"));
        var result = await UpcycleStageTests.RunAsync(tiny, """{"method":"sparse","experts":4,"seed":1}""");
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(result.Outputs["model"])).Reader, "grown");
        using var optimizer = new AdamW(decoder.Buffer);
        using var scope = NewDisposeScope();

        for (var step = 0; step < 3; step++)
            new DecoderTrainer(decoder, optimizer, new TrainerSettings()).Step([randint(60, 70, [4, 33], dtype: int64, generator: new Generator(1))], 1e-2);

        foreach (var projection in (string[])["gate", "up", "down"])
            decoder.Parameters.Single(p => p.Name == TensorNames.SharedExpert(0, projection)).Value.abs().max().item<float>().ShouldBe(0);
    }

    [Fact]
    public async Task Llama_ExpertsInSomeLayers_NeedsAFamilyThatSaysWhich()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense());

        var (mixtral, _) = await GrownModels.GrowAsync(tiny, """{"method":"sparse","experts":4,"layers":[1],"seed":1}""");
        var (qwen, difference) = await GrownModels.GrowAsync(tiny, """{"method":"sparse","experts":4,"layers":[1],"family":"qwen2_moe","seed":1}""");

        mixtral.Notes.ShouldHaveSingleItem().ShouldContain("family: qwen2_moe");
        difference.ShouldBeLessThan(1e-5);
        qwen.Notes.ShouldBeEmpty();
        var config = (await tiny.OpenAsync(qwen.Outputs["model"])).Config;
        (config.Family, config.QueryKeyValueBias).ShouldBe(("qwen2_moe", false));
        config.DenseLayers.ShouldBe([0]);
    }

    [Fact]
    public async Task Drop_EveryExpert_KeepsTheOtherHalfOfItsNeurons()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense());

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"drop","experts":4,"ratio":0.5,"seed":1}""");

        difference.ShouldBeGreaterThan(0.01);
        var (before, after) = (await tiny.OpenAsync(tiny.Inputs[0].Artifact), await tiny.OpenAsync(result.Outputs["model"]));
        var dense = before.ReadFloats(before.Tensor(TensorNames.DenseMlp(0, "gate"))).Chunk(32).ToList();
        var kept = Enumerable.Range(0, 4)
            .Select(e => after.ReadFloats(after.Projection(0, e, "gate")).Chunk(32).Select((row, i) => row.SequenceEqual(dense[i])).ToArray()).ToList();
        kept.ShouldAllBe(expert => expert.Count(k => k) == 12);
        kept.Select(expert => string.Concat(expert.Select(k => k ? 1 : 0))).Distinct().Count().ShouldBe(4);
    }

    [Fact]
    public async Task Mote_Start_KeepsLogitsAndTrainsStraightThrough()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense());

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"mote","experts":4,"top-k":1,"seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(result.Outputs["model"])).Reader, "grown");
        decoder.Config.TernaryExperts.ShouldBeTrue();
        using var optimizer = new AdamW(decoder.Buffer);
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings());
        var losses = new List<double>();
        for (var step = 0; step < 30; step++)
        {
            using var scope = NewDisposeScope();
            losses.Add(trainer.Step([randint(60, 70, [4, 33], dtype: int64, generator: new Generator(1))], 3e-3).Loss);
        }
        losses[^1].ShouldBeLessThan(losses[0] * 0.7);
        using var after = NewDisposeScope();
        var down = Ternary.Quantize(decoder.GetExpert(0, 0).Down);
        down.abs().max().item<float>().ShouldBeGreaterThan(0);
        down.unique().output.shape[0].ShouldBeLessThanOrEqualTo(3);
    }

    [Theory]
    [InlineData("""{"method":"copy"}""", "this model has none. Use method sparse, drop or split")]
    [InlineData("""{"method":"sparse","experts":2,"top-k":3}""", "Use at most 2")]
    [InlineData("""{"method":"sparse","layers":[5]}""", "there is no layer 5")]
    [InlineData("""{"method":"sparse","family":"qwen3"}""", "family: 'qwen3' is not a mixture")]
    [InlineData("""{"method":"sparse","duplication":{"method":"svd-mix"}}""", "needs a second expert")]
    [InlineData("""{"method":"sparse","multiplier":2,"counts":[2]}""", "counts: method sparse does not use it")]
    [InlineData("""{"method":"mote","shared":"none"}""", "needs the full-precision shared expert")]
    public async Task Run_DenseModelThatCannotWork_SaysWhatWould(string options, string remedy)
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense());

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, options))).Message.ShouldContain(remedy);
    }

    [Fact]
    public async Task Sparse_OfAMixture_NamesWhatWorks()
    {
        using var tiny = await GrownModels.StoreAsync(ModelConfig.Tiny());

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"method":"sparse"}"""))).Message.ShouldContain(
            "Use method copy or utility");
    }
}
