using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pruner.Methods;
using Espalier.Stages;
using Espalier.Stages.Checkpoints;
using Espalier.Stages.Data.Sampling;
using Espalier.Stages.Surgery;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>Runs the calibration text through the model and keeps the sums under the step's cursor, so that a killed run goes on at the next batch.</summary>
internal sealed class CalibrationRun(StageContext context, MoeCheckpoint source, IPruningMethod method)
{
    /// <summary>How often the sums are saved; saving costs as much as a batch of a small model.</summary>
    public static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(20);

    /// <summary>Sums per layer; without calibration they are empty.</summary>
    public async Task<IReadOnlyList<LayerSums>> RunAsync(PruneOptions options, CancellationToken cancellationToken)
    {
        var config = source.Config;
        var sums = Enumerable.Range(0, config.Layers).Select(_ => new LayerSums(config.Experts, config.ExpertSize)).ToList();
        if (method.Need == CalibrationNeed.None || options.Ratio == 0)
            return sums;
        var calibration = options.Calibration!;
        var batches = (calibration.Samples + calibration.Batch - 1) / calibration.Batch;
        var done = await RestoreAsync(sums, cancellationToken).ConfigureAwait(false);
        if (done == batches)
            return sums;
        var tokens = await CalibrationSet.LoadAsync(
            context.Artifacts, context.Dataset("calibration.data"), source.LoadTokenizer(), calibration.Samples, calibration.Length, options.Seed,
            context.Cache, context.Progress, cancellationToken).ConfigureAwait(false);
        var device = new Device(context.Device);
        using var decoder = DecoderFiles.LoadDecoder(source.Reader, "source model", device: device);
        var pass = new CalibrationPass(decoder, method, sums);
        var sinceSave = Stopwatch.StartNew();
        for (; done < batches; done++)
        {
            context.Progress.Report("calibrating", done, batches, "batches");
            if (sinceSave.Elapsed > SaveEvery || cancellationToken.IsCancellationRequested)
            {
                await SaveAsync(sums, done, CancellationToken.None).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                sinceSave.Restart();
            }
            using var scope = NewDisposeScope();
            pass.Run(Rows(tokens, done * calibration.Batch, calibration.Batch).to(device));
        }
        await SaveAsync(sums, done, cancellationToken).ConfigureAwait(false);
        return sums;
    }

    // Rows of (samples, length) as (B, S).
    private static Tensor Rows(long[,] tokens, int first, int count)
    {
        count = Math.Min(count, tokens.GetLength(0) - first);
        var length = tokens.GetLength(1);
        var ids = new long[count * length];
        Buffer.BlockCopy(tokens, first * length * sizeof(long), ids, 0, ids.Length * sizeof(long));
        return tensor(ids).view(count, length);
    }

    private async Task SaveAsync(List<LayerSums> sums, int done, CancellationToken cancellationToken)
    {
        var saved = new JsonArray([.. sums.Select(s => s.Save())]);
        var receipt = await context.Artifacts.Blobs.PutAsync(JsonSerializer.SerializeToUtf8Bytes(saved), cancellationToken).ConfigureAwait(false);
        await context.Cursor.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(new Position(done, receipt.Digest), WireJson.Options), cancellationToken).ConfigureAwait(false);
    }

    private async Task<int> RestoreAsync(List<LayerSums> sums, CancellationToken cancellationToken)
    {
        if (await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false) is not { } bytes)
            return 0;
        var position = JsonSerializer.Deserialize<Position>(bytes, WireJson.Options)!;
        var stream = await context.Artifacts.Blobs.OpenReadAsync(position.Sums, 0, null, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var saved = (await JsonNode.ParseAsync(stream, cancellationToken: cancellationToken).ConfigureAwait(false))!.AsArray();
            for (var layer = 0; layer < sums.Count; layer++)
                sums[layer].Restore(saved[layer]!.AsObject());
        }
        return position.Batches;
    }

    private sealed record Position(int Batches, Digest Sums);
}
