using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Learning from a teacher's logits (arXiv 1503.02531). Per token, with logits z of the student and t of the teacher:
/// (1 - w) cross-entropy + w T^2 KL(softmax(t / T) || softmax(z / T)), averaged; and, with f > 0, f times the sum over layers of
/// ||y_S - y_T||^2 / ||y_T||^2, y the stream behind a layer, over all tokens of a micro-batch. The teacher runs forward only.
/// </summary>
/// <param name="Teacher">A model with the student's vocabulary; with f, of as many layers and the same width. Not owned.</param>
public sealed record Distillation(MoeDecoder Teacher)
{
    /// <summary>Share w of the divergence in the loss, from 0 to 1.</summary>
    /// <value>0.5</value>
    public double Weight { get; init; } = 0.5;

    /// <summary>Temperature T.</summary>
    /// <value>1</value>
    public double Temperature { get; init; } = 1;

    /// <summary>Weight f of the distance between streams; 0 leaves them out.</summary>
    /// <value>0</value>
    public double Features { get; init; }

    /// <summary>The teacher's streams behind its layers for <paramref name="inputs"/> (B, S): of all with features, else of the last alone.</summary>
    /// <param name="inputs">Token ids, int64.</param>
    /// <param name="documentStarts">Where documents begin that attention stays within, as it does in the student; null where it does not.</param>
    /// <returns>(B, S, G) each, in the caller's scope.</returns>
    internal IReadOnlyList<Tensor> Run(Tensor inputs, long[]? documentStarts = null)
    {
        using var pass = Teacher.Begin(documentStarts is null ? null : new TrainingPass { DocumentStarts = documentStarts });
        using var untracked = no_grad();
        using var scope = NewDisposeScope();
        var streams = new List<Tensor> { Teacher.Embed(inputs) };
        for (var layer = 0; layer < Teacher.Config.Layers; layer++)
        {
            var next = Teacher.RunLayer(layer, streams[^1]);
            if (Features <= 0 || layer == 0) // the embedding is compared with nothing
            {
                streams[^1].Dispose();
                streams.Clear();
            }
            streams.Add(next);
        }
        return [.. streams.Select(stream => stream.contiguous().MoveToOuterDisposeScope())];
    }

    /// <summary>The part of the loss that comes from logits (B, S, V), and the divergence in nats per token, without gradient.</summary>
    /// <param name="logits">The student's.</param>
    /// <param name="stream">The teacher's last stream.</param>
    /// <param name="crossEntropy">Mean cross-entropy of the student.</param>
    internal (Tensor Loss, Tensor? Divergence) Mix(Tensor logits, Tensor stream, Tensor crossEntropy)
    {
        Tensor taught;
        using (no_grad())
            taught = Teacher.Head(stream);
        var divergence = Losses.Divergence(logits, taught, Temperature);
        return (crossEntropy * (1 - Weight) + divergence * (Weight * Temperature * Temperature), divergence.detach());
    }

    /// <summary>Distance of a stream from the teacher's, ||y_S - y_T||^2 / ||y_T||^2, and the gradient of f times it by the stream.</summary>
    internal (double Distance, Tensor Gradient) Compare(Tensor stream, Tensor goal)
    {
        using var untracked = no_grad();
        using var scope = NewDisposeScope();
        var (apart, size) = (stream.to(float32) - goal.to(float32), goal.to(float32).square().sum().item<float>());
        var gradient = (apart * (2 * Features / size)).to(stream.dtype);
        return (apart.square().sum().item<float>() / size, gradient.MoveToOuterDisposeScope());
    }
}
