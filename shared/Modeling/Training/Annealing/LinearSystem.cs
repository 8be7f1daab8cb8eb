namespace Espalier.Modeling.Training.Annealing;

/// <summary>Small symmetric systems by elimination with pivoting.</summary>
internal static class LinearSystem
{
    /// <summary>Solves for the unknowns whose bits are set in <paramref name="free"/>, the others being 0; null when it has no one solution.</summary>
    public static double[]? Solve(double[,] matrix, double[] right, int free)
    {
        int[] chosen = [.. Enumerable.Range(0, right.Length).Where(i => (free >> i & 1) != 0)];
        var work = new double[chosen.Length, chosen.Length + 1];
        for (var i = 0; i < chosen.Length; i++)
        {
            for (var j = 0; j < chosen.Length; j++)
                work[i, j] = matrix[chosen[i], chosen[j]];
            work[i, chosen.Length] = right[chosen[i]];
        }
        if (!Eliminate(work))
            return null;
        var found = new double[right.Length];
        for (var i = 0; i < chosen.Length; i++)
            found[chosen[i]] = work[i, chosen.Length];
        return found;
    }

    /// <summary>The inverse; directions of which nothing is known get a very large variance.</summary>
    public static double[,] Invert(double[,] matrix)
    {
        var n = matrix.GetLength(0);
        var work = new double[n, 2 * n];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
                work[i, j] = matrix[i, j];
            work[i, i] += 1e-9;
            work[i, n + i] = 1;
        }
        Eliminate(work);
        var inverse = new double[n, n];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < n; j++)
                inverse[i, j] = work[i, n + j];
        return inverse;
    }

    // Gauss and Jordan: the left square becomes the identity.
    private static bool Eliminate(double[,] work)
    {
        var (rows, columns) = (work.GetLength(0), work.GetLength(1));
        for (var column = 0; column < rows; column++)
        {
            var pivot = Enumerable.Range(column, rows - column).MaxBy(row => Math.Abs(work[row, column]));
            if (Math.Abs(work[pivot, column]) < 1e-300)
                return false;
            for (var k = 0; k < columns; k++)
                (work[column, k], work[pivot, k]) = (work[pivot, k], work[column, k]);
            var by = work[column, column];
            for (var k = 0; k < columns; k++)
                work[column, k] /= by;
            for (var row = 0; row < rows; row++)
            {
                var factor = work[row, column];
                if (row == column || factor == 0)
                    continue;
                for (var k = 0; k < columns; k++)
                    work[row, k] -= factor * work[column, k];
            }
        }
        return true;
    }
}
