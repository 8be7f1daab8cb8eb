using Espalier.Stages;

namespace Espalier.NoopService;

/// <summary>The test stage computes nothing that depends on the machine.</summary>
public sealed class FixedNumerics : INumericsClass
{
    /// <inheritdoc/>
    public string Value => "none";
}
