namespace TorchSharp;

public static partial class torch
{
    // Random elements.
    public unsafe partial class Tensor
    {
        /// <summary>1 with the probability that the element is, else 0.</summary>
        public Tensor bernoulli(Generator? generator = null) => Made(Native.et_bernoulli(Handle, Of(generator)));

        /// <summary>Sets every element to 1 with probability p, else 0.</summary>
        public Tensor bernoulli_(double p = 0.5, Generator? generator = null) =>
            Changed(Native.et_bernoulli_(Handle, p, Of(generator)));

        /// <summary>Sets every element to 1 with its own probability, else 0.</summary>
        public Tensor bernoulli_(Tensor p, Generator? generator = null) =>
            Changed(Native.et_bernoulli_by_(Handle, p.Handle, Of(generator)), p);

        /// <summary>Positions drawn with the elements as weights, for each row.</summary>
        public Tensor multinomial(long num_samples, bool replacement = false, Generator? generator = null) =>
            Made(Native.et_multinomial(Handle, num_samples, replacement, Of(generator)));

        /// <summary>Draws from the Poisson distributions with these means.</summary>
        public Tensor poisson(Generator? generator = null) => Made(Native.et_poisson(Handle, Of(generator)));

        /// <summary>Fills with draws from a normal distribution.</summary>
        public Tensor normal_(double mean = 0.0, double std = 1.0, Generator? generator = null) =>
            Changed(Native.et_normal_(Handle, mean, std, Of(generator)));

        /// <summary>Fills with draws from [from, to).</summary>
        public Tensor uniform_(double from, double to, Generator? generator = null) =>
            Changed(Native.et_uniform_(Handle, from, to, Of(generator)));

        /// <summary>Fills with draws from an exponential distribution.</summary>
        public Tensor exponential_(double lambda = 1.0, Generator? generator = null) =>
            Changed(Native.et_exponential_(Handle, lambda, Of(generator)));

        /// <summary>Fills with integers from [from, to).</summary>
        public Tensor random_(double from, double to, Generator? generator = null) =>
            Changed(Native.et_random_(Handle, from, to, Of(generator)));

        /// <summary>A tensor of the same shape with uniform numbers from [0, 1).</summary>
        public Tensor rand_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        {
            (int type, int index) = Native.Place(device);
            return Made(Native.et_rand_like(Handle, TypeOrNone(dtype), type, index, requires_grad));
        }

        /// <summary>A tensor of the same shape with numbers from the standard normal distribution.</summary>
        public Tensor randn_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        {
            (int type, int index) = Native.Place(device);
            return Made(Native.et_randn_like(Handle, TypeOrNone(dtype), type, index, requires_grad));
        }

        /// <summary>A tensor of the same shape with integers from [low, high).</summary>
        public Tensor randint_like(long low, long high, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        {
            (int type, int index) = Native.Place(device);
            return Made(Native.et_randint_like(Handle, low, high, TypeOrNone(dtype), type, index, requires_grad));
        }

        private static IntPtr Of(Generator? generator) => generator?.Handle ?? IntPtr.Zero;
    }
}
