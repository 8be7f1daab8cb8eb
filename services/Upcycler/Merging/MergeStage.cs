using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Checkpoints;
using Espalier.Tokenizers;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>
/// Makes one model of several of one shape, a tensor at a time. A tensor that must come out as it is in one of them is not read: the new
/// model refers to it.
/// </summary>
public sealed class MergeStage : IStage
{
    private const long SmallBytes = 1 << 20;
    private const string BaseInput = "base", ConfigFile = "config.json", Relation = "merged";

    /// <inheritdoc/>
    public string Kind => StageKinds.Merge;

    /// <inheritdoc/>
    public Type OptionsType => typeof(MergeOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Makes one model of several that have one shape: the mean of checkpoints, or a base and what others have learnt since.",
        Outputs = [OutputNames.Model, OutputNames.Report],
        Metrics = [.. StageMetric.Named(["tensors-merged", "tensors-kept", "bytes-read", "experts-reordered"])],
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<MergeOptions>();
        var models = context.Inputs.Where(i => i.Output == OutputNames.Model).ToList();
        var baseInput = context.Inputs.SingleOrDefault(i => i.Output == BaseInput);
        var (method, weights) = MergeRules.Check(options, models.Count, baseInput is not null);
        var sources = new List<Source>();
        foreach (var input in baseInput is null ? models : [baseInput, .. models])
            sources.Add(new Source(input.Step, await MoeCheckpoint.OpenAsync(context.Artifacts, input.Artifact, cancellationToken).ConfigureAwait(false)));
        MergeRules.CheckShapes([.. sources.Select(s => (s.Name, s.Checkpoint.Config))]);
        CheckTensors(sources);
        CheckTokenizers(sources);
        foreach (var source in sources.Skip(1))
            source.Orders = ExpertMatching.Find(sources[0].Checkpoint, source.Checkpoint, source.Name, options.MatchExperts);
        var work = new Work(options, method, weights, baseInput is null ? null : sources[0], baseInput is null ? sources : sources[1..]);
        return await WriteAsync(context, work, sources, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<StageResult> WriteAsync(
        StageContext context, Work work, IReadOnlyList<Source> sources, CancellationToken cancellationToken)
    {
        var first = sources[0].Checkpoint;
        var names = first.Reader.Names;
        var (merged, bytesRead) = (0, 0L);
        using var writer = new CheckpointWriter(context.Artifacts);
        foreach (var (name, index) in names.Select((n, i) => (n, i)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            context.Progress.Report("merging", index, names.Count, "tensors");
            if (work.Kept(name) is { } kept)
            {
                writer.AddExisting(kept, name);
                continue;
            }
            using var result = work.Merge(name);
            await CheckpointSaver.AddTensorAsync(writer, name, result, ElementTypes.Parse(first.Reader.Describe(name).DType, name), cancellationToken)
                .ConfigureAwait(false);
            merged++;
            bytesRead += work.Read(name).Sum(s => s.Checkpoint.Reader.Describe(s.NameOf(name)).SizeBytes);
        }
        context.Progress.Report("merging", names.Count, names.Count, "tensors");
        foreach (var file in first.Manifest.Files.Where(f => f.Path != ConfigFile))
            writer.AddExisting(file);
        writer.AddConfig(first.Reader.ReadFile(ConfigFile));
        foreach (var source in sources.DistinctBy(s => s.Checkpoint.Reader.Root))
            writer.AddParent(new Parent(source.Checkpoint.Reader.Root, Relation, context.Step.Key));
        foreach (var layer in first.Config.SparseLayers)
            for (var expert = 0; expert < first.Config.Experts; expert++)
                writer.AddExpertOrigin(new ExpertOrigin(layer, expert, first.Reader.Root, layer, expert));
        var model = await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        var metrics = new Dictionary<string, double>
        {
            ["tensors-merged"] = merged,
            ["tensors-kept"] = names.Count - merged,
            ["bytes-read"] = bytesRead,
            ["experts-reordered"] = sources.Sum(s => s.Orders.Values.OfType<int[]>().Sum(order => order.Where((from, to) => from != to).Count())),
        };
        var report = new JsonObject
        {
            ["method"] = work.Method.Name,
            ["models"] = new JsonArray([.. work.Models.Zip(work.Weights, (s, w) => new JsonObject
            {
                ["step"] = s.Name, ["root"] = s.Checkpoint.Reader.Root.ToString(), ["weight"] = w,
            })]),
            ["base"] = work.Base?.Checkpoint.Reader.Root.ToString(),
            ["metrics"] = new JsonObject(metrics.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        };
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef>
            {
                [OutputNames.Model] = model,
                [OutputNames.Report] = await SurgeryReport.PublishAsync(
                    context.Artifacts, new Dictionary<string, JsonNode> { ["report.json"] = report },
                    [new Parent(model.Root, Relation, context.Step.Key)], cancellationToken).ConfigureAwait(false),
            },
            Metrics = metrics,
            Notes = [.. FamilyGap.Of(first.Config, names).Select(gap => gap.Note)],
        };
    }

    private static void CheckTensors(IReadOnlyList<Source> sources)
    {
        var first = sources[0];
        var problems = new List<string>();
        foreach (var source in sources.Skip(1))
        {
            foreach (var name in first.Checkpoint.Reader.Names.Except(source.Checkpoint.Reader.Names).Take(3))
                problems.Add($"'{source.Name}' lacks the tensor '{name}', which '{first.Name}' has.");
            foreach (var name in source.Checkpoint.Reader.Names.Except(first.Checkpoint.Reader.Names).Take(3))
                problems.Add($"'{first.Name}' lacks the tensor '{name}', which '{source.Name}' has.");
            foreach (var name in first.Checkpoint.Reader.Names.Intersect(source.Checkpoint.Reader.Names))
            {
                var (ours, theirs) = (ShapeOf(first, name), ShapeOf(source, name));
                if (ours != theirs)
                    problems.Add($"'{name}' is [{theirs}] in '{source.Name}' and [{ours}] in '{first.Name}'.");
            }
        }
        string ShapeOf(Source source, string name) => string.Join(", ", source.Checkpoint.Reader.Describe(name).Shape);

        if (problems.Count > 0)
            throw new UserInputException([.. problems.Take(10).Select(p => new Problem("merge", 0, 0, p))]);
    }

    // The mean of two embeddings whose rows mean different tokens is nobody's.
    private static void CheckTokenizers(IReadOnlyList<Source> sources)
    {
        var first = DigestOf(sources[0]);
        foreach (var source in sources.Skip(1))
        {
            if (DigestOf(source) is { } other && first is not null && other != first)
                throw new UserInputException(
                    $"merge: '{source.Name}' has another tokenizer than '{sources[0].Name}', so that one row of their embeddings stands for different tokens. "
                        + "Train both with one tokenizer.");
        }

        static string? DigestOf(Source source)
        {
            try
            {
                return StoredTokenizer.Load(
                    source.Checkpoint.Reader, source.Checkpoint.Config, new TokenizerUse(BosUse.Tokenizer, TokenizerChoice.Bytes)).Digest;
            }
            catch (InvalidTokenizerException)
            {
                return null; // nobody reads it here
            }
        }
    }

    /// <summary>A model, and the order of its experts.</summary>
    private sealed class Source(string name, MoeCheckpoint checkpoint)
    {
        public string Name { get; } = name;

        public MoeCheckpoint Checkpoint { get; } = checkpoint;

        public StoredWeights Weights { get; } = new(checkpoint.Reader);

        public IReadOnlyDictionary<int, int[]?> Orders { get; set; } = new Dictionary<int, int[]?>();

        private int[]? OrderOf(string tensor) => TensorNames.LayerOf(tensor) is { } layer ? Orders.GetValueOrDefault(layer) : null;

        /// <summary>Its own name of what the first model calls <paramref name="tensor"/>.</summary>
        public string NameOf(string tensor)
        {
            const string Experts = ".mlp.experts.";
            if (OrderOf(tensor) is not { } order || tensor.IndexOf(Experts, StringComparison.Ordinal) is var at && at < 0)
                return tensor;
            var rest = tensor[(at + Experts.Length)..].Split('.', 2);
            return $"{tensor[..(at + Experts.Length)]}{order[int.Parse(rest[0], System.Globalization.CultureInfo.InvariantCulture)]}.{rest[1]}";
        }

        /// <summary>Whether its rows are in another order.</summary>
        public bool Reorders(string tensor) => OrderOf(tensor) is not null && tensor.Contains(".mlp.gate.", StringComparison.Ordinal);

        /// <summary>The tensor in the first model's order, float32.</summary>
        public Tensor Read(string tensor)
        {
            var value = Weights.Read(NameOf(tensor)).to(float32);
            return Reorders(tensor) ? value.index_select(0, Order(tensor)) : value;

            Tensor Order(string name) => TorchSharp.torch.tensor(OrderOf(name)!.Select(e => (long)e).ToArray());
        }

        /// <summary>The stored tensor; null where it would have to be reordered.</summary>
        public TensorEntry? Entry(string tensor) => Reorders(tensor) ? null : Checkpoint.Reader.Entry(NameOf(tensor));
    }

    private sealed record Work(MergeOptions Options, IMergeMethod Method, IReadOnlyList<double> Weights, Source? Base, IReadOnlyList<Source> Models)
    {
        /// <summary>The stored tensor that the result is, bit for bit.</summary>
        public TensorEntry? Kept(string tensor)
        {
            if (Method.Identity(Options, Weights) is { } only && Models[only].Entry(tensor) is { } whole && IsStoredAsFirst(tensor, whole))
                return whole;
            // Nobody has changed it.
            var sources = Models.Append(Base).OfType<Source>().ToList();
            return sources[0].Entry(tensor) is { } first && sources.TrueForAll(s => s.Entry(tensor) is { } other && IsSame(tensor, sources[0], first, s, other))
                ? first : null;
        }

        // Small tensors lie together in one blob, which is another one when its neighbours have changed.
        private static bool IsSame(string tensor, Source source, TensorEntry entry, Source otherSource, TensorEntry other) =>
            (entry.Blob, entry.Offset, entry.DType) == (other.Blob, other.Offset, other.DType)
            || entry.SizeBytes <= SmallBytes && (entry.DType, entry.SizeBytes) == (other.DType, other.SizeBytes)
                && BytesOf(source, tensor).AsSpan().SequenceEqual(BytesOf(otherSource, tensor));

        private static byte[] BytesOf(Source source, string tensor)
        {
            var reader = source.Checkpoint.Reader;
            var name = source.NameOf(tensor);
            var bytes = new byte[reader.Describe(name).SizeBytes];
            reader.Read(name, bytes);
            return bytes;
        }

        public IEnumerable<Source> Read(string tensor) => Models.Where((_, i) => Weights[i] != 0).Append(Base).OfType<Source>();

        public Tensor Merge(string tensor)
        {
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            var used = Enumerable.Range(0, Models.Count).Where(i => Weights[i] != 0 || !Method.NeedsBase && Models.Count == 2).ToList();
            var tensors = new TensorsToMerge(tensor, Base?.Read(tensor), [.. used.Select(i => Models[i].Read(tensor))], [.. used.Select(i => Weights[i])]);
            return (used.Count == 0 ? tensors.Base! : Method.Merge(tensors, Options)).MoveToOuterDisposeScope();
        }

        private bool IsStoredAsFirst(string tensor, TensorEntry entry) => entry.DType == (Base ?? Models[0]).Checkpoint.Reader.Describe(tensor).DType;
    }
}
