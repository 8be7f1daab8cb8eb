using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Espalier.Contracts;
using TorchSharp;

namespace Espalier.Bench;

/// <summary>One of the measured processes: ours or a peer.</summary>
internal sealed class BenchProcess : IDisposable
{
    private readonly Process _process;

    private BenchProcess(string program, IEnumerable<string> arguments, params (string Name, string? Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["OMP_NUM_THREADS"] = torch.get_num_threads().ToString(CultureInfo.InvariantCulture);
        foreach (var (name, value) in environment.Where(e => e.Value is not null))
            start.Environment[name] = value;
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, e) => LastError = IsReason(e.Data) ? e.Data : LastError;
        _process.BeginErrorReadLine();
    }

    /// <summary>The last line that the process wrote to standard error, other than where in the code it failed and how to learn that.</summary>
    public string? LastError { get; private set; }

    /// <summary>Starts a side that this program measures itself.</summary>
    public static BenchProcess Own(string side, BenchShape shape, BenchWorkKind kind, string precision) =>
        new(
            Environment.ProcessPath!,
            [.. OwnAssembly(), "bench", "worker", "--side", side, "--shape", shape.Name, "--work", Name(kind), "--precision", precision]);

    /// <summary>Starts the script for Debian's PyTorch.</summary>
    public static BenchProcess Script(BenchShape shape, BenchWorkKind kind, string precision) =>
        new(
            PeerScript.Python,
            [PeerScript.Path, "--work", Name(kind), "--precision", precision, .. Describe(shape)],
            ("OPENBLAS_CORETYPE", PeerScript.BlasKernel));

    /// <summary>Runs steps and waits for the answer; null when it does not come in time or the process ended.</summary>
    public async Task<BenchTurn?> RunAsync(int steps, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(limit);
        try
        {
            await _process.StandardInput.WriteLineAsync(steps.ToString(CultureInfo.InvariantCulture).AsMemory(), deadline.Token).ConfigureAwait(false);
            await _process.StandardInput.FlushAsync(deadline.Token).ConfigureAwait(false);
            if (await _process.StandardOutput.ReadLineAsync(deadline.Token).ConfigureAwait(false) is { } line)
                return JsonSerializer.Deserialize<BenchTurn>(line, WireJson.Options);
            await _process.WaitForExitAsync(deadline.Token).ConfigureAwait(false); // its last words are read then
            return null;
        }
        catch (IOException) // it is gone
        {
            await _process.WaitForExitAsync(deadline.Token).ConfigureAwait(false);
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private static bool IsReason(string? line) =>
        !string.IsNullOrWhiteSpace(line)
        && !line.StartsWith("   at ", StringComparison.Ordinal)
        && !line.StartsWith("ESPALIER_TRACE", StringComparison.Ordinal);

    private static string Name(BenchWorkKind kind) => kind == BenchWorkKind.Train ? "train" : "calibrate";

    /// <summary>Program and first arguments that start this program again.</summary>
    public static IReadOnlyList<string> OwnCommand() => [Environment.ProcessPath!, .. OwnAssembly()];

    // A program that is not its own host (dotnet Espalier.Bench.dll) names the assembly first.
    private static IEnumerable<string> OwnAssembly() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(BenchProcess).Assembly.Location] : [];

    private static IEnumerable<string> Describe(BenchShape shape) => new (string Name, int Value)[]
    {
        ("layers", shape.Layers), ("hidden", shape.Hidden), ("heads", shape.Heads), ("experts", shape.Experts), ("top-k", shape.TopK),
        ("expert-size", shape.ExpertSize), ("vocabulary", shape.Vocabulary), ("batch", shape.Batch), ("length", shape.Length),
        ("threads", torch.get_num_threads()),
    }.SelectMany(option => (string[])["--" + option.Name, option.Value.ToString(CultureInfo.InvariantCulture)]);
}
