namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>What becomes of the losses of single elements.</summary>
        public enum Reduction : long
        {
            None = 0,
            Mean = 1,
            Sum = 2,
        }

        public static unsafe partial class functional
        {
            /// <summary>-log softmax(input)[target], classes along dimension 1.</summary>
            /// <param name="input">Scores before softmax.</param>
            /// <param name="target">Class numbers, or one probability per class.</param>
            /// <param name="weight">Weight of each class.</param>
            /// <param name="ignore_index">A class number that does not count.</param>
            /// <param name="reduction">What becomes of the single losses.</param>
            /// <param name="label_smoothing">Share of the target that is spread over all classes.</param>
            public static Tensor cross_entropy(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0.0) =>
                Made(Native.et_cross_entropy(input.Handle, target.Handle, Tensor.Of(weight), ignore_index, (int)reduction, label_smoothing), input, target, weight);

            /// <summary>-input[target], where the input holds logarithms of probabilities.</summary>
            public static Tensor nll_loss(Tensor input, Tensor target, Tensor? weight = null, Reduction reduction = Reduction.Mean) =>
                Made(Native.et_nll_loss(input.Handle, target.Handle, Tensor.Of(weight), -100, (int)reduction), input, target, weight);

            /// <summary>(input - target) squared.</summary>
            public static Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean) =>
                Made(Native.et_mse_loss(input.Handle, target.Handle, (int)reduction), input, target);

            /// <summary>target (log target - input), where the input, and on request the target, holds logarithms.</summary>
            public static Tensor kl_div(Tensor input, Tensor target, bool log_target = true, Reduction reduction = Reduction.Mean) =>
                Made(Native.et_kl_div(input.Handle, target.Handle, (int)reduction, log_target), input, target);

            /// <summary>Squared near zero, linear from delta on.</summary>
            public static Tensor huber_loss(Tensor input, Tensor target, double delta = 1.0, Reduction reduction = Reduction.Mean) =>
                Made(Native.et_huber_loss(input.Handle, target.Handle, (int)reduction, delta), input, target);

            /// <summary>-(target log input + (1 - target) log(1 - input)).</summary>
            public static Tensor binary_cross_entropy(Tensor input, Tensor target, Tensor? weight = null, Reduction reduction = Reduction.Mean) =>
                Made(Native.et_binary_cross_entropy(input.Handle, target.Handle, Tensor.Of(weight), (int)reduction), input, target, weight);

            /// <summary><see cref="binary_cross_entropy"/> of sigmoid(input), without overflow.</summary>
            public static Tensor binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight = null, Reduction reduction = Reduction.Mean, Tensor? pos_weights = null)
            {
                Tensor result = Made(Native.et_binary_cross_entropy_with_logits(input.Handle, target.Handle, Tensor.Of(weight), (int)reduction, Tensor.Of(pos_weights)), input, target, weight);
                GC.KeepAlive(pos_weights);
                return result;
            }
        }
    }
}
