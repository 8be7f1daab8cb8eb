using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Evaluator.Passes;

/// <summary>Results that are finished, as blobs in the store, and the pass that is under way; the step's cursor names them.</summary>
internal sealed class FinishedPasses
{
    private readonly StageContext _context;
    private readonly SortedDictionary<string, Digest> _blobs;
    private UnfinishedPosition? _unfinished;

    private FinishedPasses(StageContext context, Position position) =>
        (_context, _blobs, _unfinished) = (context, position.Finished, position.Unfinished);

    /// <summary>What an earlier attempt left.</summary>
    public static async Task<FinishedPasses> LoadAsync(StageContext context, CancellationToken cancellationToken)
    {
        var position = await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var saved = position is null ? null : JsonSerializer.Deserialize<Position>(position, WireJson.Options);
            return new FinishedPasses(context, saved is { Finished: not null } ? saved : Position.Start());
        }
        catch (JsonException e)
        {
            context.Progress.Log($"The saved position cannot be read; starting again. {e.Message}");
            return new FinishedPasses(context, Position.Start());
        }
    }

    /// <summary>A result that is there already, or that <paramref name="run"/> makes now; it may save how far it is.</summary>
    public async Task<T> GetAsync<T>(string name, Func<UnfinishedPass, Task<T>> run, CancellationToken cancellationToken)
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
        var unfinished = new UnfinishedPass(_context, _unfinished?.Pass == name ? _unfinished : null, name, SaveAsync);
        var result = await run(unfinished).ConfigureAwait(false);
        var receipt = await _context.Artifacts.Blobs.PutAsync(JsonSerializer.SerializeToUtf8Bytes(result, WireJson.Options), cancellationToken)
            .ConfigureAwait(false);
        _blobs[name] = receipt.Digest;
        await SaveAsync(null, cancellationToken).ConfigureAwait(false);
        await unfinished.RemoveAsync(cancellationToken).ConfigureAwait(false);
        return result;
    }

    private Task SaveAsync(UnfinishedPosition? unfinished, CancellationToken cancellationToken)
    {
        _unfinished = unfinished;
        return _context.Cursor.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(new Position(_blobs, unfinished), WireJson.Options), cancellationToken);
    }

    private async Task<T> ReadAsync<T>(Digest blob, CancellationToken cancellationToken)
    {
        var stream = await _context.Artifacts.Blobs.OpenReadAsync(blob, 0, null, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
            return (await JsonSerializer.DeserializeAsync<T>(stream, WireJson.Options, cancellationToken).ConfigureAwait(false))!;
    }

    private sealed record Position(SortedDictionary<string, Digest> Finished, UnfinishedPosition? Unfinished)
    {
        public static Position Start() => new(new(StringComparer.Ordinal), null);
    }
}

/// <summary>How far a pass is that is not finished, as the cursor names it.</summary>
/// <param name="Pass">Which pass.</param>
/// <param name="Number">How often it was saved.</param>
/// <param name="State">What was saved.</param>
internal sealed record UnfinishedPosition(string Pass, long Number, ManifestRef State);
