using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Modeling;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Tasks;

/// <summary>Raw logits and expert choices of given tokens, for checks against other implementations.</summary>
internal sealed class LogitsTask : IEvaluationTask
{
    private const string File = "logits.safetensors";

    /// <inheritdoc/>
    public string Name => "logits";

    /// <inheritdoc/>
    public string Summary => "Raw logits and expert choices of given tokens, as a safetensors file.";

    /// <inheritdoc/>
    public EvaluationNeeds Needs => EvaluationNeeds.None;

    /// <inheritdoc/>
    public void Check(EvaluateOptions options, IReadOnlyList<ModelUnderTest> models)
    {
        if (options.Tokens is not { Count: > 0 } tokens || tokens[0].Count == 0 || tokens.Any(row => row.Count != tokens[0].Count))
            throw new UserInputException("The task 'logits' needs 'tokens': one or more sequences of ids, all of one length, such as [[1, 5, 9]].");
        foreach (var model in models)
        {
            var strangers = tokens.SelectMany(row => row).Where(id => id < 0 || id >= model.Config.VocabularySize).ToList();
            if (strangers.Count > 0)
                throw new UserInputException(
                    $"'tokens' has the id {strangers[0]}; the vocabulary of the model of '{model.Step}' has {model.Config.VocabularySize} ids, from 0.");
            if (tokens[0].Count > model.Config.LongestInput)
                throw new UserInputException(
                    $"'tokens' has sequences of {tokens[0].Count}; the model of '{model.Step}' has {model.Config.DescribeLongestInput()}.");
        }
    }

    /// <inheritdoc/>
    public Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken) =>
        Task.FromResult<object?>(Run(measurement.Model, measurement.Options.Tokens!));

    /// <inheritdoc/>
    public ITaskReport Report(TaskResults results) => new LogitFiles(results);

    // logits (B, L, V) F32 and, for each layer l, experts.l (B, L, K) I32, -1 where a token uses fewer.
    private static byte[] Run(ModelUnderTest model, IReadOnlyList<IReadOnlyList<int>> tokens)
    {
        var (batch, length, file) = (tokens.Count, tokens[0].Count, new InMemoryTensors());
        if (model.IsWhole)
            _ = model.Decoder; // loaded outside the scope below
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var ids = tensor(tokens.SelectMany(row => row.Select(id => (long)id)).ToArray(), [batch, length], dtype: int64);
        var logits = model.IsWhole ? Whole(model.Decoder, ids, AddExperts) : Layered(model, ids, AddExperts);
        file.Add("logits", "F32", [batch, length, model.Config.VocabularySize], Bytes(logits.to(float32)));
        return Write(file);

        void AddExperts(RoutingTrace trace) =>
            file.Add($"experts.{trace.Layer}", "I32", [batch, length, trace.Selected.shape[1]], Bytes(Experts(trace).to(int32)));
    }

    private static Tensor Experts(RoutingTrace trace) =>
        trace.Used is { } used ? trace.Selected.masked_fill(used.logical_not(), -1) : trace.Selected;

    private static Tensor Whole(MoeDecoder decoder, Tensor ids, Action<RoutingTrace> see)
    {
        var output = decoder.Forward(ids.to(decoder.Device));
        foreach (var trace in output.Routing)
            see(trace);
        return output.Logits;
    }

    private static Tensor Layered(ModelUnderTest model, Tensor ids, Action<RoutingTrace> see)
    {
        using var stream = model.Guard(layers => layers.Stream(ids, see)); // (B, L, H)
        using var head = model.LoadHead();
        return head.Head(stream.to(head.Device));
    }

    private static byte[] Bytes(Tensor value) => value.cpu().contiguous().bytes.ToArray();

    private static byte[] Write(InMemoryTensors tensors)
    {
        var layout = SafetensorsWriter.Layout(tensors.Names.Select(tensors.Describe));
        return [.. SafetensorsWriter.Header(layout, SafetensorsWriter.DefaultMetadata), .. layout.SelectMany(header => tensors.ReadAll(header.Name))];
    }

    private sealed class LogitFiles(TaskResults results) : ITaskReport
    {
        public ModelSection OfModel(int model) =>
            new(null, new MetricTable()) { Files = new Dictionary<string, byte[]> { [File] = results.Of<byte[]>(model)! } };
    }
}
