namespace Espalier.CptTrainer.Training.Teams;

/// <summary>The record of a run that several members had a part in.</summary>
internal static class TeamRecord
{
    /// <summary>Means of what was measured on each member's batches, sums of what was counted; held-out losses are in that of the first.</summary>
    public static TrainingRecord Of(IReadOnlyList<TrainingRecord> members) => new()
    {
        History = [.. members[0].History.Select((_, i) => MeanOf([.. members.Select(member => member.History[i])]))],
        Load = [.. members[0].Load.Select((_, i) => SumOf([.. members.Select(member => member.Load[i])]))],
        Operations = members.Sum(member => member.Operations),
        SkippedSteps = members.Sum(member => member.SkippedSteps),
        HeldOut = members[0].HeldOut,
        Forecasts = members[0].Forecasts,
        Watch = members[0].Watch,
    };

    private static HistoryPoint MeanOf(IReadOnlyList<HistoryPoint> points) => points[0] with
    {
        Loss = points.Average(point => point.Loss),
        GradNorm = points.Average(point => point.GradNorm),
        BalanceLoss = points.Average(point => point.BalanceLoss),
        RouterZLoss = points.Average(point => point.RouterZLoss),
        MaxViolation = points.Average(point => point.MaxViolation),
        Divergence = points.Average(point => point.Divergence),
        FeatureDistance = points.Average(point => point.FeatureDistance),
    };

    private static LoadSnapshot SumOf(IReadOnlyList<LoadSnapshot> snapshots) => snapshots[0] with
    {
        Layers = [.. snapshots[0].Layers.Select((layer, l) => layer.Select((_, e) => snapshots.Sum(snapshot => snapshot.Layers[l][e])).ToArray())],
    };
}
