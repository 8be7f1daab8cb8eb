namespace TorchSharp;

// Sets a mode of the thread and sets it back when disposed.
internal sealed class GradientMode : IDisposable
{
    private readonly bool _before = Native.et_grad_enabled();

    public GradientMode(bool enabled) => Native.et_set_grad_enabled(enabled);

    public void Dispose() => Native.et_set_grad_enabled(_before);
}

internal sealed unsafe class InferenceMode(bool enabled) : IDisposable
{
    private void* _guard = Native.et_inference_enter(enabled);

    public void Dispose()
    {
        if (_guard is null)
            return;
        Native.et_inference_leave(_guard);
        _guard = null;
    }
}

public static partial class torch
{
    /// <summary>Records no operations of this thread until disposed.</summary>
    public static IDisposable no_grad() => new GradientMode(false);

    /// <summary>Records operations of this thread, or not, until disposed.</summary>
    public static IDisposable enable_grad(bool enabled = true) => new GradientMode(enabled);

    /// <summary>Records operations of this thread, or not, until disposed.</summary>
    public static IDisposable set_grad_enabled(bool mode = true) => new GradientMode(mode);

    /// <summary>Whether operations of this thread are recorded.</summary>
    public static bool is_grad_enabled() => Native.et_grad_enabled();

    /// <summary>Like <see cref="no_grad"/>, and tensors made meanwhile can never take part in a recorded graph.</summary>
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    /// <summary>Whether this thread is in inference mode.</summary>
    public static bool is_inference_mode_enabled() => Native.et_inference_enabled();
}
