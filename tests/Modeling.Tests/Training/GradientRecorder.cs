using Espalier.Modeling.Training;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

/// <summary>An optimizer that changes no weight and keeps the gradients of its last step.</summary>
internal sealed class GradientRecorder(ParameterBuffer buffer) : IOptimizer
{
    public float[] Gradients { get; private set; } = [];

    public string Name => "recorder";

    public long Steps { get; set; }

    public IReadOnlyList<LateStart> Late { get; set; } = [];

    public IReadOnlyList<BufferRange> Frozen { get; set; } = [];

    public IReadOnlyList<RatedRange> Rates { get; set; } = [];

    public double Step(double learningRate, double gradientClip, double mostNorm = double.PositiveInfinity)
    {
        using var scope = NewDisposeScope();
        Gradients = buffer.Gradients!.data<float>().ToArray();
        buffer.Gradients.zero_();
        return Math.Sqrt(Gradients.Sum(g => (double)g * g));
    }

    public Tensor? Moments(Moment moment, BufferRange range) => null;

    public void SetMoments(Moment moment, NamedParameter parameter, Tensor values) => throw new NotSupportedException();

    public IEnumerable<(string Kind, Tensor Value)> State(NamedParameter parameter) => [];

    public void Dispose()
    {
    }
}
