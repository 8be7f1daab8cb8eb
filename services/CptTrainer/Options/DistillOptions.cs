using Espalier.Modeling.Training;
using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.CptTrainer.Options;

/// <summary>How a model learns from its teacher, see <see cref="Distillation"/>.</summary>
public sealed record DistillOptions
{
    /// <summary>Share of the divergence from the teacher in the loss.</summary>
    /// <value>0.5</value>
    [Option("Share w of the divergence from the teacher in the loss: (1 - w) cross-entropy + w T^2 KL(teacher || model).", Min = 0, Max = 1)]
    public double Weight { get; init; } = 0.5;

    /// <summary>Temperature of both distributions.</summary>
    /// <value>1</value>
    [Option("Temperature T of both distributions.", Min = 0.05, Max = 100)]
    public double Temperature { get; init; } = 1;

    /// <summary>Weight of the distance between hidden states.</summary>
    /// <value>0</value>
    [Option("Weight of the squared distance of the hidden states behind each layer from the teacher's, as a share of theirs; needs a teacher of as many "
        + "layers and the same width.", Min = 0, Max = 1e3)]
    public double Features { get; init; }
}

/// <summary>A way to learn from a teacher needs a teacher.</summary>
internal sealed class DistillRules : AbstractValidator<TrainOptions>
{
    public DistillRules() => RuleFor(options => options.Distill)
        .Null().When(options => options.Teacher is null)
        .WithMessage("'distill' says how to learn from a teacher, and there is none: name one in 'teacher', or leave 'distill' out");
}
