using System.Buffers.Binary;
using System.Text;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Puts blobs that belong to one owner alone. Equal content is one blob in a store, so nobody can know whether a blob that is no longer
/// needed here is needed elsewhere; these end in a few bytes that name their owner, so whoever deletes the owner deletes them with it.
/// The content comes first, and is read as that of any blob.
/// </summary>
/// <param name="blobs">Where they go.</param>
/// <param name="owner">Whose they are, such as a step key.</param>
/// <param name="number">Which of the owner's generations they belong to.</param>
public sealed class OwnedBlobs(IBlobSink blobs, Digest owner, long number) : IBlobSink
{
    private readonly byte[] _ending = Ending(owner, number);

    /// <summary>Stores the content and its ending; the receipt has the length of the content.</summary>
    public async Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken)
    {
        using var whole = new EndedStream(content, _ending);
        var receipt = await blobs.PutAsync(whole, cancellationToken).ConfigureAwait(false);
        return receipt with { SizeBytes = receipt.SizeBytes - _ending.Length };
    }

    /// <inheritdoc cref="PutAsync(Stream, CancellationToken)"/>
    public async Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var whole = new byte[content.Length + _ending.Length];
        content.CopyTo(whole);
        _ending.CopyTo(whole, content.Length);
        return (await blobs.PutAsync(whole, cancellationToken).ConfigureAwait(false)) with { SizeBytes = content.Length };
    }

    private static byte[] Ending(Digest owner, long number)
    {
        var ending = Encoding.ASCII.GetBytes($"espalier:{owner.Hex}:01234567");
        BinaryPrimitives.WriteInt64LittleEndian(ending.AsSpan(^sizeof(long)), number);
        return ending;
    }

    /// <summary>A stream and the bytes behind it; can be read again where the stream can.</summary>
    private sealed class EndedStream(Stream content, byte[] ending) : Stream
    {
        private int _ended;

        public override bool CanRead => true;

        public override bool CanSeek => content.CanSeek;

        public override bool CanWrite => false;

        public override long Length => content.Length + ending.Length;

        public override long Position
        {
            get => content.Position + _ended;
            set => (content.Position, _ended) = (Math.Min(value, content.Length), (int)Math.Max(0, value - content.Length));
        }

        public override int Read(Span<byte> buffer) => content.Read(buffer) is var read and > 0 ? read : ReadEnding(buffer);

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is var read and > 0 ? read : ReadEnding(buffer.Span);

        public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => Position + offset,
            _ => Length + offset,
        };

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException("A blob never changes.");

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A blob never changes.");

        private int ReadEnding(Span<byte> buffer)
        {
            var count = Math.Min(buffer.Length, ending.Length - _ended);
            ending.AsSpan(_ended, count).CopyTo(buffer);
            _ended += count;
            return count;
        }
    }
}
