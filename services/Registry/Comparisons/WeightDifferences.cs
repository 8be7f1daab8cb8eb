using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Registry.Lineages;

namespace Espalier.Registry.Comparisons;

/// <summary>
/// How far the weights of two checkpoints lie apart, layer by layer and expert by expert. An expert on the right is compared
/// with the expert on the left that it came from, so growing and pruning, which renumber experts, do not look like change.
/// </summary>
internal static partial class WeightDifferences
{
    public static async Task<IReadOnlyList<LayerDifference>> FindAsync(
        ArtifactStore store, CheckpointReader left, CheckpointReader right, CancellationToken cancellationToken)
    {
        var origins = await ExpertGenealogy.OriginsAsync(store, right.Root, left.Root, cancellationToken).ConfigureAwait(false);
        var layers = right.Names.Select(Place.Of).GroupBy(p => p.Layer).OrderBy(g => g.Key < 0).ThenBy(g => g.Key);
        return await Task.Run(
            () => layers.Select(layer => Compare(left, right, layer.Key, [.. layer], origins, cancellationToken)).ToList(),
            cancellationToken).ConfigureAwait(false);
    }

    private static LayerDifference Compare(
        CheckpointReader left, CheckpointReader right, int layer, List<Place> places, ExpertOrigins origins, CancellationToken cancellationToken)
    {
        var norms = new List<Norms>();
        var experts = new List<double?>();
        var sources = new List<int?>();
        foreach (var place in places.Where(p => p.Expert < 0 && !p.IsRouter))
            Add(norms, TensorNorms.Find(left, place.Name, right, place.Name, cancellationToken));
        foreach (var expert in places.Where(p => p.Expert >= 0).GroupBy(p => p.Expert).OrderBy(g => g.Key))
        {
            var from = origins.Find(layer, expert.Key);
            var own = new List<Norms>();
            foreach (var place in expert)
            {
                var source = from is { } origin ? place.NameFor(origin.Layer, origin.Expert) : null;
                Add(own, source is null ? null : TensorNorms.Find(left, source, right, place.Name, cancellationToken));
            }
            experts.Add(own.Count == expert.Count() ? Norms.Sum(own).Relative : null);
            sources.Add(from?.Expert);
            norms.AddRange(own);
        }
        var router = places.Where(p => p.IsRouter).Select(p => RouterShift.Find(left, right, p, origins)).FirstOrDefault(r => r is not null);
        if (router is { } shift)
            norms.Add(shift.Norms);
        return new LayerDifference
        {
            Layer = layer,
            RelativeChange = norms.Count == 0 ? null : Norms.Sum(norms).Relative,
            Experts = experts,
            Origins = sources,
            Router = router?.Norms.Relative,
            RouterCosines = router?.Cosines,
        };
    }

    private static void Add(List<Norms> norms, Norms? found)
    {
        if (found is { } value)
            norms.Add(value);
    }

    /// <summary>Where a tensor sits. Layer -1 is outside the layers, expert -1 in none.</summary>
    internal sealed partial record Place(string Name, int Layer, int Expert, bool IsRouter)
    {
        public static Place Of(string name)
        {
            var match = Pattern().Match(name);
            if (!match.Success)
                return new Place(name, -1, -1, false);
            var layer = int.Parse(match.Groups["layer"].ValueSpan, CultureInfo.InvariantCulture);
            var rest = match.Groups["rest"].Value;
            var expert = ExpertIndex().Match(rest);
            return new Place(name, layer, expert.Success ? int.Parse(expert.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : -1, rest == "mlp.gate.weight");
        }

        /// <summary>The same tensor of another expert.</summary>
        public string NameFor(int layer, int expert) =>
            Name.Replace($".layers.{Layer}.", $".layers.{layer}.", StringComparison.Ordinal)
                .Replace($".experts.{Expert}.", $".experts.{expert}.", StringComparison.Ordinal);

        [GeneratedRegex(@"\.layers\.(?<layer>\d{1,6})\.(?<rest>.+)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
        private static partial Regex Pattern();

        [GeneratedRegex(@"\.experts\.(\d{1,6})\.", RegexOptions.CultureInvariant)]
        private static partial Regex ExpertIndex();
    }
}
