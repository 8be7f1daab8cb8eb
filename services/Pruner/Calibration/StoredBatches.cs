using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>
/// Streams and gradients of the whole calibration text, which wait in the store between layers: one blob of float32 per
/// layer, batch after batch. So memory holds one batch, and what is finished survives the process.
/// </summary>
internal sealed class StoredBatches(IBlobStore blobs, CalibrationBatches batches, int width, Device device)
{
    /// <summary>Stores what is computed for each batch, (B, S, H); nothing is stored when a batch fails.</summary>
    public async Task<Digest> WriteAsync(Func<int, Tensor> compute, CancellationToken cancellationToken)
    {
        using var stream = new ComputedStream(batches.Count, batch => BytesOf(compute, batch, cancellationToken));
        return (await blobs.PutAsync(stream, cancellationToken).ConfigureAwait(false)).Digest;
    }

    /// <summary>Reads one batch: (B, S, H), in the caller's dispose scope.</summary>
    public Tensor Read(Digest blob, int batch)
    {
        var rows = batches.RowsOf(batch);
        var host = empty([rows, batches.Length, width], dtype: float32);
        blobs.ReadExactly(blob, (long)batch * batches.Size * batches.Length * width * sizeof(float), host.bytes);
        if (device.type == DeviceType.CPU)
            return host;
        using (host)
            return host.to(device);
    }

    private static byte[] BytesOf(Func<int, Tensor> compute, int batch, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        return compute(batch).to(float32).cpu().contiguous().bytes.ToArray();
    }

    /// <summary>Bytes that are computed when they are read. Every chunk is computed within one call, since scopes and gradient modes belong to a thread.</summary>
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
