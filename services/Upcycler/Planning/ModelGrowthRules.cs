using Espalier.Contracts;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Methods.Models;

namespace Espalier.Upcycler.Planning;

/// <summary>Options of expert upcycling that other methods do not read are refused, not passed over.</summary>
internal static class ModelGrowthRules
{
    /// <summary>Checks the stage's options against a method that grows whole models.</summary>
    /// <exception cref="UserInputException">All of them.</exception>
    public static void Check(UpcycleOptions options, IModelGrowth method)
    {
        var unused = new List<string>();
        if (options.Multiplier is not null)
            unused.Add("multiplier");
        if (options.Counts is not null)
            unused.Add("counts");
        if (options.LayerPlans is not null)
            unused.Add("layer-plans");
        if (options.Router is not null)
            unused.Add("router");
        if (options.Preserve != Preservation.None)
            unused.Add("preserve");
        if (options.OptimizerState != OptimizerStatePolicy.Reset)
            unused.Add("optimizer-state");
        if (options.Duplication is not null && method is not (SparseUpcycling or DropUpcycling))
            unused.Add("duplication");
        if (unused.Count > 0)
            throw new UserInputException([.. unused.Select(name =>
                new Problem("upcycle", 0, 0, $"{name}: method {method.Name} does not use it; it is for methods copy and utility. Leave it out."))]);
    }
}
