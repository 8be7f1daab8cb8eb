using Espalier.Modeling;
using Espalier.Modeling.Training;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// A copy of the weights and selection biases as they were when the learning rate began to fall. Positions saved after that hold it, so a
/// resumed run ends with the same.
/// </summary>
/// <param name="decoder">Whose.</param>
/// <param name="step">First step of the decay.</param>
public sealed class StableWeights(MoeDecoder decoder, long step) : IDisposable
{
    private readonly List<(int Layer, Tensor Bias)> _biases = [];
    private Tensor? _weights;

    /// <summary>First step of the decay.</summary>
    public long Step => step;

    /// <summary>Takes the copy if <paramref name="next"/>, which has not been run, is the first step of the decay.</summary>
    public void Before(long next)
    {
        if (next == step)
            Take();
    }

    /// <summary>Whether a position after some finished steps holds the copy; makes room for it if so.</summary>
    public bool IsIn(long finished)
    {
        if (finished > step && _weights is null)
            Take();
        return finished > step;
    }

    /// <summary>The copy of a parameter: a view, which the caller disposes.</summary>
    public Tensor Of(NamedParameter parameter) => _weights!.narrow(0, parameter.Range.First, parameter.Range.Length);

    /// <summary>The copies of selection biases, by layer.</summary>
    public IReadOnlyList<(int Layer, Tensor Bias)> SelectionBiases => _biases;

    /// <summary>Puts the copy in the place of the weights and selection biases, which are lost.</summary>
    public void Apply()
    {
        using var untracked = no_grad();
        if (_weights is null)
            return; // the run had no decay
        decoder.Buffer.Values.copy_(_weights);
        if (_biases.Count > 0)
            decoder.AddSelectionBias();
        foreach (var (layer, bias) in _biases)
            decoder.SelectionBias(layer)!.copy_(bias);
    }

    /// <summary>Frees the copy.</summary>
    public void Dispose()
    {
        _weights?.Dispose();
        foreach (var (_, bias) in _biases)
            bias.Dispose();
        _biases.Clear();
    }

    private void Take()
    {
        Dispose(); // of a position that could not be read
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        _weights = decoder.Buffer.Values.detach().clone().DetachFromDisposeScope();
        foreach (var layer in decoder.Config.SparseLayers)
        {
            if (decoder.SelectionBias(layer) is { } bias)
                _biases.Add((layer, bias.clone().DetachFromDisposeScope()));
        }
    }
}
