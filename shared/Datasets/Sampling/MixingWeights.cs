using Espalier.Contracts;
using Espalier.Datasets.Tokens;

namespace Espalier.Datasets.Sampling;

/// <summary>How often each domain is drawn.</summary>
public static class MixingWeights
{
    /// <summary>
    /// Weights by domain. Given ones are taken as they are, domains they leave out are not drawn. Otherwise each domain's
    /// bytes to the power 1 / temperature: 1 is proportional, larger is more even.
    /// </summary>
    /// <exception cref="UserInputException">An unknown domain, a negative weight, or nothing to draw.</exception>
    public static IReadOnlyDictionary<string, double> Resolve(
        IReadOnlyList<TokenizedDomain> domains, IReadOnlyDictionary<string, double>? given = null, double temperature = 1)
    {
        if (given is null || given.Count == 0)
        {
            return temperature > 0
                ? domains.ToDictionary(d => d.Name, d => Math.Pow(Math.Max(1, d.SizeBytes), 1 / temperature))
                : throw new UserInputException($"The mixing temperature is {temperature}; it must be above 0.");
        }
        var names = domains.Select(d => d.Name).ToList();
        foreach (var (name, weight) in given)
        {
            if (!names.Contains(name))
                throw new UserInputException($"The mixing weights name the domain '{name}', which the dataset does not have: {NearestWord.Hint(name, names)}");
            if (!double.IsFinite(weight) || weight < 0)
                throw new UserInputException($"The mixing weight of '{name}' is {weight}; it must be 0 or more.");
        }
        return given.Values.Sum() > 0 ? given : throw new UserInputException("The mixing weights are all 0; at least one domain must be drawn.");
    }
}
