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
        const string Shape = "\"family\":\"deepseek\",\"layers\":2,\"hidden\":64,\"heads\":2,\"experts\":4,\"top-k\":1,\"expert-size\":32,\"vocabulary\":\"bytes\"";
        var plain = (await EstimateAsync($$$"""{"model":{{{{Shape}}}}}""")).After!;

        var shared = (await EstimateAsync($$$"""{"model":{{{{Shape}}},"shared-experts":2}}""")).After!;

        (shared.TotalParameters - plain.TotalParameters).ShouldBe(2 * 2 * 3 * 64 * 32);
        (shared.ActiveParameters - plain.ActiveParameters).ShouldBe(2 * 2 * 3 * 64 * 32);
    }

    [Theory]
    [InlineData("""{"skip-spikes":1}""", "skip-spikes")]
    [InlineData("""{"batch":"auto","accumulate":4}""", "accumulate is 4")]
    [InlineData("""{"only":["routers"],"model":{"family":"llama"}}""", "only: 'routers'")]
    [InlineData("""{"model":{"shared-experts":1}}""", "models of family olmoe have none; write 'family: deepseek'")]
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
