using Espalier.Stages;

namespace Espalier.CptTrainer.Training;

/// <summary>Says where a run diverged, and what to do.</summary>
internal static class DivergedRun
{
    /// <summary>The whole message.</summary>
    /// <param name="context">The step of the pipeline.</param>
    /// <param name="data">Where its text comes from.</param>
    /// <param name="step">Optimizer step, from 0.</param>
    /// <param name="rate">Its learning rate.</param>
    /// <param name="what">What was seen, in words.</param>
    public static string Describe(StageContext context, TrainingData data, long step, double rate, string what)
    {
        var (first, last) = data.BatchesOf(step);
        var batches = first == last ? $"batch {first}" : $"batches {first} to {last}";
        return FormattableString.Invariant($"Step '{context.Step.Name}': {what} at optimizer step {step + 1} (learning rate {rate:g3}, {batches} of ")
            + $"the data, text of {string.Join(", ", data.DomainsOf(step))}). "
            + "Lower learning-rate, lengthen warmup or set gradient-clip.";
    }
}
