using System.Buffers.Binary;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// How many optimizer steps the moments of each expert have seen, where growth gave some a start of their own: the age of
/// its matrices, its router row and its router bias.
/// </summary>
internal static class ExpertAges
{
    /// <summary>The parts of the optimizer's buffer that are younger than the rest.</summary>
    /// <exception cref="UserInputException">The counts do not fit the model.</exception>
    public static IReadOnlyList<LateStart> Load(CheckpointReader reader, MoeDecoder decoder, long steps)
    {
        var late = new List<LateStart>();
        foreach (var layer in decoder.Config.SparseLayers)
        {
            var name = TrainerStateNames.ExpertSteps(layer);
            if (!reader.Names.Contains(name))
                continue;
            var ages = reader.ReadAll(name).Chunk(sizeof(long)).Select(bytes => BinaryPrimitives.ReadInt64LittleEndian(bytes)).ToArray();
            if (ages.Length != decoder.Config.Experts || ages.Any(age => age < 0 || age > steps))
                throw new UserInputException(
                    $"The trainer-state's '{name}' must hold {decoder.Config.Experts} counts from 0 to {steps}: it belongs to another model. "
                    + "Use optimizer-state: reset.");
            foreach (var parameter in PartsByExpert(decoder, layer))
                late.AddRange(Runs(parameter, ages, steps));
        }
        return [.. late.OrderBy(part => part.First)];
    }

    /// <summary>Writes the counts of every layer that has younger experts.</summary>
    public static async Task SaveAsync(CheckpointWriter writer, MoeDecoder decoder, IOptimizer optimizer, CancellationToken cancellationToken)
    {
        foreach (var layer in optimizer.Late.Count > 0 ? decoder.Config.SparseLayers : [])
        {
            var router = PartsByExpert(decoder, layer).First();
            var (first, width) = (router.storage_offset(), router.numel() / decoder.Config.Experts);
            var bytes = new byte[decoder.Config.Experts * sizeof(long)];
            for (var expert = 0; expert < decoder.Config.Experts; expert++)
            {
                var at = first + expert * width;
                var behind = optimizer.Late.FirstOrDefault(part => part.First <= at && at < part.First + part.Length).StepsBehind;
                BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(expert * sizeof(long)), optimizer.Steps - behind);
            }
            await writer.AddTensorAsync(TrainerStateNames.ExpertSteps(layer), "I64", [decoder.Config.Experts], bytes, cancellationToken).ConfigureAwait(false);
        }
    }

    // Parameters whose first dimension counts experts, the router first.
    private static IEnumerable<Tensor> PartsByExpert(MoeDecoder decoder, int layer)
    {
        string[] names = [TensorNames.Router(layer), TensorNames.RouterBias(layer), TensorNames.ExpertsGateUp(layer), TensorNames.ExpertsDown(layer)];
        return names.Select(name => decoder.Parameters.FirstOrDefault(p => p.Name == name)?.Value).OfType<Tensor>();
    }

    // Neighbouring experts of one age are one part.
    private static IEnumerable<LateStart> Runs(Tensor parameter, long[] ages, long steps)
    {
        var (offset, width) = (parameter.storage_offset(), parameter.numel() / ages.Length);
        for (var expert = 0; expert < ages.Length;)
        {
            var end = expert + 1;
            while (end < ages.Length && ages[end] == ages[expert])
                end++;
            if (ages[expert] < steps)
                yield return new LateStart(offset + expert * width, (end - expert) * width, steps - ages[expert]);
            expert = end;
        }
    }
}
