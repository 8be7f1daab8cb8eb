namespace TorchSharp;

// The methods of Tensor.Conversions.cs as functions.
public static partial class torch
{
    /// <summary>A copy with memory of its own; gradients flow through.</summary>
    public static Tensor clone(Tensor input) => input.clone();
}
