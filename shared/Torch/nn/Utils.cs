using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Work on many parameters at once.</summary>
        public static partial class utils
        {
            /// <summary>Scales all gradients so that their common norm is at most this; what has no gradient is left out.</summary>
            /// <returns>The norm before scaling.</returns>
            public static double clip_grad_norm_(IEnumerable<Parameter> tensors, double max_norm, double norm_type = 2.0)
            {
                using DisposeScope scope = NewDisposeScope();
                using IDisposable mode = no_grad();
                List<Tensor> gradients = [.. tensors.Select(tensor => tensor.grad).OfType<Tensor>()];
                if (gradients.Count == 0)
                    return 0;

                Tensor norms = stack(gradients.Select(gradient => linalg.vector_norm(gradient, norm_type)));
                double norm = linalg.vector_norm(norms, norm_type).ToDouble();
                double scale = max_norm / (norm + 1e-6);
                if (scale < 1)
                {
                    foreach (Tensor gradient in gradients)
                        gradient.mul_(scale);
                }
                return norm;
            }

            /// <summary>Limits every element of every gradient to [-clip_value, clip_value].</summary>
            public static void clip_grad_value_(IEnumerable<Parameter> tensors, double clip_value)
            {
                using IDisposable mode = no_grad();
                foreach (Parameter tensor in tensors)
                {
                    using Tensor? gradient = tensor.grad;
                    gradient?.clamp_(-clip_value, clip_value);
                }
            }

            /// <summary>All elements in one vector.</summary>
            public static Tensor parameters_to_vector(IEnumerable<Parameter> tensors)
            {
                using DisposeScope scope = NewDisposeScope();
                return cat([.. tensors.Select(tensor => tensor.reshape(-1))]).MoveToOuterDisposeScope();
            }

            /// <summary>Overwrites the parameters, in order, with the elements of a vector.</summary>
            public static void vector_to_parameters(Tensor vec, IEnumerable<Parameter> tensors)
            {
                using DisposeScope scope = NewDisposeScope();
                using IDisposable mode = no_grad();
                long start = 0;
                foreach (Parameter tensor in tensors)
                {
                    long count = tensor.NumberOfElements;
                    tensor.copy_(vec.narrow(0, start, count).view(tensor.shape));
                    start += count;
                }
            }
        }
    }
}
