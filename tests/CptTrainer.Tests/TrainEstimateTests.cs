using System.Text.Json;
using Espalier.Contracts;
using Espalier.Surgery.Estimates;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.CptTrainer.Tests;

/// <summary>What <c>plan</c> says of a training step, before any tensor exists.</summary>
public sealed class TrainEstimateTests
{
    // 2,048 x 1,024 experts and no large vocabulary: nearly all weights are matrices of attention and experts.
    private const string Model =
        """{"family":"olmoe","layers":4,"hidden":1024,"heads":8,"experts":8,"top-k":2,"expert-size":2048,"vocabulary":"bytes"}""";

    /// <summary>Bytes a weight: master and gradient, a cast, moments, the average.</summary>
    [Theory]
    [InlineData("{}", 4 + 4 + 8)]
    [InlineData("""{"optimizer":"adamw-8bit"}""", 4 + 4 + 2 * 260.0 / 256)]
    [InlineData("""{"optimizer":"muon"}""", 4 + 4 + 4)]
    [InlineData("""{"precision":"bf16"}""", 4 + 4 + 2 + 8)]
    [InlineData("""{"precision":"bf16","master":"bf16","optimizer":"adamw-8bit"}""", 2 + 2 + 2 * 260.0 / 256)]
    [InlineData("""{"ema":0.999}""", 4 + 4 + 8 + 4)]
    [InlineData("""{"stable":true}""", 4 + 4 + 8 + 4)]
    [InlineData("""{"stable":true,"master":"bf16","precision":"bf16"}""", 2 + 2 + 8 + 2)]
    [InlineData("""{"sparsify":{"to":0.5,"weights":"matrices"}}""", 4 + 4 + 8 + 1)]
    public async Task Estimate_MemoryOfAChoice_IsItsBytesAWeight(string choice, double bytes)
    {
        var plain = await EstimateAsync("{}");
        var activations = plain.MemoryBytes!.Value - 16 * plain.After!.TotalParameters;

        var estimated = await EstimateAsync(choice);

        var scratch = choice.Contains("muon") ? 1.5 : 0; // bytes a weight of so small a model
        ((estimated.MemoryBytes!.Value - activations) / (double)plain.After.TotalParameters).ShouldBe(bytes, 0.02 * bytes + scratch);
    }

    [Fact]
    public async Task Estimate_AutoNumbers_AreShown()
    {
        var estimated = await EstimateAsync("""{"learning-rate":"auto","batch":"auto"}""");

        estimated.Choices.Count.ShouldBe(2);
        estimated.Choices[0].ShouldStartWith("learning-rate: auto is 1.7e-05, ");
        estimated.Choices[1].ShouldStartWith("batch: auto is ");
    }

    [Fact]
    public async Task Estimate_SharedExperts_AreWeightsThatEveryTokenUses()
    {
        const string Shape = """
            "family":"deepseek","layers":2,"hidden":64,"heads":2,"experts":4,"top-k":1,"expert-size":32,"vocabulary":"bytes"
            """;
        var plain = (await EstimateAsync($$$"""{"model":{{{{Shape}}}}}""")).After!;

        var shared = (await EstimateAsync($$$"""{"model":{{{{Shape}}},"shared-experts":2}}""")).After!;

        (shared.TotalParameters - plain.TotalParameters).ShouldBe(2 * 2 * 3 * 64 * 32);
        (shared.ActiveParameters - plain.ActiveParameters).ShouldBe(2 * 2 * 3 * 64 * 32);
    }

    [Theory]
    [InlineData("""{"dropout":0.1,"capacity":1.25}""", "dropout and capacity")]
    [InlineData("""{"top-p":0.4}""", "top-p and entropy-loss")]
    [InlineData("""{"top-p":0.4,"entropy-loss":0}""", "for top-p:")]
    [InlineData("""{"dropout":0,"top-p":1,"elastic":{"least":1,"most":4}}""", null)]
    [InlineData("""{"document-mask":true}""", null)]
    [InlineData("""{"prune-samples":{}}""", "runs the model forward over all training text")]
    public async Task Estimate_WhatHasNoKernels_IsSaid(string choice, string? named)
    {
        var estimated = await EstimateAsync(choice);

        if (named is null)
            estimated.Choices.ShouldBeEmpty();
        else
            estimated.Choices.ShouldHaveSingleItem().ShouldContain(named);
    }

    [Fact]
    public async Task Estimate_KMeansRouters_SaysWhatTheyAre()
    {
        var estimated = await EstimateAsync("""{"router":"k-means"}""");

        estimated.Choices.Count.ShouldBe(2);
        estimated.Choices[0].ShouldContain("Other loaders run them as learned ones");
        estimated.Choices[1].ShouldContain("for router: k-means:");
    }

