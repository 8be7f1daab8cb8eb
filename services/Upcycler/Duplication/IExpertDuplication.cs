using Espalier.Stages.Methods;
using Espalier.Upcycler.Planning;
using TorchSharp;

namespace Espalier.Upcycler.Duplication;

/// <summary>Makes the matrices of a new expert from those of its source, one matrix at a time.</summary>
public interface IExpertDuplication : IStageMethod
{
    /// <summary>How copies differ.</summary>
    CopyKind Copies { get; }

    /// <summary>Whether a new expert computes exactly what its source does.</summary>
    bool KeepsFunction { get; }

    /// <summary>Whether a second expert takes part, which a layer with one expert does not have.</summary>
    bool NeedsPeer { get; }

    /// <summary>Options that the method reads, as they are written.</summary>
    IReadOnlyList<string> Settings { get; }

    /// <summary>The new matrix, float32, in the shape of the source's.</summary>
    /// <param name="matrix">The source's, with what goes with it.</param>
    /// <param name="options">Settings.</param>
    torch.Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options);
}
