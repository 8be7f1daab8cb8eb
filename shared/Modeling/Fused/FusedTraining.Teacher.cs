using System.Diagnostics;
using Espalier.Kernels;
using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Fused;

/// <summary>Learning from a teacher: its head and the divergence run with the head and loss of the model, a few rows of logits at a time.</summary>
internal sealed unsafe partial class FusedTraining
{
    private IReadOnlyList<Tensor> RunTeacher(Distillation distillation, Tensor batch)
    {
        var start = Stopwatch.GetTimestamp();
        var taught = distillation.Run(batch.narrow(1, 0, batch.shape[1] - 1).contiguous(), decoder.DocumentStarts);
        Note("teacher forward", start);
        return taught;
    }

    // Adds the gradient of weight ||y_S - y_T||^2 / ||y_T||^2 by a layer's stream to that of the stream; returns the distance.
    private double Pull(float* stream, Tensor goal, double weight)
    {
        var count = goal.numel();
        var target = FusedDecoder.At(goal);
        var size = FusedKernels.SumOfSquares(_ends.Threads, target, count);
        return FusedKernels.Pull(_ends.Threads, stream, target, count, 2 * weight / size, _ends.Gradient) / size;
    }

    private void AddTeacher(Distillation distillation, long tokens, long rows)
    {
        var (config, (norm, matrix)) = (distillation.Teacher.Config, distillation.Teacher.HeadWeights);
        (_ends.Weight, _ends.Temperature) = (distillation.Weight, distillation.Temperature);
        (_ends.TeacherHidden, _ends.TeacherEpsilon) = (config.HiddenSize, config.NormEpsilon);
        _ends.TeacherNorm = FusedDecoder.At(norm);
        _ends.TeacherHead = FusedDecoder.At(matrix);
        _ends.TeacherNormed = _arena.Take<float>(tokens * config.HiddenSize);
        _ends.TeacherLogits = _arena.Take<float>(rows * config.VocabularySize);
        _ends.Divergences = _arena.Take<float>(tokens);
    }
}
