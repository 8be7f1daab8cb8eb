namespace Espalier.Bench;

/// <summary>What a measured process repeats.</summary>
internal interface IMeasuredWork : IDisposable
{
    /// <summary>Bytes kept for activations and scratch, 0 when that is not known.</summary>
    long ActivationBytes { get; }

    /// <summary>Runs one step and returns how long it took and the loss.</summary>
    (double Seconds, double Loss) Step();
}
