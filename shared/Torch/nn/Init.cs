namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Start values for parameters; all write into the tensor and return it, and none is recorded.</summary>
        public static partial class init
        {
            /// <summary>All elements this number.</summary>
            public static Tensor constant_(Tensor tensor, Scalar val) => Unrecorded(() => tensor.fill_(val));

            /// <summary>All elements one.</summary>
            public static Tensor ones_(Tensor tensor) => constant_(tensor, 1);

            /// <summary>All elements zero.</summary>
            public static Tensor zeros_(Tensor tensor) => Unrecorded(tensor.zero_);

            /// <summary>Draws from a normal distribution.</summary>
            public static Tensor normal_(Tensor tensor, double mean = 0, double std = 1, Generator? generator = null) =>
                Unrecorded(() => tensor.normal_(mean, std, generator));

            /// <summary>Draws from [low, high).</summary>
            public static Tensor uniform_(Tensor tensor, double low = 0, double high = 1, Generator? generator = null) =>
                Unrecorded(() => tensor.uniform_(low, high, generator));

            /// <summary>Draws from a normal distribution that is cut off at a and b.</summary>
            public static Tensor trunc_normal_(Tensor tensor, double mean = 0, double std = 1, double a = -2, double b = 2, Generator? generator = null)
            {
                // Uniform numbers between the distribution's values at the ends, taken back through its inverse.
                double low = Normal((a - mean) / std), high = Normal((b - mean) / std);
                return Unrecorded(() => tensor.uniform_(2 * low - 1, 2 * high - 1, generator)
                    .erfinv_().mul_(std * Math.Sqrt(2)).add_(mean).clamp_(a, b));
            }

            private static double Normal(double x)
            {
                using Tensor scaled = torch.tensor(x / Math.Sqrt(2), float64);
                using Tensor erf = scaled.erf();
                return (1 + erf.ToDouble()) / 2;
            }

            private static Tensor Unrecorded(Func<Tensor> change)
            {
                using IDisposable mode = no_grad();
                return change();
            }
        }
    }
}
