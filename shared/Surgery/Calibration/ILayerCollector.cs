using Espalier.Contracts;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Calibration;

/// <summary>What a stage does in each layer that a <see cref="CalibrationRun{T}"/> passes, and how it keeps what it collects there.</summary>
/// <typeparam name="T">What is collected in one layer.</typeparam>
public interface ILayerCollector<T> where T : class
{
    /// <summary>Whether the layers are passed a second time, from the last to the first, with the gradient of the loss.</summary>
    bool NeedsGradients => false;

    /// <summary>Passes a layer on the way forward.</summary>
    /// <returns>What was collected; null when that is done on the way back.</returns>
    Task<T?> ForwardAsync(int layer, ForwardPass pass, CancellationToken cancellationToken);

    /// <summary>Passes a layer on the way back.</summary>
    Task<T> BackwardAsync(int layer, BackwardPass pass, CancellationToken cancellationToken) =>
        throw new NotSupportedException("This collector is done on the way forward.");

    /// <summary>Stores what a layer gave as one blob or artifact.</summary>
    Task<Digest> StoreAsync(T collected, CancellationToken cancellationToken);

    /// <summary>Takes back what <see cref="StoreAsync"/> stored.</summary>
    /// <exception cref="Artifacts.Blobs.MissingBlobException">It is no longer in the store.</exception>
    Task<T> LoadAsync(Digest stored, CancellationToken cancellationToken);
}

/// <summary>The calibration text in front of one layer, on the way forward.</summary>
public sealed class ForwardPass
{
    private readonly StoredBatches? _batches;
    private readonly Digest _stream;

    internal ForwardPass(StoredBatches? batches, Digest stream) => (_batches, _stream) = (batches, stream);

    /// <summary>Number of batches; 0 without calibration text.</summary>
    public int Batches => _batches?.Count ?? 0;

    /// <summary>The stream behind the layer, once it was passed.</summary>
    internal Digest? Next { get; private set; }

    /// <summary>Shows every batch of the stream in front of the layer, (B, S, H) float32, under <c>no_grad</c>.</summary>
    public void Look(Action<Tensor> see, CancellationToken cancellationToken)
    {
        for (var batch = 0; batch < Batches; batch++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            see(_batches!.Read(_stream, batch));
        }
    }

    /// <summary>Passes the layer: what <paramref name="layer"/> makes of each batch, under <c>no_grad</c>, is the stream in front of the next one.</summary>
    public async Task PassAsync(Func<Tensor, Tensor> layer, CancellationToken cancellationToken)
    {
        if (_batches is not null)
            Next = await _batches.WriteAsync(Compute, cancellationToken).ConfigureAwait(false);

        Tensor Compute(int batch)
        {
            using var untracked = no_grad();
            return layer(_batches.Read(_stream, batch));
        }
    }
}

/// <summary>The calibration text in front of one layer and the gradient behind it, on the way back.</summary>
public sealed class BackwardPass
{
    private readonly StoredBatches _batches;
    private readonly Digest _stream;
    private readonly Digest _above;

    internal BackwardPass(StoredBatches batches, Digest stream, Digest above) => (_batches, _stream, _above) = (batches, stream, above);

    /// <summary>Number of batches.</summary>
    public int Batches => _batches.Count;

    /// <summary>The gradient in front of the layer, once it was passed.</summary>
    internal Digest? Below { get; private set; }

    /// <summary>
    /// Passes the layer: <paramref name="layer"/> makes the gradient in front of it from the stream there and the gradient behind it, all (B, S, H).
    /// </summary>
    public async Task PassAsync(Func<Tensor, Tensor, Tensor> layer, CancellationToken cancellationToken) =>
        Below = await _batches.WriteAsync(batch => layer(_batches.Read(_stream, batch), _batches.Read(_above, batch)), cancellationToken).ConfigureAwait(false);
}
