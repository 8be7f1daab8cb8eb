using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>The optimizer that the options name, and the memory that it takes.</summary>
internal static class OptimizerChoice
{
    /// <summary>Creates it, with zero moments.</summary>
    public static IOptimizer Create(MoeDecoder decoder, TrainOptions options)
    {
        var settings = new AdamWSettings(options.Beta1, options.Beta2, WeightDecay: options.WeightDecay);
        var rounding = new StochasticRounding(options.Seed);
        return options.Optimizer switch
        {
            OptimizerNames.AdamW8Bit => new AdamW8Bit(decoder.Buffer, settings, rounding),
            OptimizerNames.Muon => new Muon(decoder.Buffer, settings, rounding),
            _ => CreateAdamW(decoder, options, [new BufferRange(0, decoder.Buffer.Values.numel())]),
        };
    }

    /// <summary>AdamW with moments of some parts of the buffer only.</summary>
    public static AdamW CreateAdamW(MoeDecoder decoder, TrainOptions options, IReadOnlyList<BufferRange> covered) => new(decoder.Buffer, covered)
    {
        Beta1 = options.Beta1, Beta2 = options.Beta2, WeightDecay = options.WeightDecay, Rounding = new StochasticRounding(options.Seed),
    };

    /// <summary>Bytes of weights, gradients, moments, the average and the stable copy, and of what a step of the optimizer needs beside them.</summary>
    public static long MemoryBytes(TrainOptions options, ModelConfig config, bool routerBias)
    {
        var weights = config.TotalParameters;
        var master = options.Master == Precision.Bf16 ? 2 : 4;
        // Casts to another type live from the forward pass of a layer to its backward pass.
        var cast = options.Precision == options.Master ? 0 : options.Precision == Precision.Bf16 ? 2 : 4;
        var moments = options.Optimizer switch
        {
            OptimizerNames.AdamW8Bit => AdamW8Bit.StateBytes(config, routerBias),
            OptimizerNames.Muon when Muon.Bytes(config, routerBias) is var muon => muon.State + muon.Scratch,
            _ => 8 * (weights - OthersExperts(options, config)),
        };
        return (2 * master + cast + (options.Ema is null ? 0 : 4) + (options.Stable == true ? master : 0)) * weights + moments;
    }

    // Weights of which a member of a team has no moments.
    private static long OthersExperts(TrainOptions options, ModelConfig config)
    {
        var workers = options.Workers ?? 1;
        return config.SparseLayers.Count * (config.Experts - (config.Experts + workers - 1) / workers) * config.ExpertParameters;
    }

    /// <summary>Bytes of the trainer-state that a run leaves.</summary>
    public static long StateBytes(TrainOptions options, ModelConfig config, bool routerBias) =>
        options.Optimizer == OptimizerNames.Muon ? Muon.Bytes(config, routerBias).State : 8 * config.TotalParameters;
}
