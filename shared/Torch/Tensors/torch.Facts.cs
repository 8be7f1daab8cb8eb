namespace TorchSharp;

// The methods of Tensor.Facts.cs as functions.
public static partial class torch
{
    /// <summary>Whether the one element is not zero.</summary>
    public static bool is_nonzero(Tensor input) => input.is_nonzero();

    /// <summary></summary>
    public static long numel(Tensor input) => input.numel();
}
