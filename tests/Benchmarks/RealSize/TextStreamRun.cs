using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Espalier.Contracts;
using ZstdSharp;

namespace Espalier.RealSize;

/// <summary>What streaming a text through the dataset stage took.</summary>
/// <param name="TextBytes">Text of all documents.</param>
/// <param name="Documents">How many there were.</param>
/// <param name="FileBytes">Size of the file, packed.</param>
/// <param name="Seconds">Wall time of the stage.</param>
/// <param name="MegabytesPerSecond">Text per second, in 10^6 bytes.</param>
/// <param name="BaseBytes">Highest resident memory of the process with a text of 1 MB: the runtime.</param>
/// <param name="PeakBytes">Highest resident memory of the process with the whole text.</param>
/// <param name="KeptBytes">Text in the train and held-out splits of the dataset.</param>
public sealed record TextStreamResult(
    long TextBytes, long Documents, long FileBytes, double Seconds, double MegabytesPerSecond, long BaseBytes, long PeakBytes, long KeptBytes);

/// <summary>Makes a JSONL file of made text, packed with zstd, and streams it through the dataset stage in a process of its own.</summary>
/// <param name="folder">Where everything goes; it must not exist.</param>
/// <param name="child">Program and arguments that start <see cref="StageChild"/>.</param>
/// <param name="say">Hears what is being done.</param>
public sealed class TextStreamRun(string folder, IReadOnlyList<string> child, Action<string> say)
{
    private const long BaseText = 1_000_000;
    private const int Words = 20_000;
    private const int LeastWords = 80, MostWords = 1200; // documents of about 0.5 to 7 KB
    private const int TwiceTheWordsOfASentence = 20;

    /// <summary>Runs it; the folder stays.</summary>
    /// <param name="textBytes">Text to make, rounded up to whole documents.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="StageRunException">The stage failed, with what its user would read.</exception>
    public async Task<TextStreamResult> RunAsync(long textBytes, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var small = Path.Combine(folder, "small.jsonl.zst");
        Write(small, BaseText, cancellationToken);
        var runtime = await StreamAsync(small, "base", cancellationToken).ConfigureAwait(false);
        var large = Path.Combine(folder, "large.jsonl.zst");
        say("making the text ...");
        var (bytes, documents) = Write(large, textBytes, cancellationToken);
        say("streaming it through the dataset stage ...");
        var answer = await StreamAsync(large, "stream", cancellationToken).ConfigureAwait(false);
        return new TextStreamResult(
            bytes, documents, new FileInfo(large).Length, answer.Seconds, bytes / 1e6 / answer.Seconds, runtime.PeakBytes, answer.PeakBytes,
            (long)(answer.Metrics["train-bytes"] + answer.Metrics["held-out-bytes"]));
    }

    private async Task<StageAnswer> StreamAsync(string file, string name, CancellationToken cancellationToken)
    {
        var answer = await StageProcess.RunAsync(child, new StageOrder
        {
            Kind = StageKinds.Dataset,
            Folder = Directory.CreateDirectory(Path.Combine(folder, name)).FullName,
            Options = JsonSerializer.SerializeToElement(new { source = $"jsonl:{file}" }),
        }, cancellationToken).ConfigureAwait(false);
        return answer.Failure is { } failure ? throw new StageRunException($"{StageKinds.Dataset}: {failure}") : answer;
    }

    /// <summary>Writes documents until their text has so many bytes: sentences of made words, some of which are much more frequent than others.</summary>
    private static (long TextBytes, long Documents) Write(string path, long textBytes, CancellationToken cancellationToken)
    {
        string[] words = [.. Enumerable.Range(0, Words).Select(number => Word((ulong)number))];
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
        using var packed = new CompressionStream(file, level: 3);
        using var writer = new StreamWriter(packed, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 1 << 20);
        var (written, documents, state) = (0L, 0L, 1UL);
        var text = new StringBuilder();
        for (; written < textBytes; documents++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            text.Clear().Append(CultureInfo.InvariantCulture, $"Document {documents}.");
            for (var left = LeastWords + (int)(Next(ref state) % (MostWords - LeastWords)); left > 0; left--)
            {
                var drawn = Next(ref state) / (double)(1UL << 31);
                text.Append(' ').Append(words[(int)(drawn * drawn * drawn * Words)]);
                if (Next(ref state) % TwiceTheWordsOfASentence < 2)
                    text.Append('.');
            }
            writer.Write("{\"text\":\"");
            writer.Write(text);
            writer.Write("\"}\n");
            written += text.Length; // ASCII
        }
        return (written, documents);
    }

    // Two to five syllables by the number's digits.
    private static string Word(ulong number)
    {
        const string First = "bdfgklmnprstvz", Second = "aeiou";
        var word = new StringBuilder();
        do
        {
            word.Append(First[(int)(number % 14)]).Append(Second[(int)(number / 14 % 5)]);
            number /= 70;
        }
        while (number > 0 || word.Length < 4);
        return word.ToString();
    }

    // The generator of Knuth's MMIX; its upper bits.
    private static ulong Next(ref ulong state) => (state = state * 6364136223846793005 + 1442695040888963407) >> 33;
}