    [Fact]
    public async Task Estimate_DropoutAndElastic_CountWhatTheyTake()
    {
        var plain = await EstimateAsync("{}");

        var dropout = await EstimateAsync("""{"dropout":0.1,"expert-dropout":0.1}""");
        var elastic = await EstimateAsync("""{"elastic":{"least":2,"most":8}}""");

        (dropout.MemoryBytes - plain.MemoryBytes).ShouldBe(4L * 4 * (2 + 2) * 64 * 1024); // a mask for each layer and place, of 64 tokens
        (elastic.Operations - plain.Operations).ShouldBe(6.0 * 1024 * 4 * 3 * 3 * 1024 * 2048); // 5 experts a token on average
        elastic.MemoryBytes!.Value.ShouldBeGreaterThan(plain.MemoryBytes!.Value);
    }

    /// <summary>Experts are 4 layers of 8, each of three matrices of 1024 x 2048; a step has 64 tokens.</summary>
    [Theory]
    [InlineData("linear", 1 / 2.0)]
    [InlineData("cubic", 3 / 4.0)]
    public async Task Estimate_Sparsify_NamesTheAverageParameters(string ramp, double meanOfRamp)
    {
        var share = 0.5 * meanOfRamp + 0.25; // half of the run, then a quarter
        var options = $$$"""{"tokens":640000,"sparsify":{"to":0.5,"ramp":"{{{ramp}}}","every":1}}""";

        var estimated = await EstimateAsync(options);

        var average = estimated.After!.TotalParameters - 0.5 * share * 4 * 8 * 3 * 1024 * 2048;
        var choice = estimated.Choices.ShouldHaveSingleItem();
        choice.ShouldContain("from optimizer step 2500 to 7500 of 10000");
        var said = double.Parse(choice.Split("the model has ")[1].Split(':')[0], System.Globalization.CultureInfo.InvariantCulture);
        said.ShouldBe(average, 1e-3 * average);
    }

    [Theory]
    [InlineData("batch", 4, 6, null)]
    [InlineData("global", 4, 8, "the 4 micro-batches of a step forward once more")]
    [InlineData("global", 1, 6, "is the same as batch here")]
    [InlineData("sequence", 1, 6, "no fused kernels for balance-scope: sequence")]
    public async Task Estimate_BalanceScope_CostsWhatItSays(string scope, int accumulate, double operations, string? note)
    {
        var estimated = await EstimateAsync($$"""{"balance":"loss","balance-scope":"{{scope}}","accumulate":{{accumulate}}}""");

        estimated.Operations.ShouldBe(operations * estimated.After!.ActiveParameters * 1024);
        if (note is null)
            estimated.Choices.ShouldBeEmpty();
        else
            estimated.Choices.ShouldHaveSingleItem().ShouldContain(note);
    }

    [Theory]
    [InlineData("""{"skip-spikes":1}""", "skip-spikes")]
    [InlineData("""{"batch":"auto","accumulate":4}""", "accumulate is 4")]
    [InlineData("""{"only":["routers"],"model":{"family":"llama"}}""", "only: 'routers'")]
    [InlineData("""{"model":{"shared-experts":1}}""", "models of family olmoe have none; write 'family: deepseek'")]
    [InlineData("""{"capacity":1.25,"model":{"family":"llama"}}""", "'capacity' is about experts")]
    [InlineData("""{"elastic":{"least":1,"most":9}}""", "'elastic.most' is 9, and a token of this model can use 8")]
    [InlineData("""{"elastic":{"least":3,"most":4}}""", "which it keeps, is 2")]
    [InlineData("""{"sparsify":{"to":0.5},"only":["routers","norms"]}""", "'only' leaves some of them as they are")]
    [InlineData("""{"sparsify":{"to":0.5},"only":"new-experts"}""", "'only' leaves some of them as they are")]
    [InlineData("""{"sparsify":{"to":0.5,"weights":"experts"},"model":{"family":"llama"}}""", "'sparsify' prunes experts here")]
    [InlineData("""{"sparsify":{"to":0.5,"granularity":"neuron"},"model":{"family":"llama"}}""", "'granularity: weight'")]
    [InlineData("""{"sparsify":{"to":0.5},"workers":2}""", "leave 'sparsify' out")]
    [InlineData("""{"router":"k-means","workers":2}""", "Several workers train routers by gradients only")]
    [InlineData("""{"router":"k-means","only":"experts"}""", "Name routers in 'only'")]
    [InlineData("""{"router":"k-means","rates":{"routers":2}}""", "'router-rate' says how fast they move")]
    [InlineData("""{"router-rate":0.1}""", "Write 'router: k-means' beside it")]
    [InlineData("""{"router":"k-means","model":{"family":"llama"}}""", "'router' is about experts")]
    public async Task Estimate_WhatWouldBeRefused_IsRefused(string choice, string expected) =>
        (await EstimateAsync(choice)).Refusal.ShouldNotBeNull().ShouldContain(expected);

    private static async Task<StepEstimated> EstimateAsync(string choice)
    {
        var options = TrainingBench.Options(choice, Model);
        await using var provider = new ServiceCollection().AddCptTrainer().BuildServiceProvider();
        var step = new EstimateStep { Kind = StageKinds.Train, Name = "base", Options = JsonSerializer.SerializeToElement(options), Inputs = [] };
        return (await provider.GetRequiredService<StageEstimates>().EstimateAsync(step, default))!;
    }
}
