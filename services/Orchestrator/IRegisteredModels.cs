using Espalier.Contracts;

namespace Espalier.Orchestrator;

/// <summary>Looks up models by name; a host that has a registry registers one.</summary>
public interface IRegisteredModels
{
    /// <summary>The checkpoint behind <c>model:NAME@ALIAS</c>, or null when there is none.</summary>
    /// <exception cref="UserInputException">The registry does not answer.</exception>
    ValueTask<ManifestRef?> FindAsync(string reference, CancellationToken cancellationToken);
}
