using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Evaluator.Passes;

/// <summary>Results that are finished, as blobs in the store; the step's cursor names them.</summary>
internal sealed class FinishedPasses
{
    private readonly StageContext _context;
    private readonly SortedDictionary<string, Digest> _blobs;

    private FinishedPasses(StageContext context, SortedDictionary<string, Digest> blobs)
    {
        _context = context;
        _blobs = blobs;
    }

    /// <summary>What an earlier attempt left.</summary>
    public static async Task<FinishedPasses> LoadAsync(StageContext context, CancellationToken cancellationToken)
    {
        var position = await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var blobs = position is null ? null : JsonSerializer.Deserialize<SortedDictionary<string, Digest>>(position, WireJson.Options);
            return new FinishedPasses(context, blobs ?? new(StringComparer.Ordinal));
        }
        catch (JsonException e)
        {
            context.Progress.Log($"The saved position cannot be read; starting again. {e.Message}");
            return new FinishedPasses(context, new(StringComparer.Ordinal));
        }
    }

    /// <summary>A result that is there already, or that <paramref name="run"/> makes now.</summary>
    public async Task<T> GetAsync<T>(string name, Func<T> run, CancellationToken cancellationToken)
    {
        try
        {
            if (_blobs.TryGetValue(name, out var blob))
                return await ReadAsync<T>(blob, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is MissingBlobException or JsonException)
        {
            _context.Progress.Log($"What was measured before cannot be read from the store and is measured again: {name}. {e.Message}");
        }
        var result = run();
        var receipt = await _context.Artifacts.Blobs.PutAsync(JsonSerializer.SerializeToUtf8Bytes(result, WireJson.Options), cancellationToken)
            .ConfigureAwait(false);
        _blobs[name] = receipt.Digest;
        await _context.Cursor.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(_blobs, WireJson.Options), cancellationToken).ConfigureAwait(false);
        return result;
    }

    private async Task<T> ReadAsync<T>(Digest blob, CancellationToken cancellationToken)
    {
        var stream = await _context.Artifacts.Blobs.OpenReadAsync(blob, 0, null, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
            return (await JsonSerializer.DeserializeAsync<T>(stream, WireJson.Options, cancellationToken).ConfigureAwait(false))!;
    }
}
