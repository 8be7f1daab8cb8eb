using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Bench.Tests;

/// <summary>The peer is a fair one: it computes the same model.</summary>
public sealed class EagerDecoderTests
{
    private static readonly BenchShape Small = new(
        "test", Layers: 2, Hidden: 32, Heads: 2, Experts: 4, TopK: 2, ExpertSize: 16, Vocabulary: 64, Batch: 2, Length: 8);

    [Fact]
    public void Forward_OurWeights_GivesOurLogits()
    {
        using var ours = MoeDecoder.Create(Small.Config, seed: 1);
        using var peer = new EagerDecoder(Small, isBf16: false);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        Copy(ours, peer);
        var tokens = tensor(Small.Ids(0), [Small.Batch, Small.Length + 1]).narrow(1, 0, Small.Length).contiguous();

        var difference = (peer.call(tokens).flatten() - ours.Forward(tokens).Logits.flatten()).abs().max().item<float>();

        difference.ShouldBeLessThan(1e-5f);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_OfEitherPrecision_StartsAtTheUniformLossAndFalls(bool isBf16)
    {
        using var work = new EagerWork(Small, BenchWorkKind.Train, isBf16);

        var losses = Enumerable.Range(0, 20).Select(_ => work.Step().Loss).ToList();

        losses[0].ShouldBe(Math.Log(64), 0.1);
        losses[^1].ShouldBeLessThan(losses[0]);
    }

    // Both name their weights as the published checkpoints do.
    private static void Copy(MoeDecoder ours, EagerDecoder peer)
    {
        var weights = peer.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        foreach (var (name, value) in ours.ExportWeights())
            weights[name.Replace("model.", "", StringComparison.Ordinal)].copy_(value);
    }
}
