using Espalier.Kernels;

namespace Espalier.Modeling.Tests.Fused;

/// <summary>A test of the kernels that multiply in bf16; skipped, and counted as such, where the processor has no instructions for it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Bf16FactAttribute : FactAttribute
{
    public Bf16FactAttribute() => Skip = Bf16TheoryAttribute.Missing;
}

/// <inheritdoc cref="Bf16FactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Bf16TheoryAttribute : TheoryAttribute
{
    public Bf16TheoryAttribute() => Skip = Missing;

    internal static string? Missing => FusedKernels.HasBf16 ? null : "this processor does not multiply in bf16";
}
