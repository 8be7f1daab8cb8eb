using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Keys;

/// <summary>The code that computes a stage kind: what the keys of all its steps have in common.</summary>
/// <param name="Kind">Stage kind.</param>
/// <param name="Version">Digest of the code (<see cref="StageVersion"/>).</param>
/// <param name="NumericsClass">Library, device and kernels that results depend on; <see cref="NumericsClasses.Any"/> where they do not.</param>
/// <param name="Traits">What goes into the keys.</param>
public sealed record StageCode(string Kind, string Version, string NumericsClass, StageTraits Traits)
{
    /// <summary>What a step with these options and inputs depends on.</summary>
    public StepKey KeyOf(JsonElement options, IEnumerable<StepInput> inputs) => new()
    {
        Kind = Kind,
        StageVersion = Version,
        NumericsClass = NumericsClass,
        Options = WithoutFolders(options),
        Inputs = [.. inputs.Select(i => new StepKeyInput(i.Output, Traits.InputNamesMatter ? i.Step : "", i.Artifact.Root))],
    };

    private JsonElement WithoutFolders(JsonElement options)
    {
        if (options.ValueKind != JsonValueKind.Object)
            return options;
        var values = JsonObject.Create(options)!;
        var isChanged = false;
        foreach (var option in FingerprintedOption.Of(values, Traits))
        {
            var text = option.Text ?? "";
            if (!option.Holder.ContainsKey(option.Fingerprint) || text.StartsWith(ArtifactForms.Corpus, StringComparison.Ordinal))
                continue;
            option.Holder[option.Name] = text[..(text.IndexOf(':', StringComparison.Ordinal) + 1)] + Path.GetFileName(text.TrimEnd('/'));
            isChanged = true;
        }
        return isChanged ? JsonSerializer.SerializeToElement(values) : options;
    }
}
