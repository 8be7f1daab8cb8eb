using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class LossesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void LoadBalancing_PerfectBalance_IsTopK(int perToken)
    {
        using var scope = NewDisposeScope();

        var loss = Losses.LoadBalancing([Trace(zeros(8, 4), perToken, [.. Enumerable.Repeat(2L * perToken, 4)])]);

        loss.item<float>().ShouldBe(perToken, 1e-6f);
    }

    [Fact]
    public void LoadBalancing_Collapse_IsTheNumberOfExperts()
    {
        using var scope = NewDisposeScope();
        var logits = zeros(8, 4);
        logits[TensorIndex.Colon, 0] = 100f;

        Losses.LoadBalancing([Trace(logits, 1, [8, 0, 0, 0])]).item<float>().ShouldBe(4f, 1e-5f);
    }

    [Fact]
    public void LoadBalancing_TwoLayers_PoolsRows()
    {
        using var scope = NewDisposeScope();
        var lopsided = zeros(8, 2);
        lopsided[TensorIndex.Colon, 0] = 100f;
        var opposite = lopsided.flip(-1);

        Losses.LoadBalancing([Trace(lopsided, 1, [8, 0]), Trace(opposite, 1, [0, 8])]).item<float>().ShouldBe(1f, 1e-5f);
    }

    [Fact]
    public void RouterZ_ZeroLogits_IsSquaredLogOfExperts()
    {
        using var scope = NewDisposeScope();

        Losses.RouterZ([Trace(zeros(5, 8), 1, [5, 0, 0, 0, 0, 0, 0, 0])]).item<float>().ShouldBe(4.324f, 1e-3f);
    }

    [Fact]
    public void CrossEntropy_UniformLogits_IsLogOfVocabulary()
    {
        using var scope = NewDisposeScope();

        Losses.CrossEntropy(zeros(2, 3, 50), zeros(2, 3, dtype: int64)).item<float>().ShouldBe(MathF.Log(50), 1e-5f);
    }

    private static RoutingTrace Trace(Tensor logits, int perToken, long[] counts) =>
        new(0, logits, logits, logits, zeros(logits.shape[0], perToken, dtype: int64), zeros(logits.shape[0], perToken)) { Counts = counts };
}
