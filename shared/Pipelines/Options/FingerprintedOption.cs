using System.Text.Json.Nodes;
using Espalier.Contracts;

namespace Espalier.Pipelines.Options;

/// <summary>An option that names the user's own files, see <see cref="StageTraits.Fingerprints"/>.</summary>
/// <param name="Holder">The object that it stands in: the stage's options, or a value of one of its lists.</param>
/// <param name="Name">Its name there.</param>
/// <param name="Fingerprint">Name, there, of the option that holds the digest.</param>
/// <param name="Path">Its path: <c>source</c>, <c>sources[1].from</c>.</param>
internal sealed record FingerprintedOption(JsonObject Holder, string Name, string Fingerprint, string Path)
{
    private const string EachOf = "[].";

    /// <summary>Those among a stage's options that are set.</summary>
    public static IEnumerable<FingerprintedOption> Of(JsonObject options, StageTraits traits)
    {
        foreach (var (option, fingerprint) in traits.Fingerprints)
        {
            if (option.IndexOf(EachOf, StringComparison.Ordinal) is not (> 0 and var cut))
            {
                if (options[option] is not null)
                    yield return new(options, option, fingerprint, option);
                continue;
            }
            var (list, name) = (option[..cut], option[(cut + EachOf.Length)..]);
            foreach (var (holder, index) in (options[list] as JsonArray ?? []).Select((value, i) => (value as JsonObject, i)))
            {
                if (holder?[name] is not null)
                    yield return new(holder, name, fingerprint, $"{list}[{index}].{name}");
            }
        }
    }

    /// <summary>Its text; null when it is none.</summary>
    public string? Text => Holder[Name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
