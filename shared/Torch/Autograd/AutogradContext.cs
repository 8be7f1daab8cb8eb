namespace TorchSharp;

public static partial class torch
{
    public static unsafe partial class autograd
    {
        /// <summary>What a function carries from its forward to its backward pass.</summary>
        public class AutogradContext : IDisposable
        {
            private readonly Dictionary<string, object> _data = [];

            internal AutogradContext()
            {
            }

            // The native context; it lives while a pass runs.
            internal void* Native { get; set; }

            /// <summary>Whether missing gradients of outputs come as zeros (the default) or as null.</summary>
            public bool MaterializeGrads { get; private set; } = true;

            /// <summary>Keeps inputs or outputs for the backward pass, safe against later changes in place.</summary>
            public void save_for_backward(List<Tensor> tensors) => Pass(tensors, &Save);

            /// <summary>The tensors that the forward pass saved.</summary>
            public List<Tensor> get_saved_variables()
            {
                TensorList list;
                TorchSharp.Native.Check(TorchSharp.Native.et_saved_tensors(Native, &list));
                return [.. TorchSharp.Native.Take(list).Select(tensor => tensor!)];
            }

            /// <summary>Keeps something that is not a tensor.</summary>
            public void save_data(string key, object value) => _data[key] = value;

            /// <summary>What <see cref="save_data"/> kept under this key.</summary>
            public object get_data(string key) => _data.GetValueOrDefault(key)!;

            /// <summary>Declares inputs that the forward pass changes in place.</summary>
            public void mark_dirty(List<Tensor> tensors) => Pass(tensors, &Dirty);

            /// <summary>Declares outputs that have no gradient.</summary>
            public void mark_non_differentiable(List<Tensor> tensors) => Pass(tensors, &Constant);

            /// <summary>Sets <see cref="MaterializeGrads"/>.</summary>
            public void set_materialize_grads(bool value)
            {
                MaterializeGrads = value;
                TorchSharp.Native.et_set_materialize_grads(Native, value);
            }

            /// <summary>Nothing to free: what is saved belongs to the recorded graph.</summary>
            public void Dispose()
            {
            }

            private void Pass(List<Tensor> tensors, delegate*<void*, IntPtr*, long, int> call)
            {
                fixed (IntPtr* pointer = TorchSharp.Native.Handles(tensors))
                {
                    int status = call(Native, pointer, tensors.Count);
                    GC.KeepAlive(tensors);
                    TorchSharp.Native.Check(status);
                }
            }

            private static int Save(void* context, IntPtr* list, long count) => TorchSharp.Native.et_save_for_backward(context, list, count);

            private static int Dirty(void* context, IntPtr* list, long count) => TorchSharp.Native.et_mark_dirty(context, list, count);

            private static int Constant(void* context, IntPtr* list, long count) => TorchSharp.Native.et_mark_non_differentiable(context, list, count);
        }
    }
}
