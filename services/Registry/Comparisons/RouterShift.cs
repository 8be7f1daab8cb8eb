using Espalier.Artifacts.Checkpoints;
using Espalier.Registry.Lineages;

namespace Espalier.Registry.Comparisons;

/// <summary>How far the rows of a router turned, each against the row of the expert that it came from.</summary>
internal sealed record RouterShift(Norms Norms, RowCosines Cosines)
{
    /// <summary>Null when the rows cannot be compared.</summary>
    public static RouterShift? Find(CheckpointReader left, CheckpointReader right, WeightDifferences.Place place, ExpertOrigins origins)
    {
        if (right.Find(place.Name) is not { Shape: [var experts, var width] } b || !TensorNorms.IsFloat(b.DType))
            return null;
        var norms = new List<Norms>();
        var cosines = new List<double>();
        for (var expert = 0; expert < experts; expert++)
        {
            if (origins.Find(place.Layer, expert) is not { } from)
                continue;
            if (left.Find(place.NameFor(from.Layer, -1)) is not { Shape: [var rows, var columns] } a)
                continue;
            if (columns != width || from.Expert >= rows || !TensorNorms.IsFloat(a.DType))
                continue;
            var x = TensorNorms.Read(left, a.Name, a.DType, from.Expert * width, (int)width);
            var y = TensorNorms.Read(right, b.Name, b.DType, expert * width, (int)width);
            double dot = 0, xx = 0, yy = 0, difference = 0;
            for (var i = 0; i < width; i++)
            {
                dot += (double)x[i] * y[i];
                xx += (double)x[i] * x[i];
                yy += (double)y[i] * y[i];
                difference += ((double)y[i] - x[i]) * ((double)y[i] - x[i]);
            }
            norms.Add(new Norms(difference, xx));
            cosines.Add(xx > 0 && yy > 0 ? Math.Min(1, dot / Math.Sqrt(xx * yy)) : xx == yy ? 1 : 0);
        }
        return norms.Count == 0 ? null : new RouterShift(Norms.Sum(norms), new RowCosines(cosines.Average(), cosines.Min()));
    }
}
