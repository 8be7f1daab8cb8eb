using System.Runtime.InteropServices;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Registry.Tests.Support;

/// <summary>Checkpoints of a few kilobytes with the names and shapes of real ones; every weight is a function of a seed and its name.</summary>
internal static class TinyCheckpoints
{
    /// <summary>What a checkpoint looks like.</summary>
    public sealed record Plan
    {
        public int Layers { get; init; } = 2;
        public int Experts { get; init; } = 4;
        public int Hidden { get; init; } = 8;
        public int ExpertSize { get; init; } = 4;
        public int Seed { get; init; } = 1;

        /// <summary>Where each expert comes from; null for a checkpoint without parents.</summary>
        public Func<int, int, ExpertOrigin?>? Origin { get; init; }

        public IReadOnlyList<Parent> Parents { get; init; } = [];

        /// <summary>Replaces the value of a tensor's element.</summary>
        public Func<string, int, float, float> Change { get; init; } = (_, _, value) => value;
    }

    public static async Task<ManifestRef> CreateAsync(ArtifactStore store, Plan? plan = null)
    {
        plan ??= new Plan();
        using var writer = new CheckpointWriter(store);
        await writer.AddFileAsync("config.json", JsonSerializer.SerializeToUtf8Bytes(Config(plan)), default);
        foreach (var (name, shape) in Tensors(plan))
        {
            var count = (int)shape.Aggregate(1L, (a, b) => a * b);
            var values = new float[count];
            for (var i = 0; i < count; i++)
                values[i] = plan.Change(name, i, Weight(plan, name, i));
            await writer.AddTensorAsync(name, "F32", shape, MemoryMarshal.AsBytes<float>(values).ToArray(), default);
        }
        foreach (var parent in plan.Parents)
            writer.AddParent(parent);
        if (plan.Origin is { } origin)
        {
            foreach (var layer in Enumerable.Range(0, plan.Layers))
                foreach (var expert in Enumerable.Range(0, plan.Experts))
                    if (origin(layer, expert) is { } known)
                        writer.AddExpertOrigin(known);
        }
        return await writer.CommitAsync(default);
    }

    private static Dictionary<string, object> Config(Plan plan) => new()
    {
        ["model_type"] = "olmoe",
        ["vocab_size"] = 16,
        ["hidden_size"] = plan.Hidden,
        ["num_hidden_layers"] = plan.Layers,
        ["num_attention_heads"] = 2,
        ["num_experts"] = plan.Experts,
        ["num_experts_per_tok"] = 2,
        ["intermediate_size"] = plan.ExpertSize,
        ["tie_word_embeddings"] = true,
    };

    private static float Weight(Plan plan, string name, int element)
    {
        // A copied expert has its source's weights, so the name that counts is the source's.
        var place = Registry.Comparisons.WeightDifferences.Place.Of(name);
        if (place.Expert >= 0 && plan.Origin?.Invoke(place.Layer, place.Expert) is { } origin)
            name = place.NameFor(origin.ParentLayer, origin.ParentExpert);
        var hash = Digest.Of(System.Text.Encoding.UTF8.GetBytes($"{plan.Seed}/{name}/{element}"));
        return Convert.ToInt32(hash.Hex[..6], 16) / (float)0xFFFFFF - 0.5f;
    }

    private static IEnumerable<(string Name, long[] Shape)> Tensors(Plan plan)
    {
        yield return ("model.embed_tokens.weight", [16, plan.Hidden]);
        for (var layer = 0; layer < plan.Layers; layer++)
        {
            yield return ($"model.layers.{layer}.mlp.gate.weight", [plan.Experts, plan.Hidden]);
            for (var expert = 0; expert < plan.Experts; expert++)
            {
                yield return ($"model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight", [plan.ExpertSize, plan.Hidden]);
                yield return ($"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight", [plan.ExpertSize, plan.Hidden]);
                yield return ($"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight", [plan.Hidden, plan.ExpertSize]);
            }
        }
        yield return ("model.norm.weight", [plan.Hidden]);
    }
}
