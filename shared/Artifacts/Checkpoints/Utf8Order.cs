using System.Text;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>Orders texts by their UTF-8 bytes, as the safetensors format does; ordinal order differs beyond the basic plane.</summary>
internal static class Utf8Order
{
    public static IComparer<string> Comparer { get; } = Comparer<string>.Create(
        (a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)));
}
