namespace TorchSharp;

public static partial class torch
{
    /// <summary>A source of random numbers with a state of its own.</summary>
    public class Generator : IDisposable
    {
        /// <summary>The native generator.</summary>
        public IntPtr Handle { get; private set; }

        /// <summary>The device whose tensors it can fill.</summary>
        public Device device { get; private set; }

        internal Generator(IntPtr handle)
        {
            Handle = handle != IntPtr.Zero ? handle : throw Native.LastError();
            device = CPU;
        }

        /// <summary>A new generator: the same seed gives the same numbers.</summary>
        public Generator(ulong seed = 0, Device? device = null)
            : this(Native.et_generator_new(seed, (int)(device?.type ?? DeviceType.CPU), device?.index ?? -1)) =>
            this.device = device ?? CPU;

        /// <summary>Frees the native generator if nobody disposed it.</summary>
        ~Generator() => Dispose(false);

        /// <summary>The generator used where none is given.</summary>
        public static Generator Default => new(Native.et_generator_default());

        /// <summary>The state as bytes, to go on from exactly here later.</summary>
        public Tensor get_state() => Native.Wrap(Native.et_generator_get_state(Handle));

        /// <summary>Goes on from a state that <see cref="get_state"/> gave.</summary>
        public void set_state(Tensor value)
        {
            Native.Check(Native.et_generator_set_state(Handle, value.Handle));
            GC.KeepAlive(value);
        }

        /// <summary>Starts over with this seed.</summary>
        public Generator manual_seed(long seed)
        {
            Native.Check(Native.et_generator_seed(Handle, (ulong)seed));
            return this;
        }

        /// <summary>Starts over with a seed that differs each time.</summary>
        /// <returns>The seed.</returns>
        public long seed()
        {
            long seed = System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue);
            manual_seed(seed);
            return seed;
        }

        /// <summary>The seed that it was started with.</summary>
        public long initial_seed() => Native.et_generator_initial_seed(Handle);

        /// <summary>Frees the native generator.</summary>
        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        /// <inheritdoc cref="Dispose()"/>
        protected virtual void Dispose(bool disposing)
        {
            if (Handle == IntPtr.Zero)
                return;
            Native.et_generator_free(Handle);
            Handle = IntPtr.Zero;
        }
    }

    /// <summary>The default generator of main memory, and those of all devices, started over with this seed.</summary>
    public static Generator manual_seed(long seed) => random.manual_seed(seed);

    /// <summary>Starts the default generator over with a seed that differs each time.</summary>
    public static long seed() => random.seed();

    /// <summary>The seed that the default generator was started with.</summary>
    public static long initial_seed() => random.initial_seed();

    /// <summary>The state of the default generator.</summary>
    public static Tensor get_rng_state() => random.get_rng_state();

    /// <summary>Sets the state of the default generator.</summary>
    public static void set_rng_state(Tensor new_state) => random.set_rng_state(new_state);

    /// <summary>The default generator.</summary>
    public static partial class random
    {
        /// <inheritdoc cref="torch.manual_seed"/>
        public static Generator manual_seed(long seed)
        {
            Native.Check(Native.et_manual_seed((ulong)seed));
            return Generator.Default;
        }

        /// <inheritdoc cref="torch.seed"/>
        public static long seed()
        {
            using Generator generator = Generator.Default;
            return generator.seed();
        }

        /// <inheritdoc cref="torch.initial_seed"/>
        public static long initial_seed()
        {
            using Generator generator = Generator.Default;
            return generator.initial_seed();
        }

        /// <inheritdoc cref="torch.get_rng_state"/>
        public static Tensor get_rng_state()
        {
            using Generator generator = Generator.Default;
            return generator.get_state();
        }

        /// <inheritdoc cref="torch.set_rng_state"/>
        public static void set_rng_state(Tensor new_state)
        {
            using Generator generator = Generator.Default;
            generator.set_state(new_state);
        }
    }
}
