namespace Espalier.Modeling.Training;

/// <summary>A part of the buffer.</summary>
/// <param name="First">First element.</param>
/// <param name="Length">Elements.</param>
public readonly record struct BufferRange(long First, long Length) : IBufferRange
{
    /// <summary>Whether another lies in it as a whole.</summary>
    public bool Holds(BufferRange other) => First <= other.First && other.First + other.Length <= First + Length;
}

/// <summary>A part of the buffer that joined training later: its bias corrections use its own step count.</summary>
/// <param name="First">First element.</param>
/// <param name="Length">Elements.</param>
/// <param name="StepsBehind">Optimizer steps that it has not taken.</param>
public readonly record struct LateStart(long First, long Length, long StepsBehind) : IBufferRange;

/// <summary>A part of the buffer with a learning rate of its own.</summary>
/// <param name="First">First element.</param>
/// <param name="Length">Elements.</param>
/// <param name="Factor">What the learning rate is multiplied by.</param>
public readonly record struct RatedRange(long First, long Length, double Factor) : IBufferRange;

/// <summary>Elements one after the other.</summary>
internal interface IBufferRange
{
    long First { get; }

    long Length { get; }
}

/// <summary>A trained part of the buffer that one step treats alike.</summary>
/// <param name="First">First element.</param>
/// <param name="Length">Elements.</param>
/// <param name="State">Where its state begins, when that of the covered parts lies one after the other.</param>
/// <param name="StepsBehind">Optimizer steps that it has not taken.</param>
/// <param name="Factor">What the learning rate is multiplied by.</param>
internal readonly record struct BufferPart(long First, long Length, long State, long StepsBehind, double Factor);

/// <summary>Cuts what an optimizer covers into parts that are treated alike, without what is frozen.</summary>
/// <param name="covered">Parts of the buffer, ascending, apart from each other.</param>
internal sealed class BufferParts(IReadOnlyList<BufferRange> covered)
{
    private IReadOnlyList<LateStart> _late = [];
    private IReadOnlyList<BufferRange> _frozen = [];
    private IReadOnlyList<RatedRange> _rates = [];
    private List<BufferPart>? _parts;

    public IReadOnlyList<LateStart> Late
    {
        get => _late;
        set => (_late, _parts) = (value, null);
    }

    public IReadOnlyList<BufferRange> Frozen
    {
        get => _frozen;
        set => (_frozen, _parts) = (value, null);
    }

    public IReadOnlyList<RatedRange> Rates
    {
        get => _rates;
        set => (_rates, _parts) = (value, null);
    }

    /// <summary>Elements that are covered.</summary>
    public long Length { get; } = covered.Sum(range => range.Length);

    /// <summary>All parts, ascending.</summary>
    public IReadOnlyList<BufferPart> All => _parts ??= [.. Cut()];

    /// <summary>The parts of a piece of the buffer, cut where it ends.</summary>
    public IEnumerable<BufferPart> Within(long first, long length)
    {
        var parts = All;
        var (low, high) = (0, parts.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (parts[middle].First + parts[middle].Length <= first)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < parts.Count && parts[low].First < first + length; low++)
        {
            var from = Math.Max(first, parts[low].First);
            var end = Math.Min(first + length, parts[low].First + parts[low].Length);
            yield return parts[low] with { First = from, Length = end - from, State = parts[low].State + from - parts[low].First };
        }
    }

    /// <summary>Where the state of a covered piece of the buffer begins; null where it is not covered.</summary>
    public long? StateOf(long first)
    {
        var state = 0L;
        foreach (var range in covered)
        {
            if (first >= range.First && first < range.First + range.Length)
                return state + first - range.First;
            state += range.Length;
        }
        return null;
    }

    private IEnumerable<BufferPart> Cut()
    {
        var (late, frozen, rated, state) = (0, 0, 0, 0L);
        foreach (var range in covered)
        {
            var end = range.First + range.Length;
            for (long first = range.First, next; first < end; first = next)
            {
                next = end;
                var isFrozen = At(Frozen, ref frozen, first, ref next) is not null;
                var behind = At(Late, ref late, first, ref next)?.StepsBehind ?? 0;
                var factor = At(Rates, ref rated, first, ref next)?.Factor ?? 1;
                if (!isFrozen)
                    yield return new BufferPart(first, next - first, state + first - range.First, behind, factor);
            }
            state += range.Length;
        }
    }

    // The range that an element lies in, or null; and where that ends at the latest.
    private static T? At<T>(IReadOnlyList<T> ranges, ref int index, long element, ref long end) where T : struct, IBufferRange
    {
        while (index < ranges.Count && ranges[index].First + ranges[index].Length <= element)
            index++;
        if (index == ranges.Count)
            return null;
        var range = ranges[index];
        var isInside = range.First <= element;
        end = Math.Min(end, isInside ? range.First + range.Length : range.First);
        return isInside ? range : null;
    }
}
