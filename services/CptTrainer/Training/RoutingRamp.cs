using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Leads a model that was grown with an exact start back to ordinary routing, as a function of the step alone:
/// frozen-out replicas get the router bias b0 (1 - t) + b_source t while t runs from 0 to 1; a widened model's experts
/// per token fall linearly to their number; sibling-exclusive routing is released at a share of the run.
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
    private readonly List<(int Layer, Tensor Frozen, Tensor First, Tensor Last)> _replicas = []; // masks and biases, (E)

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
        var perToken = _start.ExpertsPerToken;
        if (_start.TargetExpertsPerToken is { } target)
            perToken = (int)Math.Round(_start.ExpertsPerToken + (target - _start.ExpertsPerToken) * Share(step, _widthSteps), MidpointRounding.AwayFromZero);
        decoder.ChangeRouting(_start.SiblingExclusive && (step < _releaseStep || _releaseStep >= _plan.Steps), perToken);
        SetReplicas(decoder, Share(step, _replicaSteps), isDone: step > _replicaSteps + 1);
    }

    /// <summary>Frees the recorded biases.</summary>
    public void Dispose()
    {
        foreach (var (_, frozen, first, last) in _replicas)
        {
            frozen.Dispose();
            first.Dispose();
            last.Dispose();
        }
    }

    private static double Share(long step, double steps) => steps <= 0 ? 1 : Math.Clamp(step / steps, 0, 1);

    private void SetReplicas(MoeDecoder decoder, double share, bool isDone)
    {
        if (isDone)
            return; // learned like any other from here on
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        foreach (var (layer, frozen, first, last) in _replicas)
        {
            var bias = decoder.RouterBias(layer)!;
            bias.copy_(where(frozen, first * (1 - share) + last * share, bias));
        }
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
            var bias = parameter.detach().to(float32).cpu().contiguous().data<float>().ToArray();
            var frozen = new bool[bias.Length];
            var last = new float[bias.Length];
            for (var expert = 0; expert < bias.Length; expert++)
            {
                var source = groups[layer].TakeWhile(group => group != groups[layer][expert]).Count();
                frozen[expert] = source != expert && bias[expert] <= FrozenBelow;
                last[expert] = bias[source];
            }
            if (!frozen.Contains(true))
                continue;
            FrozenReplicas += frozen.Count(f => f);
            _replicas.Add((
                layer,
                tensor(frozen, device: decoder.Device).DetachFromDisposeScope(),
                tensor(bias, device: decoder.Device).DetachFromDisposeScope(),
                tensor(last, device: decoder.Device).DetachFromDisposeScope()));
        }
    }
}
