using Espalier.Contracts;
using Espalier.Modeling.WeightFormats;

namespace Espalier.Quantizer.Methods;

/// <summary>Numbers that a method leaves no choice of. Options that say nothing, which is what their defaults are, get the method's.</summary>
/// <param name="Method">Its name.</param>
/// <param name="Format">The format that has them.</param>
/// <param name="Bits">Bits of each.</param>
/// <param name="GroupSizes">Group sizes that it can have, the usual one first.</param>
internal sealed record OwnNumbers(string Method, string Format, int Bits, IReadOnlyList<int> GroupSizes)
{
    private static readonly QuantizeOptions Unsaid = new();

    /// <summary>The options with the method's numbers.</summary>
    /// <exception cref="UserInputException">They ask for others; says all of them.</exception>
    public QuantizeOptions Resolve(QuantizeOptions options)
    {
        var problems = new List<string>();
        if (options.Bits != Unsaid.Bits && options.Bits != Bits)
            problems.Add($"'bits' is {options.Bits}, and method '{Method}' has {Bits}");
        if (options.GroupSize != Unsaid.GroupSize && !GroupSizes.Contains(options.GroupSize))
            problems.Add($"'group-size' is {options.GroupSize}, and method '{Method}' has {string.Join(" or ", GroupSizes)}");
        if (!options.Symmetric)
            problems.Add($"'symmetric' is false, and method '{Method}' has no zero points");
        if (options.Format != WeightFormat.Default && options.Format != Format)
            problems.Add($"'format' is {options.Format}, and method '{Method}' is stored as {Format}");
        return problems.Count > 0 ? throw new UserInputException($"{string.Join("; ", problems)}. Leave them out.")
            : options with { Bits = Bits, Format = Format, GroupSize = GroupSizes.Contains(options.GroupSize) ? options.GroupSize : GroupSizes[0] };
    }
}
