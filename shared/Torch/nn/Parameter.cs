namespace TorchSharp.Modules
{
    /// <summary>A tensor that is trained.</summary>
    public class Parameter : torch.Tensor
    {
        /// <summary>Takes over the elements of a tensor, which becomes empty, and its place in a dispose scope.</summary>
        public Parameter(torch.Tensor data, bool requires_grad = true) : base(IntPtr.Zero, register: false) =>
            TakeOver(data.with_requires_grad(requires_grad));
    }

    /// <summary>Only what its functions refer to.</summary>
    public static class GELU
    {
        /// <summary>How the normal distribution function is computed.</summary>
        public enum Approximate
        {
            /// <summary>Exactly.</summary>
            none,

            /// <summary>By a hyperbolic tangent.</summary>
            tanh,
        }
    }
}

namespace TorchSharp
{
    using Modules;

    public static partial class torch
    {
        /// <summary>Neural networks.</summary>
        public static partial class nn
        {
            /// <summary>Takes over the elements of a tensor, which becomes empty.</summary>
            public static Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);
        }
    }
}
