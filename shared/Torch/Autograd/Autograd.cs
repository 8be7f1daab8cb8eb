namespace TorchSharp;

public static partial class torch
{
    /// <summary>Derivatives of recorded operations.</summary>
    public static unsafe partial class autograd
    {
        /// <summary>Adds to the gradient of every leaf, or of the given inputs, that the tensors depend on.</summary>
        /// <param name="tensors">Where to start.</param>
        /// <param name="grad_tensors">Gradients of the tensors; may be left out for single numbers.</param>
        /// <param name="retain_graph">Keep the recorded graph for another call; the same as <paramref name="create_graph"/> if null.</param>
        /// <param name="create_graph">Record the computation of the gradients too.</param>
        /// <param name="inputs">The only tensors whose gradients to compute; all leaves if null.</param>
        public static void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
        {
            IntPtr[] roots = Native.Handles(tensors), gradients = Native.Handles(grad_tensors), leaves = Native.Handles(inputs);
            fixed (IntPtr* r = roots, g = gradients, l = leaves)
            {
                int status = Native.et_backward(r, roots.Length, g, gradients.Length, retain_graph ?? create_graph, create_graph, l, leaves.Length);
                GC.KeepAlive(tensors);
                GC.KeepAlive(grad_tensors);
                GC.KeepAlive(inputs);
                Native.Check(status);
            }
        }

        /// <inheritdoc cref="backward(IList{Tensor}, IList{Tensor}, bool?, bool, IList{Tensor})"/>
        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        /// <inheritdoc cref="backward(IList{Tensor}, IList{Tensor}, bool?, bool, IList{Tensor})"/>
        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        /// <summary>The gradients of the outputs with respect to the inputs; accumulates nothing.</summary>
        /// <param name="outputs">What to differentiate.</param>
        /// <param name="inputs">With respect to what.</param>
        /// <param name="grad_outputs">Gradients of the outputs; may be left out for single numbers.</param>
        /// <param name="retain_graph">Keep the recorded graph for another call.</param>
        /// <param name="create_graph">Record the computation of the gradients too.</param>
        /// <param name="allow_unused">Inputs that the outputs do not depend on give null instead of an error.</param>
        public static IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            IntPtr[] roots = Native.Handles(outputs), leaves = Native.Handles(inputs), gradients = Native.Handles(grad_outputs);
            TensorList list;
            fixed (IntPtr* r = roots, l = leaves, g = gradients)
            {
                // A graph whose derivative is wanted must outlive this call.
                int status = Native.et_gradients(r, roots.Length, l, leaves.Length, g, gradients.Length, retain_graph || create_graph, create_graph, allow_unused, &list);
                GC.KeepAlive(outputs);
                GC.KeepAlive(inputs);
                GC.KeepAlive(grad_outputs);
                Native.Check(status);
            }
            return [.. Native.Take(list).Select(gradient => gradient!)];
        }
    }
}
