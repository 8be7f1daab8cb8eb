namespace TorchSharp;

public static partial class torch
{
    // Gradients of one tensor.
    public unsafe partial class Tensor
    {
        /// <summary>Whether operations on the tensor are recorded.</summary>
        public bool requires_grad
        {
            get => Fact(Native.et_requires_grad(Handle));
            set => Changed(Native.et_set_requires_grad(Handle, value));
        }

        /// <summary>Sets <see cref="requires_grad"/>.</summary>
        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        /// <summary>Sets <see cref="requires_grad"/>.</summary>
        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        /// <summary>Whether no recorded operation made the tensor.</summary>
        public bool is_leaf => Fact(Native.et_is_leaf(Handle));

        /// <summary>The accumulated gradient, or null before the first one. A new handle of it each time.</summary>
        public Tensor? grad
        {
            get
            {
                IntPtr gradient;
                Changed(Native.et_grad(Handle, &gradient));
                return gradient == IntPtr.Zero ? null : new Tensor(gradient);
            }
            set => Changed(Native.et_set_grad(Handle, Of(value)), value);
        }

        /// <summary>Keeps the gradient of a tensor that is not a leaf.</summary>
        public void retain_grad() => Changed(Native.et_retain_grad(Handle));

        /// <summary>The same elements, outside the recorded graph.</summary>
        public Tensor detach() => Made(Native.et_detach(Handle));

        /// <summary>Takes the tensor out of the recorded graph.</summary>
        public Tensor detach_() => Changed(Native.et_detach_(Handle));

        /// <summary>Adds to the gradient of every leaf that this one number depends on.</summary>
        public void backward() => autograd.backward([this]);

        /// <inheritdoc cref="autograd.backward(IList{Tensor}, IList{Tensor}, bool?, bool, IList{Tensor})"/>
        public void backward(IList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false, IList<Tensor>? inputs = null) =>
            autograd.backward([this], grad_tensors, retain_graph, create_graph, inputs);
    }
}
