using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace TorchSharp;

// One call of a function written in C#. Native code holds it, by a GC handle, until the graph that it belongs to is
// gone, and calls back for the forward and the backward pass.
internal sealed unsafe class FunctionCall
{
    private readonly string _name;
    private readonly object[] _arguments;
    private readonly bool[] _isTensor;
    private readonly Func<torch.autograd.AutogradContext, List<torch.Tensor>, List<torch.Tensor>> _backward;
    private readonly torch.autograd.AutogradContext _context = new();
    private Func<torch.autograd.AutogradContext, object[], List<torch.Tensor>>? _forward;
    private Exception? _forwardError;

    private FunctionCall(
        string name,
        object[] arguments,
        Func<torch.autograd.AutogradContext, object[], List<torch.Tensor>> forward,
        Func<torch.autograd.AutogradContext, List<torch.Tensor>, List<torch.Tensor>> backward)
    {
        _name = name;
        _arguments = arguments;
        _isTensor = Array.ConvertAll(arguments, argument => argument is torch.Tensor { IsInvalid: false });
        _forward = forward;
        _backward = backward;
    }

    public static List<torch.Tensor> Run(
        string name,
        object[] arguments,
        Func<torch.autograd.AutogradContext, object[], List<torch.Tensor>> forward,
        Func<torch.autograd.AutogradContext, List<torch.Tensor>, List<torch.Tensor>> backward)
    {
        var call = new FunctionCall(name, [.. arguments], forward, backward);
        void* self = (void*)GCHandle.ToIntPtr(GCHandle.Alloc(call));
        IntPtr[] inputs = Native.Handles(arguments.OfType<torch.Tensor>().Where(tensor => !tensor.IsInvalid));
        TensorList outputs;
        int status;
        fixed (IntPtr* pointer = inputs)
            status = Native.et_apply_function(self, pointer, inputs.Length, &Forward, &Backward, &Release, &outputs);
        GC.KeepAlive(arguments);

        call.ForgetForward();
        if (call._forwardError is { } error)
            ExceptionDispatchInfo.Throw(error);
        Native.Check(status);
        return [.. Native.Take(outputs).Select(output => output!)];
    }

    // The graph may live long; the arguments need not.
    private void ForgetForward()
    {
        _forward = null;
        Array.Clear(_arguments);
    }

    [UnmanagedCallersOnly]
    private static int Forward(void* self, void* context, TensorList* outputs)
    {
        FunctionCall call = At(self);
        try
        {
            using DisposeScope scope = torch.NewDisposeScope();
            call._context.Native = context;
            List<torch.Tensor> results = call._forward!(call._context, call._arguments);
            outputs->Items = Native.et_new_list(results.Count);
            for (outputs->Count = 0; outputs->Count < results.Count; outputs->Count++)
                outputs->Items[outputs->Count] = Native.et_handle_of_same(results[(int)outputs->Count].Handle);
            return 0;
        }
        catch (Exception error)
        {
            call._forwardError = error;
            return Failed(error);
        }
    }

    [UnmanagedCallersOnly]
    private static int Backward(void* self, void* context, IntPtr* gradients, long count, IntPtr* results)
    {
        FunctionCall call = At(self);
        try
        {
            using DisposeScope scope = torch.NewDisposeScope();
            call._context.Native = context;
            var given = new List<torch.Tensor>((int)count);
            for (long i = 0; i < count; i++)
                given.Add(gradients[i] == IntPtr.Zero ? null! : new torch.Tensor(gradients[i]));
            call.Return(call._backward(call._context, given), results);
            return 0;
        }
        catch (Exception error)
        {
            return Failed(error);
        }
    }

    [UnmanagedCallersOnly]
    private static void Release(void* self) => GCHandle.FromIntPtr((IntPtr)self).Free();

    // Native code wants gradients of the tensors only.
    private void Return(List<torch.Tensor> gradients, IntPtr* results)
    {
        if (gradients.Count < _isTensor.Length || gradients.Skip(_isTensor.Length).Any(gradient => gradient is not null))
            throw new InvalidOperationException($"Function {_name} returned {gradients.Count} gradients for {_isTensor.Length} arguments");
        for (int i = 0; i < _isTensor.Length; i++)
        {
            torch.Tensor? gradient = gradients[i];
            if (_isTensor[i])
                *results++ = gradient is null ? IntPtr.Zero : Native.et_handle_of_same(gradient.Handle);
            else if (gradient is not null)
                throw new InvalidOperationException($"Function {_name} returned a gradient for argument {i}, which is not a tensor");
        }
    }

    private static FunctionCall At(void* self) => (FunctionCall)GCHandle.FromIntPtr((IntPtr)self).Target!;

    private static int Failed(Exception error)
    {
        fixed (byte* message = Native.Utf8(error.Message))
            Native.et_set_error(message);
        return 1;
    }
}
