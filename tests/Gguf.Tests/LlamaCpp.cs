using LLama;
using LLama.Common;
using LLama.Native;

namespace Espalier.Gguf.Tests;

/// <summary>llama.cpp itself, in this process: the program that the files are for.</summary>
internal sealed class LlamaCpp : IDisposable
{
    private readonly LLamaWeights _weights;
    private readonly LLamaContext _context;

    static LlamaCpp() => NativeLibraryConfig.All.WithLogCallback((_, text) => { lock (Said) Said.Add(text); });

    public LlamaCpp(string path, int context = 256)
    {
        lock (Said)
            Said.Clear();
        // Keys and values in float32 and no fused attention, so that what is left are rounding errors of sums.
        var parameters = new ModelParams(path)
        {
            ContextSize = (uint)context, BatchSize = (uint)context, UBatchSize = (uint)context, Threads = 2, BatchThreads = 2,
            TypeK = GGMLType.GGML_TYPE_F32, TypeV = GGMLType.GGML_TYPE_F32, FlashAttention = false,
        };
        try
        {
            _weights = LLamaWeights.LoadFromFile(parameters);
            _context = _weights.CreateContext(parameters);
        }
        catch (Exception e)
        {
            lock (Said)
                throw new InvalidOperationException($"llama.cpp does not load {path}: {string.Concat(Said.TakeLast(6))}", e);
        }
    }

    private static readonly List<string> Said = [];

    /// <summary>Logits of every position: (tokens, vocabulary).</summary>
    public float[][] Logits(IReadOnlyList<int> tokens)
    {
        _context.NativeHandle.MemoryClear();
        var batch = new LLamaBatch();
        for (var i = 0; i < tokens.Count; i++)
            batch.Add(tokens[i], i, (LLamaSeqId)0, logits: true);
        _context.Decode(batch).ShouldBe(DecodeResult.Ok);
        return [.. Enumerable.Range(0, tokens.Count).Select(i => _context.NativeHandle.GetLogitsIth(i).ToArray())];
    }

    /// <summary>Ids of a text, with no token before or behind it.</summary>
    public int[] Tokenize(string text, bool addsBegin = false) =>
        [.. _context.Tokenize(text, addBos: addsBegin, special: true).Select(t => (int)t)];

    /// <summary>The likeliest tokens after some, one at a time.</summary>
    public List<int> Continue(IReadOnlyList<int> tokens, int count)
    {
        var all = tokens.ToList();
        for (var i = 0; i < count; i++)
            all.Add(Largest(Logits(all)[^1]));
        return all[tokens.Count..];
    }

    public static int Largest(float[] logits) => Array.IndexOf(logits, logits.Max());

    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
    }
}
