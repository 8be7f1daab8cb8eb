using System.Text;
using k8s;
using k8s.Autorest;

namespace Espalier.CptTrainer.Commands.Kubernetes;

/// <summary>Reads what a pod's program says while it runs; where the connection breaks, it goes on after the last line.</summary>
internal sealed class PodLog(Cluster cluster, Action<string> line)
{
    private readonly CancellationTokenSource _stop = new();
    private Task? _reading;
    private string _last = "";
    private int _linesAtLast;

    /// <summary>Begins to read, if it does not already.</summary>
    public void Follow(string pod, CancellationToken cancellationToken) => _reading ??= ReadAsync(pod, cancellationToken);

    /// <summary>Waits for the last lines of a program that has ended.</summary>
    public async Task EndAsync(TimeSpan patience)
    {
        if (_reading is not null)
            await Task.WhenAny(_reading, Task.Delay(patience, CancellationToken.None)).ConfigureAwait(false);
        await _stop.CancelAsync().ConfigureAwait(false);
    }

    private async Task ReadAsync(string pod, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        while (true)
        {
            try
            {
                var stream = await cluster.Api.CoreV1.ReadNamespacedPodLogAsync(
                    pod, cluster.Namespace, container: JobManifest.Container, follow: true, timestamps: true, cancellationToken: both.Token)
                    .ConfigureAwait(false);
                await using var _ = stream.ConfigureAwait(false);
                if (await CopyAsync(stream, both.Token).ConfigureAwait(false))
                    return;
            }
            catch (OperationCanceledException) when (both.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is IOException or HttpRequestException or HttpOperationException or OperationCanceledException)
            {
                // What it says is not what it does: the Job is watched all the same.
            }
            try
            {
                await Task.Delay(TimeSpan.FromSeconds(1), both.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <returns>Whether the log came to its end; an interface that is stopped ends it as well, so that it must have brought something new.</returns>
    private async Task<bool> CopyAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var text = new StreamReader(stream, Encoding.UTF8);
        using var abort = cancellationToken.Register(stream.Dispose);
        var lines = new BoundedLines(text);
        var (seen, skip) = (false, _linesAtLast);
        while (await lines.NextAsync().ConfigureAwait(false) is { } stamped)
        {
            seen = true;
            var space = stamped.IndexOf(' ', StringComparison.Ordinal);
            var (time, said) = space < 0 ? (stamped, "") : (stamped[..space], stamped[(space + 1)..]);
            var order = string.CompareOrdinal(time, _last);
            if (order < 0 || order == 0 && skip-- > 0)
                continue;
            (_linesAtLast, _last) = order == 0 ? (_linesAtLast + 1, time) : (1, time);
            if (said.Length > 0)
                line(said);
        }
        return seen;
    }
}
