using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Espalier.Hosting.Events;

/// <summary>Several streams as one.</summary>
public static class MergedStreams
{
    private const int Ahead = 64;

    /// <summary>The items of all streams as they come; ends with the last of them, and with the first that fails.</summary>
    public static async IAsyncEnumerable<T> MergeAsync<T>(
        IReadOnlyList<IAsyncEnumerable<T>> streams, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<T>(Ahead);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = ReadAllAsync();
        try
        {
            await foreach (var item in channel.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return item;
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(false);
        }

        async Task ReadAllAsync()
        {
            try
            {
                await Task.WhenAll(streams.Select(ReadAsync)).ConfigureAwait(false);
                channel.Writer.TryComplete();
            }
            catch (OperationCanceledException e)
            {
                channel.Writer.TryComplete(e);
            }
        }

        async Task ReadAsync(IAsyncEnumerable<T> stream)
        {
            try
            {
                await foreach (var item in stream.WithCancellation(ending.Token).ConfigureAwait(false))
                    await channel.Writer.WriteAsync(item, ending.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (channel.Writer.TryComplete(e))
            {
                await ending.CancelAsync().ConfigureAwait(false);
            }
        }
    }
}
