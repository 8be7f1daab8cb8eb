using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Tests.Planning;

public sealed class SymmetryLockTests
{
    [Theory]
    [InlineData(new[] { 2, 2, 2, 2 }, 2)]
    [InlineData(new[] { 2, 2, 2, 2 }, 4)]
    [InlineData(new[] { 4, 4, 4 }, 2)] // the first two of four are always chosen together
    [InlineData(new[] { 4, 4, 4 }, 6)]
    public void FindLocked_NoCutInsideAGroup_IsLocked(int[] counts, int expertsPerToken) =>
        SymmetryLock.FindLocked(counts, expertsPerToken).ShouldBe(0);

    [Theory]
    [InlineData(new[] { 2, 2, 2, 2 }, 1)] // one slot: siblings are never chosen together
    [InlineData(new[] { 2, 2, 2, 2 }, 3)] // every second place cuts a pair
    [InlineData(new[] { 4, 1, 2, 1 }, 2)] // a single expert ahead shifts the cut
    [InlineData(new[] { 1, 1, 1 }, 2)]
    public void FindLocked_SomeCutInsideEveryGroup_IsFree(int[] counts, int expertsPerToken) =>
        SymmetryLock.FindLocked(counts, expertsPerToken).ShouldBeNull();

    [Fact]
    public void FindLocked_AgainstEveryOrderOfTheGroups_Agrees()
    {
        int[][] cases = [[2, 1, 3], [3, 3, 2], [2, 2, 4], [4, 3, 1], [1, 2, 2]];
        foreach (var counts in cases)
            for (var k = 1; k < counts.Sum(); k++)
                (SymmetryLock.FindLocked(counts, k) is not null).ShouldBe(HasLockedPair(counts, k), $"[{string.Join(", ", counts)}], K = {k}");
    }

    // Tries all orders of three groups and looks at which neighbours are ever chosen together and ever apart.
    private static bool HasLockedPair(int[] counts, int k)
    {
        int[][] orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        return Enumerable.Range(0, 3).Any(g => Enumerable.Range(1, counts[g] - 1).Any(member =>
        {
            var chosen = orders.Select(o => Math.Clamp(k - o.TakeWhile(x => x != g).Sum(x => counts[x]), 0, counts[g])).ToList();
            return chosen.Any(c => c > member) && !chosen.Contains(member);
        }));
    }
}
