namespace TorchSharp;

public static partial class torch
{
    // Activations.
    public unsafe partial class Tensor
    {
        /// <summary>exp(x) divided by its sum along one dimension.</summary>
        public Tensor softmax(long dim, ScalarType? dtype = null) => Made(Native.et_softmax(Handle, dim, TypeOrNone(dtype)));

        /// <summary>Logarithm of <see cref="softmax"/>.</summary>
        public Tensor log_softmax(long dim, ScalarType? dtype = null) =>
            Made(Native.et_log_softmax(Handle, dim, TypeOrNone(dtype)));

        /// <summary>log(1 + exp(beta x)) / beta.</summary>
        public Tensor softplus(double beta = 1, double threshold = 20) => Made(Native.et_softplus(Handle, beta, threshold));

        /// <summary>x times the normal distribution function of x.</summary>
        public Tensor gelu() => gelu(Modules.GELU.Approximate.none);

        /// <summary><see cref="gelu()"/>, exact or by tanh.</summary>
        public Tensor gelu(Modules.GELU.Approximate approximate)
        {
            fixed (byte* name = ApproximationName(approximate))
                return Made(Native.et_gelu(Handle, name));
        }

        /// <summary><see cref="gelu()"/>, in place.</summary>
        public Tensor gelu_() => gelu_(Modules.GELU.Approximate.none);

        /// <summary><see cref="gelu()"/>, exact or by tanh, in place.</summary>
        public Tensor gelu_(Modules.GELU.Approximate approximate)
        {
            fixed (byte* name = ApproximationName(approximate))
                return Changed(Native.et_gelu_(Handle, name));
        }

        /// <summary>x, or x times the slope where x is negative.</summary>
        public Tensor leaky_relu(Scalar negative_slope) => Made(Native.et_leaky_relu(Handle, negative_slope.Number));

        /// <summary><see cref="leaky_relu"/>, in place.</summary>
        public Tensor leaky_relu_(Scalar negative_slope) => Changed(Native.et_leaky_relu_(Handle, negative_slope.Number));

        /// <summary>Logarithm of the sigmoid.</summary>
        public Tensor log_sigmoid() => Made(Native.et_log_sigmoid(Handle));

        /// <summary>One half times the sigmoid of the other half.</summary>
        public Tensor glu(long dim = -1) => Made(Native.et_glu(Handle, dim));

        private static ReadOnlySpan<byte> ApproximationName(Modules.GELU.Approximate approximate) =>
            approximate == Modules.GELU.Approximate.tanh ? "tanh\0"u8 : "none\0"u8;
    }
}
