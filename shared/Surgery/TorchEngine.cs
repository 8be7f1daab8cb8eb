using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Tokenizers;
using Espalier.Modeling.Runtime;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.Surgery;

/// <summary>TorchSharp as the worker sees it; the first question loads the library.</summary>
public sealed class TorchEngine : INumericsClass, IStageEngine
{
    /// <inheritdoc/>
    public string Value => TorchRuntime.NumericsClass;

    /// <inheritdoc/>
    public string ValueOn(string device)
    {
        if (device == DeviceNames.Cuda && !TorchRuntime.HasCuda)
        {
            throw new UserInputException(
                "This worker is set to offer 'cuda', and its tensor library finds no GPU: check that the image is one with CUDA, that the container "
                    + "was given a GPU, and CUDA_VISIBLE_DEVICES.");
        }
        return TorchRuntime.NumericsClassOn(device);
    }

    /// <inheritdoc/>
    public void Prepare(int? threads = null) => TorchRuntime.Prepare(threads);

    /// <inheritdoc/>
    public void ReleaseFreeMemory() => TorchRuntime.ReleaseFreeMemory();

    /// <inheritdoc/>
    public bool IsInputError(Exception error) => error is InvalidModelException or InvalidTokenizerException;

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> NotesOnAsync(ArtifactStore store, ManifestRef model, CancellationToken cancellationToken) =>
        ModelNotes.OfAsync(store, model.Root, cancellationToken);
}

/// <summary>Registers the engine of the tensor stages.</summary>
public static class TorchEngineServiceCollectionExtensions
{
    /// <summary>Adds the engine unless the host has one.</summary>
    public static IServiceCollection AddTorchEngine(this IServiceCollection services)
    {
        services.TryAddSingleton<INumericsClass, TorchEngine>();
        services.TryAddSingleton<IStageEngine, TorchEngine>();
        return services;
    }
}
