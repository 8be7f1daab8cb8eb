using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Leads a model that was grown with an exact start back to ordinary routing. A frozen-out replica's router bias is
/// b_source - d (1 - t), where d is its distance from its source at the start and t runs from 0 to 1, and likewise its selection bias
/// where the model has one; meanwhile loss-free balancing passes over it, so the distance is d (1 - t) whatever the source's bias
/// does. A widened model's experts per token fall linearly to their number; sibling-exclusive routing is released at a share of the
/// run. All of it depends on the step and on the model's state alone.
/// </summary>
public sealed class RoutingRamp : IDisposable
{
    // Noise on a bias is about 1e-3 and learned ones are a few units; growth freezes with at least 40.
    private const float FrozenBelow = -20;

    private readonly TrainPlan _plan;
    private readonly double _replicaSteps;
    private readonly double _widthSteps;
    private readonly long _releaseStep;
    private readonly ModelConfig _start;
    private readonly List<Replicas> _replicas = [];
    private bool _isRamping;

    /// <summary>Reads where the model starts from; create it before the first step, on the step's input, also when resuming.</summary>
    public RoutingRamp(MoeDecoder decoder, TrainOptions options, TrainPlan plan)
    {
        _plan = plan;
        _start = decoder.Config;
        _replicaSteps = (options.ReplicaRamp ?? plan.Tokens / 10) / (double)plan.TokensPerStep;
        _widthSteps = (options.ExpertsPerTokenRamp ?? plan.Tokens / 2) / (double)plan.TokensPerStep;
        _releaseStep = (long)Math.Ceiling(options.ReleaseSiblings * plan.Steps);
        FindReplicas(decoder);
    }

    /// <summary>Replicas that start frozen out.</summary>
    public int FrozenReplicas { get; private set; }

    /// <summary>Sets routing for <paramref name="step"/>, before its forward pass.</summary>
    public void Apply(MoeDecoder decoder, long step)
    {
        if (!_start.IsMixture)
            return;
        Route(decoder, step);
        SetReplicas(decoder, Share(step, _replicaSteps), isDone: step > _replicaSteps + 1);
    }

    /// <summary>Sets how many experts a token has, and whether siblings compete, and leaves the biases.</summary>
    public void Route(MoeDecoder decoder, long step)
    {
        var perToken = _start.ExpertsPerToken;
        if (_start.TargetExpertsPerToken is { } target)
            perToken = (int)Math.Round(_start.ExpertsPerToken + (target - _start.ExpertsPerToken) * Share(step, _widthSteps), MidpointRounding.AwayFromZero);
        decoder.ChangeRouting(_start.SiblingExclusive && (step < _releaseStep || _releaseStep >= _plan.Steps), perToken);
    }

    /// <summary>Experts of a layer that are on the ramp, for <see cref="Modeling.Training.DecoderTrainer.HeldBack"/>; null for none.</summary>
    public IReadOnlyList<bool>? HeldBack(int layer) => _isRamping ? _replicas.Find(replicas => replicas.Layer == layer)?.IsFrozen : null;

    /// <summary>Frees the recorded biases.</summary>
    public void Dispose()
    {
        foreach (var replicas in _replicas)
            replicas.Dispose();
    }

    private static double Share(long step, double steps) => steps <= 0 ? 1 : Math.Clamp(step / steps, 0, 1);

    private void SetReplicas(MoeDecoder decoder, double share, bool isDone)
    {
        _isRamping = !isDone; // learned like any other afterwards
        if (isDone)
            return;
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        foreach (var replicas in _replicas)
        {
            Set(decoder.RouterBias(replicas.Layer)!, replicas, replicas.RouterDistance);
            if (replicas.SelectionDistance is { } distance)
                Set(decoder.SelectionBias(replicas.Layer)!, replicas, distance);
        }

        void Set(Tensor bias, Replicas replicas, Tensor distance) =>
            bias.copy_(where(replicas.Frozen, bias.index_select(0, replicas.Source) - distance * (1 - share), bias));
    }

    private void FindReplicas(MoeDecoder decoder)
    {
        if (_start.SiblingGroups is not { } groups)
            return;
        for (var layer = 0; layer < _start.Layers; layer++)
        {
            if (decoder.RouterBias(layer) is not { } parameter)
                continue;
            using var scope = NewDisposeScope();
            var bias = Values(parameter);
            var source = Enumerable.Range(0, bias.Length).Select(expert => groups[layer].TakeWhile(group => group != groups[layer][expert]).Count()).ToArray();
            var frozen = bias.Select((value, expert) => source[expert] != expert && value <= FrozenBelow).ToArray();
            if (!frozen.Contains(true))
                continue;
            FrozenReplicas += frozen.Count(f => f);
            _replicas.Add(new Replicas(
                layer,
                frozen,
                tensor(frozen, device: decoder.Device).DetachFromDisposeScope(),
                tensor(source.Select(expert => (long)expert).ToArray(), device: decoder.Device).DetachFromDisposeScope(),
                Distances(bias),
                decoder.SelectionBias(layer) is { } selection ? Distances(Values(selection)) : null));

            Tensor Distances(float[] values) =>
                tensor(values.Select((value, expert) => values[source[expert]] - value).ToArray(), device: decoder.Device).DetachFromDisposeScope();
        }
    }

    private static float[] Values(Tensor values) => values.detach().to(float32).cpu().contiguous().data<float>().ToArray();

    /// <summary>Frozen-out replicas of one layer.</summary>
    /// <param name="Layer">Layer index.</param>
    /// <param name="IsFrozen">By expert.</param>
    /// <param name="Frozen">(E) the same as a mask.</param>
    /// <param name="Source">(E) int64, each expert's source.</param>
    /// <param name="RouterDistance">(E) source's router bias less the expert's, at the start.</param>
    /// <param name="SelectionDistance">(E) the same of the selection bias; null when the model has none.</param>
    private sealed record Replicas(int Layer, bool[] IsFrozen, Tensor Frozen, Tensor Source, Tensor RouterDistance, Tensor? SelectionDistance) : IDisposable
    {
        public void Dispose()
        {
            foreach (var kept in (Tensor?[])[Frozen, Source, RouterDistance, SelectionDistance])
                kept?.Dispose();
        }
    }
}
