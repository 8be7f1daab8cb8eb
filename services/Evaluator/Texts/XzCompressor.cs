using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Espalier.Evaluator.Texts;

/// <summary>What <c>xz -9</c> makes of the text: a yardstick for bits per byte that knows nothing but the text itself.</summary>
public sealed record XzResult
{
    /// <summary>Compressed bits per byte of the documents; null when it could not be measured.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>Compressed size.</summary>
    public long? CompressedBytes { get; init; }

    /// <summary>What was run.</summary>
    public string? Version { get; init; }

    /// <summary>Why there is no number.</summary>
    public string? Reason { get; init; }
}

/// <summary>Runs the <c>xz</c> of the machine.</summary>
internal static class XzCompressor
{
    private const string Program = "xz";

    /// <summary>Compresses the documents, one line feed after each, in one stream on one thread.</summary>
    public static async Task<XzResult> MeasureAsync(HeldOutText text, CancellationToken cancellationToken)
    {
        try
        {
            var version = new MemoryStream();
            await RunAsync(["--version"], _ => Task.CompletedTask, version, cancellationToken).ConfigureAwait(false);
            var compressed = new CountingStream();
            await RunAsync(["-9", "--threads=1", "--format=xz", "--stdout"], input =>
                WriteAsync(text, input, cancellationToken), compressed, cancellationToken).ConfigureAwait(false);
            return new XzResult
            {
                BitsPerByte = 8.0 * compressed.Length / text.Bytes,
                CompressedBytes = compressed.Length,
                Version = Encoding.UTF8.GetString(version.ToArray()).Split('\n')[0].Trim() + ", -9",
            };
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            return new XzResult { Reason = e is Win32Exception ? "xz is not installed" : e.Message };
        }
    }

    private static async Task WriteAsync(HeldOutText text, Stream input, CancellationToken cancellationToken)
    {
        foreach (var document in text.Documents)
            await input.WriteAsync(Encoding.UTF8.GetBytes(document.Text + "\n"), cancellationToken).ConfigureAwait(false);
    }

    private static async Task RunAsync(string[] arguments, Func<Stream, Task> write, Stream output, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        start.Environment.Remove("XZ_DEFAULTS");
        start.Environment.Remove("XZ_OPT");
        using var process = Process.Start(start) ?? throw new IOException("xz did not start");
        try
        {
            var reading = process.StandardOutput.BaseStream.CopyToAsync(output, cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await write(process.StandardInput.BaseStream).ConfigureAwait(false);
            process.StandardInput.Close();
            await reading.ConfigureAwait(false);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            if (process.ExitCode != 0)
                throw new IOException($"xz ended with code {process.ExitCode}: {(await errors.ConfigureAwait(false)).Trim()}");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    // Only the size matters.
    private sealed class CountingStream : Stream
    {
        private long _length;

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => _length;
        public override long Position { get => _length; set => throw new NotSupportedException(); }

        public override void Write(byte[] buffer, int offset, int count) => _length += count;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _length += buffer.Length;
            return ValueTask.CompletedTask;
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
