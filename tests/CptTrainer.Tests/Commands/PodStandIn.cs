using System.Diagnostics;
using System.Globalization;
using k8s.Models;
using Microsoft.AspNetCore.Http;

namespace Espalier.CptTrainer.Tests.Commands;

/// <summary>
/// A pod of <see cref="ClusterStandIn"/>: a process in the folder that its volume mount names, with nothing in its environment but what the
/// pod says.
/// </summary>
internal sealed class PodStandIn
{
    private readonly V1Job _job;
    private readonly V1Container _container;
    private readonly int _index;
    private readonly Process _process;
    private readonly List<string> _log = [];
    private readonly Task _reading;

    public PodStandIn(V1Job job, V1Container container, int index, string volume)
    {
        (_job, _container, _index) = (job, container, index);
        var mount = container.VolumeMounts.Single(m => m.MountPath == container.WorkingDir);
        var variables = container.Env.ToDictionary(v => v.Name, v => v.Value ?? Field(v.ValueFrom.FieldRef.FieldPath));
        var command = container.Command.Select(
            word => variables.Aggregate(word, (text, v) => text.Replace($"$({v.Key})", v.Value, StringComparison.Ordinal))).ToList();
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = Path.Combine(volume, mount.SubPath), RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        _process = Process.Start(start)!;
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError));
    }

    public string Name => $"{_job.Metadata.Name}-{_index}-abcde";

    public bool HasEnded => _process.HasExited && _reading.IsCompleted;

    public int ExitCode => _process.ExitCode;

    public void Kill() => _process.Kill(entireProcessTree: true);

    public V1Pod ToPod() => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = Name,
            Annotations = new Dictionary<string, string> { ["batch.kubernetes.io/job-completion-index"] = Text(_index) },
        },
        Status = new V1PodStatus
        {
            Phase = !HasEnded ? "Running" : ExitCode == 0 ? "Succeeded" : "Failed",
            ContainerStatuses =
            [
                new V1ContainerStatus { Name = _container.Name, Image = _container.Image, ImageID = "", State = State() },
            ],
        },
    };

    /// <summary>The log from its beginning, each line with its time, until the program has ended or so many lines are out.</summary>
    public async Task WriteLogAsync(HttpContext context, int most)
    {
        for (var sent = 0; ; await Task.Delay(20, context.RequestAborted))
        {
            var hasEnded = HasEnded;
            List<string> lines;
            lock (_log)
                lines = _log[sent..];
            foreach (var line in lines)
            {
                if (most > 0 && sent == most)
                {
                    context.Abort();
                    return;
                }
                await context.Response.WriteAsync(line + "\n", context.RequestAborted);
                sent++;
            }
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (hasEnded && lines.Count == 0)
                return;
        }
    }

    private V1ContainerState State() => !HasEnded
        ? new V1ContainerState { Running = new V1ContainerStateRunning() }
        : new V1ContainerState
        {
            Terminated = new V1ContainerStateTerminated
            {
                ExitCode = ExitCode,
                Reason = ExitCode == 0 ? "Completed" : ExitCode == 137 ? "OOMKilled" : "Error",
                FinishedAt = _process.ExitTime.ToUniversalTime(),
                Message = ExitCode == 0 ? null : LastLines(),
            },
        };

    private string LastLines()
    {
        lock (_log)
            return string.Join('\n', _log.TakeLast(80).Select(l => l[(l.IndexOf(' ', StringComparison.Ordinal) + 1)..]));
    }

    private string Field(string path) => path == "metadata.annotations['batch.kubernetes.io/job-completion-index']"
        ? Text(_index) : throw new NotSupportedException(path);

    private async Task ReadAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            lock (_log)
                _log.Add($"{DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'00Z'", CultureInfo.InvariantCulture)} {line}");
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
