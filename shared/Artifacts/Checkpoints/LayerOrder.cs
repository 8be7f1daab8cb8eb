namespace Espalier.Artifacts.Checkpoints;

/// <summary>Orders tensor names with numbers by value, so that layer 2 comes before layer 10 and a shard holds neighbouring layers.</summary>
internal static class LayerOrder
{
    public static IComparer<string> Comparer { get; } = Comparer<string>.Create(Compare);

    private static int Compare(string a, string b)
    {
        var left = a.Split('.');
        var right = b.Split('.');
        for (var i = 0; i < Math.Min(left.Length, right.Length); i++)
        {
            var order = int.TryParse(left[i], out var x) && int.TryParse(right[i], out var y) && x != y
                ? x.CompareTo(y)
                : string.CompareOrdinal(left[i], right[i]);
            if (order != 0)
                return order;
        }
        return left.Length.CompareTo(right.Length);
    }
}
