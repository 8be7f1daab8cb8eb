namespace TorchSharp;

public static partial class torch
{
    // Lifetime: a tensor owns one native handle, freed by Dispose, by its dispose scope, or at last by the finalizer.
    public unsafe partial class Tensor : IDisposable
    {
        private static long _totalCount;
        private static long _peakCount;

        private IntPtr _handle;

        internal Tensor(IntPtr handle, bool register = true)
        {
            _handle = handle;
            long count = Interlocked.Increment(ref _totalCount);
            if (count > _peakCount)
                _peakCount = count;
            if (register)
                DisposeScopeManager.ThreadSingleton.Register(this);
        }

        /// <summary>Takes over a handle that native code made.</summary>
        public static Tensor UnsafeCreateTensor(IntPtr handle) => new(handle);

        /// <summary>Frees the handle if nobody disposed the tensor.</summary>
        ~Tensor() => Dispose(false);

        /// <summary>Tensors that exist now, in all threads.</summary>
        public static long TotalCount => Interlocked.Read(ref _totalCount);

        /// <summary>The most tensors that existed at one time.</summary>
        public static long PeakCount => Interlocked.Read(ref _peakCount);

        /// <summary>The native tensor.</summary>
        /// <exception cref="InvalidOperationException">The tensor was disposed.</exception>
        public IntPtr Handle => _handle != IntPtr.Zero ? _handle : throw new InvalidOperationException("Tensor invalid -- empty handle.");

        /// <summary>Whether the tensor was disposed.</summary>
        public bool IsInvalid => _handle == IntPtr.Zero;

        /// <summary>A name for people; no operation uses it.</summary>
        public string? name { get; set; }

        internal DisposeScope? OwningDisposeScope { get; set; }

        // Where the owning scope keeps this tensor.
        internal int ScopeSlot { get; set; }

        /// <summary>Frees the native tensor; its memory goes when nothing else uses it.</summary>
        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        /// <inheritdoc cref="Dispose()"/>
        protected virtual void Dispose(bool disposing)
        {
            if (_handle == IntPtr.Zero)
                return;
            if (disposing)
                LeaveScope();
            Free();
        }

        /// <summary>Gives the tensor to the scope around its own; without one it is left to its holder.</summary>
        public Tensor MoveToOuterDisposeScope()
        {
            OwningDisposeScope?.MoveToOuter(this);
            return this;
        }

        /// <summary>Takes the tensor out of its scope: from now on its holder must dispose it.</summary>
        public Tensor DetachFromDisposeScope()
        {
            OwningDisposeScope?.Detach(this);
            return this;
        }

        /// <summary>Gives the tensor to the scope that owns the other tensor.</summary>
        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningDisposeScope);

        /// <summary>Gives the tensor to another scope; null leaves it to its holder.</summary>
        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (OwningDisposeScope is { } scope)
                scope.MoveToOther(other, this);
            else
                other?.Attach(this);
            return this;
        }

        /// <summary>Gives the native tensor away; the caller frees it and this tensor is empty.</summary>
        public IntPtr DecoupleFromNativeHandle()
        {
            IntPtr handle = Handle;
            LeaveScope();
            Interlocked.Decrement(ref _totalCount);
            _handle = IntPtr.Zero;
            GC.SuppressFinalize(this);
            return handle;
        }

        // For a tensor that stands for another one from now on: the other one becomes empty.
        private protected void TakeOver(Tensor other)
        {
            _handle = other.Handle;
            other._handle = IntPtr.Zero;
            Interlocked.Decrement(ref _totalCount);
            GC.SuppressFinalize(other);
            if (other.OwningDisposeScope is { } scope)
            {
                scope.Remove(other);
                scope.Add(this);
            }
        }

        // The scope is emptying its list and has dropped this tensor already.
        internal void DisposeInScope()
        {
            if (_handle == IntPtr.Zero)
                return;
            DisposeScopeManager.ThreadSingleton.StatisticsInstance.TensorStatistics.DisposedInScopeCount++;
            OwningDisposeScope = null;
            Free();
            GC.SuppressFinalize(this);
        }

        private void LeaveScope()
        {
            LifetimeStatistics statistics = DisposeScopeManager.ThreadSingleton.StatisticsInstance.TensorStatistics;
            if (OwningDisposeScope is { } scope)
            {
                statistics.DisposedInScopeCount++;
                scope.Remove(this);
            }
            else
            {
                statistics.DisposedOutsideScopeCount++;
            }
        }

        private void Free()
        {
            IntPtr handle = _handle;
            _handle = IntPtr.Zero;
            Interlocked.Decrement(ref _totalCount);
            Native.et_free(handle);
        }

        // Every operation ends in one of these. They keep the operands alive until native code is done with them,
        // which a handle alone would not.

        private Tensor Made(IntPtr result, Tensor? other = null, Tensor? another = null)
        {
            GC.KeepAlive(this);
            GC.KeepAlive(other);
            GC.KeepAlive(another);
            return Native.Wrap(result);
        }

        private Tensor Changed(int status, Tensor? other = null, Tensor? another = null)
        {
            GC.KeepAlive(other);
            GC.KeepAlive(another);
            Native.Check(status);
            GC.KeepAlive(this);
            return this;
        }

        internal static IntPtr Of(Tensor? tensor) => tensor?.Handle ?? IntPtr.Zero;
    }
}
