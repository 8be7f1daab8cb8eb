namespace Espalier.Modeling.Training;

/// <summary>What the parts of the loss were, of one micro-batch or the sum of several.</summary>
/// <param name="Loss">Mean cross-entropy in nats per token.</param>
/// <param name="Balance">Load-balancing loss, K when perfectly balanced.</param>
/// <param name="RouterZ">Router z-loss.</param>
/// <param name="Divergence">Mean divergence from the teacher in nats per token; 0 without one.</param>
/// <param name="Features">Sum over layers of the distance from the teacher's streams; 0 where they are not compared.</param>
internal readonly record struct BatchLosses(double Loss, double Balance, double RouterZ, double Divergence = 0, double Features = 0)
{
    /// <summary>Share of assignments beyond the experts' capacity; 0 where there is no limit.</summary>
    public double Dropped { get; init; }

    public static BatchLosses operator +(BatchLosses a, BatchLosses b) =>
        new(a.Loss + b.Loss, a.Balance + b.Balance, a.RouterZ + b.RouterZ, a.Divergence + b.Divergence, a.Features + b.Features)
        {
            Dropped = a.Dropped + b.Dropped,
        };

    public static BatchLosses operator /(BatchLosses sum, int count) =>
        new(sum.Loss / count, sum.Balance / count, sum.RouterZ / count, sum.Divergence / count, sum.Features / count)
        {
            Dropped = sum.Dropped / count,
        };
}
