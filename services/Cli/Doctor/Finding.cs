namespace Espalier.Cli.Doctor;

/// <summary>Whether something is wrong.</summary>
internal enum Severity
{
    /// <summary>As it should be.</summary>
    Fine,

    /// <summary>Some jobs need it, or it could be better.</summary>
    Optional,

    /// <summary>Nothing works without it.</summary>
    Missing,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Name">What.</param>
/// <param name="Value">What was found.</param>
/// <param name="Severity">Whether it is wrong.</param>
/// <param name="Remedy">What to do, or null.</param>
internal sealed record Finding(string Name, string Value, Severity Severity = Severity.Fine, string? Remedy = null);
