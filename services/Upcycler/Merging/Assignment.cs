namespace Espalier.Upcycler.Merging;

/// <summary>The assignment problem: pairs rows with columns so that the sum of what pairs gain is largest (Kuhn 1955, by shortest paths; n^3).</summary>
public static class Assignment
{
    /// <summary>The column of each row.</summary>
    /// <param name="gains">Square.</param>
    public static int[] Solve(double[,] gains)
    {
        var n = gains.GetLength(0);
        // Potentials of rows and columns, and the row of each column; column 0 is where a row waits that has none yet.
        var (rows, columns) = (new double[n + 1], new double[n + 1]);
        var (rowOf, before) = (new int[n + 1], new int[n + 1]);
        for (var row = 1; row <= n; row++)
        {
            rowOf[0] = row;
            var column = 0;
            var (least, seen) = (Enumerable.Repeat(double.PositiveInfinity, n + 1).ToArray(), new bool[n + 1]);
            do
            {
                seen[column] = true;
                var (current, step, next) = (rowOf[column], double.PositiveInfinity, 0);
                for (var other = 1; other <= n; other++)
                {
                    if (seen[other])
                        continue;
                    var cost = -gains[current - 1, other - 1] - rows[current] - columns[other];
                    if (cost < least[other])
                        (least[other], before[other]) = (cost, column);
                    if (least[other] < step)
                        (step, next) = (least[other], other);
                }
                for (var other = 0; other <= n; other++)
                {
                    if (seen[other])
                        (rows[rowOf[other]], columns[other]) = (rows[rowOf[other]] + step, columns[other] - step);
                    else
                        least[other] -= step;
                }
                column = next;
            }
            while (rowOf[column] != 0);
            while (column != 0)
            {
                rowOf[column] = rowOf[before[column]];
                column = before[column];
            }
        }
        var chosen = new int[n];
        for (var column = 1; column <= n; column++)
            chosen[rowOf[column] - 1] = column - 1;
        return chosen;
    }
}
