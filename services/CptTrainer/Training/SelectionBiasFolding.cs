using System.Globalization;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Leads the selection bias of loss-free balancing to zero over the last n steps of a run, so that the router learns what the bias did:
/// before step s of the last n, beta is multiplied by (n - s - 1) / (n - s). The last step runs without it. A function of the step and
/// of the bias alone, so a resumed run ends in the same bits.
/// </summary>
internal sealed class SelectionBiasFolding(TrainOptions options, TrainPlan plan)
{
    private readonly long _first = options.SelectionBias == SelectionBiasEnd.Fold
        ? plan.Steps - Math.Clamp((long)Math.Round(options.Decay * plan.Steps), 1, plan.Steps) : plan.Steps;

    /// <summary>Sets the biases for <paramref name="step"/>, before its forward pass.</summary>
    public void Apply(MoeDecoder decoder, DecoderTrainer trainer, long step)
    {
        trainer.IsBiasFixed = step >= _first;
        if (trainer.IsBiasFixed)
            decoder.ScaleSelectionBias((plan.Steps - step - 1) / (double)(plan.Steps - step));
    }

    /// <summary>Takes the biases, which are zero, out of a model whose family has none; says what they were worth.</summary>
    public IReadOnlyList<string> Finish(MoeDecoder decoder, TrainingRecord record)
    {
        if (ModelFamily.Of(decoder.Config.Family).HasSelectionBias)
            decoder.AddSelectionBias(); // loaders expect one
        else if (options.SelectionBias == SelectionBiasEnd.Fold)
            decoder.DropSelectionBias();
        if (options.SelectionBias != SelectionBiasEnd.Fold || !decoder.Config.IsMixture)
            return [];
        var note = $"The selection bias was led to zero over the last {plan.Steps - _first} of {plan.Steps} optimizer steps, and the model ends without it.";
        return record.History.LastOrDefault(point => point.Step <= _first) is { } before ? [note + Cost(before, record.History[^1])] : [note];
    }

    private static string Cost(HistoryPoint before, HistoryPoint after) => string.Create(CultureInfo.InvariantCulture,
        $" Training loss was {before.Loss:f4} with it and {after.Loss:f4} at the end; the most used expert of any layer had "
        + $"{1 + before.MaxViolation:f2} and {1 + after.MaxViolation:f2} times the mean load.");
}
