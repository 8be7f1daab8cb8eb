using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Espalier.Hosting.Events;

namespace Espalier.Hosting.Tests.Events;

public sealed class MergedStreamsTests
{
    [Fact]
    public async Task Merge_SeveralStreams_HasTheItemsOfAllAsTheyCome()
    {
        var (first, second) = (Channel.CreateUnbounded<int>(), Channel.CreateUnbounded<int>());
        var items = MergedStreams.MergeAsync([first.Reader.ReadAllAsync(), second.Reader.ReadAllAsync()], default).GetAsyncEnumerator();
        var seen = new List<int>();

        foreach (var (channel, item) in new[] { (first, 1), (second, 2), (second, 3), (first, 4) })
        {
            await channel.Writer.WriteAsync(item);
            (await items.MoveNextAsync()).ShouldBeTrue();
            seen.Add(items.Current);
        }
        first.Writer.Complete();
        second.Writer.Complete();

        seen.ShouldBe([1, 2, 3, 4]);
        (await items.MoveNextAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Merge_OneFails_FailsAndEndsTheOthers()
    {
        var hasEnded = new TaskCompletionSource();
        var endless = EndlessAsync(hasEnded);

        await Should.ThrowAsync<IOException>(async () =>
        {
            await foreach (var _ in MergedStreams.MergeAsync([endless, FailingAsync()], default))
            {
            }
        });

        await hasEnded.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Merge_NobodyReadsOn_EndsEveryStream()
    {
        var (first, second) = (new TaskCompletionSource(), new TaskCompletionSource());

        await foreach (var _ in MergedStreams.MergeAsync([EndlessAsync(first), EndlessAsync(second)], default))
            break;

        await Task.WhenAll(first.Task, second.Task).WaitAsync(TimeSpan.FromSeconds(30));
    }

    private static async IAsyncEnumerable<int> EndlessAsync(
        TaskCompletionSource hasEnded, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            yield return 1;
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        finally
        {
            hasEnded.SetResult();
        }
    }

    private static async IAsyncEnumerable<int> FailingAsync()
    {
        await Task.Yield();
        yield return 1;
        throw new IOException("it broke");
    }
}
