using Espalier.Artifacts;
using Espalier.Contracts;

namespace Espalier.Stages;

/// <summary>Where results depend on the machine: library, device, kernels, threads.</summary>
public interface INumericsClass
{
    /// <summary>The class of work on the CPU; asking may load the tensor library.</summary>
    string Value { get; }

    /// <summary>The class of work on a device.</summary>
    /// <exception cref="UserInputException">This process cannot use such a device.</exception>
    string ValueOn(string device) => Value;
}

/// <summary>What the worker must know of the library that stages compute with. Services that have none register none.</summary>
public interface IStageEngine
{
    /// <summary>Makes the choices that the library reads once, when it is loaded; at no cost, and any number of times, of which the first counts.</summary>
    /// <param name="threads">Threads that one operation uses; null for those that suit this machine.</param>
    void Prepare(int? threads = null);

    /// <summary>Gives memory that a finished step left unused back to the operating system.</summary>
    void ReleaseFreeMemory();

    /// <summary>Whether the exception says that a model or a tokenizer handed to the stage cannot be used.</summary>
    bool IsInputError(Exception error);

    /// <summary>What loaders that know only the published family of a model get wrong about it, in sentences; reads headers only.</summary>
    Task<IReadOnlyList<string>> NotesOnAsync(ArtifactStore store, ManifestRef model, CancellationToken cancellationToken);
}
