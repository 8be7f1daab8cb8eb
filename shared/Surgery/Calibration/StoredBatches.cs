using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Calibration;

/// <summary>
/// Streams and gradients of the whole calibration text, which wait in the store between layers: one blob of float32 per
/// layer, batch after batch. So memory holds one batch, and what is finished survives the process.
/// </summary>
/// <param name="blobs">Where they wait.</param>
/// <param name="tokens">The text.</param>
/// <param name="size">Sequences per batch; the last one may have fewer.</param>
/// <param name="width">H.</param>
/// <param name="device">Where batches are computed.</param>
internal sealed class StoredBatches(IBlobStore blobs, CalibrationTokens tokens, int size, int width, Device device)
{
    /// <summary>Where batches are computed.</summary>
    public Device Device => device;

    /// <summary>Number of batches.</summary>
    public int Count { get; } = (tokens.Samples + size - 1) / size;

    /// <summary>Token ids of a batch: (B, S) int64 on the CPU, in the caller's dispose scope.</summary>
    public Tensor Tokens(int batch) => tokens.Tensor(batch * size, RowsOf(batch));

    /// <summary>Stores what is computed for each batch, (B, S, H); nothing is stored when a batch fails.</summary>
    public async Task<Digest> WriteAsync(Func<int, Tensor> compute, CancellationToken cancellationToken)
    {
        using var stream = new ComputedStream(Count, batch => BytesOf(compute, batch, cancellationToken));
        return (await blobs.PutAsync(stream, cancellationToken).ConfigureAwait(false)).Digest;
    }

    /// <summary>Reads one batch: (B, S, H), in the caller's dispose scope.</summary>
    public Tensor Read(Digest blob, int batch)
    {
        var host = empty([RowsOf(batch), tokens.Length, width], dtype: float32);
        blobs.ReadExactly(blob, (long)batch * size * tokens.Length * width * sizeof(float), host.bytes);
        if (device.type == DeviceType.CPU)
            return host;
        using (host)
            return host.to(device);
    }

    private int RowsOf(int batch) => Math.Min(size, tokens.Samples - batch * size);

    private static byte[] BytesOf(Func<int, Tensor> compute, int batch, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        return compute(batch).to(float32).cpu().contiguous().bytes.ToArray();
    }

    // Bytes that are computed when they are read. Every chunk is computed within one call, since scopes and gradient modes belong to a thread.
    private sealed class ComputedStream(int chunks, Func<int, byte[]> compute) : Stream
    {
        private byte[] _chunk = [];
        private int _next;
        private int _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException("Known when it is computed.");

        public override long Position { get => throw new NotSupportedException("Forward only."); set => throw new NotSupportedException("Forward only."); }

        public override int Read(Span<byte> buffer)
        {
            if (_position == _chunk.Length)
            {
                if (_next == chunks)
                    return 0;
                (_chunk, _position) = (compute(_next++), 0);
            }
            var count = Math.Min(buffer.Length, _chunk.Length - _position);
            _chunk.AsSpan(_position, count).CopyTo(buffer);
            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("Forward only.");

        public override void SetLength(long value) => throw new NotSupportedException("Read only.");

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read only.");
    }
}
