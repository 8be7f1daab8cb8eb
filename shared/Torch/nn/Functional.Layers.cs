namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Layers and losses without state.</summary>
        public static unsafe partial class functional
        {
            /// <summary>input times the transposed weights, plus the bias.</summary>
            public static Tensor linear(Tensor input, Tensor weights, Tensor? bias = null) =>
                Made(Native.et_linear(input.Handle, weights.Handle, Tensor.Of(bias)), input, weights, bias);

            /// <summary>(x - mean) / sqrt(variance + eps) over the last dimensions, times the weight, plus the bias.</summary>
            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-05)
            {
                fixed (long* shape = normalized_shape)
                    return Made(Native.et_layer_norm(input.Handle, shape, normalized_shape.Length, Tensor.Of(weight), Tensor.Of(bias), eps), input, weight, bias);
            }

            /// <summary>Zeroes elements with probability p and scales up the others; nothing when not training.</summary>
            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true, bool inplace = false)
            {
                if (!inplace)
                    return Made(Native.et_dropout(input.Handle, p, training), input);
                Native.Check(Native.et_dropout_(input.Handle, p, training));
                return input.alias();
            }

            /// <summary>One row of zeros with a one per number; the largest number + 1 classes unless given.</summary>
            public static Tensor one_hot(Tensor x, long num_classes = -1) => Made(Native.et_one_hot(x.Handle, num_classes), x);

            /// <summary>Vectors of norm 1 along one dimension.</summary>
            public static Tensor normalize(Tensor input, double p = 2, long dim = 1, double eps = 1e-12) =>
                Made(Native.et_normalize(input.Handle, p, dim, eps), input);

            /// <summary>Cosine of the angle between vectors along one dimension.</summary>
            public static Tensor cosine_similarity(Tensor x1, Tensor x2, long dim = 1, double eps = 1e-8) =>
                Made(Native.et_cosine_similarity(x1.Handle, x2.Handle, dim, eps), x1, x2);

            /// <summary>Elements added before and after, last dimension first; only with a constant.</summary>
            public static Tensor pad(Tensor input, ReadOnlySpan<long> pad, PaddingModes mode = PaddingModes.Constant, double value = 0)
            {
                if (mode != PaddingModes.Constant)
                    throw new NotSupportedException($"padding mode {mode}");
                Scalar filler = value;
                fixed (long* pointer = pad)
                    return Made(Native.et_constant_pad(input.Handle, pointer, pad.Length, filler.Number), input);
            }

            /// <inheritdoc cref="pad(Tensor, ReadOnlySpan{long}, PaddingModes, double)"/>
            public static Tensor pad(Tensor input, long[] pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, (ReadOnlySpan<long>)pad, mode, value);

            /// <inheritdoc cref="pad(Tensor, ReadOnlySpan{long}, PaddingModes, double)"/>
            public static Tensor pad(Tensor input, (long, long) pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, [pad.Item1, pad.Item2], mode, value);

            /// <inheritdoc cref="pad(Tensor, ReadOnlySpan{long}, PaddingModes, double)"/>
            public static Tensor pad(Tensor input, (long, long, long, long) pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, [pad.Item1, pad.Item2, pad.Item3, pad.Item4], mode, value);

            /// <summary>softmax(query keyᵀ / sqrt(width) + mask) value.</summary>
            /// <param name="query">(..., queries, width)</param>
            /// <param name="key">(..., keys, width)</param>
            /// <param name="value">(..., keys, value width)</param>
            /// <param name="attn_mask">True where to look, or a number to add to each score.</param>
            /// <param name="p">Probability that a weight is dropped.</param>
            /// <param name="is_casual">Each query sees only keys up to its own position.</param>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_casual = false)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(p);
                if (is_casual && attn_mask is not null)
                    throw new ArgumentException("give either attn_mask or is_casual, not both");
                Tensor result = Made(Native.et_attention(query.Handle, key.Handle, value.Handle, Tensor.Of(attn_mask), p, is_casual), query, key, value);
                GC.KeepAlive(attn_mask);
                return result;
            }

            // Keeps the operands alive until native code is done with them.
            private static Tensor Made(IntPtr handle, Tensor a, Tensor? b = null, Tensor? c = null)
            {
                GC.KeepAlive(a);
                GC.KeepAlive(b);
                GC.KeepAlive(c);
                return Native.Wrap(handle);
            }
        }
    }
}
