using System.Globalization;

namespace Espalier.Registry;

/// <summary><c>NAME</c> (the newest version), <c>NAME@3</c>, <c>NAME@v3</c> or <c>NAME@ALIAS</c>: the same everywhere.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Version">Its version; null when an alias or the newest one is meant.</param>
/// <param name="Alias">Its alias; null when a version or the newest one is meant.</param>
public sealed record ModelReference(string Model, int? Version, string? Alias)
{
    private const string Latest = "latest";

    /// <summary>Whether the newest version is meant.</summary>
    public bool IsLatest => Version is null && Alias is null;

    /// <summary>Reads a reference.</summary>
    public static ModelReference Parse(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var (model, label) = at < 0 ? (text, Latest) : (text[..at], text[(at + 1)..]);
        if (label == Latest)
            return new ModelReference(model, null, null);
        var digits = label is ['v' or 'V', ..] ? label[1..] : label;
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? new ModelReference(model, version, null)
            : new ModelReference(model, null, label);
    }
}
