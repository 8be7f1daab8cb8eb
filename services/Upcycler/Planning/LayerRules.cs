using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages.Methods;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Routers;

namespace Espalier.Upcycler.Planning;

/// <summary>Which options of a layer go together.</summary>
internal static class LayerRules
{
    /// <summary>Whether the layer's experts are ranked.</summary>
    public static bool NeedsScores(UpcycleOptions layer) => layer.Counts is null && MethodCatalog<IExpertSelection>.Get(layer.Method, "method").NeedsScores;

    /// <summary>Problems of all layers, each once.</summary>
    public static IEnumerable<string> Check(UpcycleOptions options, ModelConfig config)
    {
        var listed = (options.LayerPlans ?? []).SelectMany(plan => plan.Layers).ToList();
        foreach (var layer in listed.Where(layer => layer >= config.Layers).Distinct())
            yield return $"layer-plans: there is no layer {layer}; the model has {config.Layers}, from 0.";
        foreach (var layer in listed.Where(layer => layer < config.Layers && !config.IsSparse(layer)).Distinct())
            yield return $"layer-plans: layer {layer} has no experts. Name layers of experts: {string.Join(", ", config.SparseLayers)}.";
        foreach (var layer in listed.CountBy(layer => layer).Where(pair => pair.Value > 1).Select(pair => pair.Key))
            yield return $"layer-plans: layer {layer} is in more than one plan. Keep one.";
        foreach (var problem in config.SparseLayers.SelectMany(layer => CheckLayer(options.In(layer), config)).Distinct().ToList())
            yield return problem;
    }

    private static IEnumerable<string> CheckLayer(UpcycleOptions layer, ModelConfig config)
    {
        var (router, duplication) = (RouterExtension.Of(layer), ExpertDuplication.Of(layer));
        if (layer.Counts is { } counts && counts.Count != config.Experts)
            yield return $"counts: {counts.Count} numbers for {config.Experts} experts. Give one for each expert of the source.";
        if (layer.Counts is { } given && given.All(count => count == 1))
            yield return "counts: every expert is there once, so nothing grows. Give some expert at least 2.";
        if (layer.Counts is { } copies && copies.Count == config.Experts && copies.Chunk(config.Experts / config.ExpertGroups)
            .Select(group => group.Sum()).Distinct().Count() > 1)
            yield return $"counts: the {config.ExpertGroups} groups of neighbouring experts (n_group) must stay equal. "
                + $"Give each {config.Experts / config.ExpertGroups} numbers in a row the same sum.";
        foreach (var setting in Unused(layer.Router, router.Settings).Where(setting => router is not CopyRows || setting != "noise")) // that one is logged
            yield return $"router.{setting}: router method {router.Name} does not use it. {Uses(router.Settings)}";
        foreach (var setting in Unused(layer.Duplication, duplication.Settings))
            yield return $"duplication.{setting}: method {duplication.Name} does not use it. {Uses(duplication.Settings)}";
        if (router.Settings.Contains("noise") && RouterExtension.Noise(layer) == 0)
            yield return $"router.noise: {router.Name} with 0 adds nothing. Give it a size, or use router method copy.";
        if (duplication.NeedsPeer && config.Experts < 2)
            yield return $"duplication.method: {duplication.Name} needs a second expert, and the model has one. Use copy or copy-noise.";
        if (duplication is not ExactCopy && config.Quantization is not null)
            yield return $"duplication.method: {duplication.Name} changes weights, which this model stores packed. "
                + "Use copy, or grow the model it was quantized from.";
        foreach (var problem in CheckPreservation(layer, router, duplication))
            yield return problem;
    }

    private static IEnumerable<string> CheckPreservation(UpcycleOptions layer, IRouterExtension router, IExpertDuplication duplication)
    {
        if (layer.Preserve is not (Preservation.SiblingExclusive or Preservation.Wide))
            yield break;
        var preserve = UpcycleRules.WireName(layer.Preserve);
        if (router.Copies != CopyKind.Equal)
            yield return $"preserve: {preserve} is exact only for equal logits, and router method {router.Name} makes them differ. Use router method copy.";
        if (!duplication.KeepsFunction)
            yield return $"preserve: {preserve} is exact only for experts that compute the same, and duplication {duplication.Name} changes them. "
                + "Use duplication copy, or preserve frozen.";
        if (layer.Preserve == Preservation.Wide && (NeedsScores(layer) || layer.Counts is { } counts && counts.Distinct().Count() > 1))
            yield return "preserve: wide is exact only when every expert is copied equally often. Use method copy, or preserve sibling-exclusive.";
    }

    // Names of settings that are given and not read.
    private static IEnumerable<string> Unused<T>(T? settings, IReadOnlyList<string> read) where T : class
    {
        if (settings is null)
            return [];
        var json = JsonSerializer.SerializeToElement(settings, WireJson.Options);
        return json.EnumerateObject()
            .Where(p => p.Value.ValueKind != JsonValueKind.Null && p.Name != "method" && !read.Contains(p.Name)).Select(p => p.Name);
    }

    private static string Uses(IReadOnlyList<string> settings) => settings.Count == 0 ? "It has no settings." : $"It uses: {string.Join(", ", settings)}.";
}
