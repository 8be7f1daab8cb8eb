using Espalier.Contracts;

namespace Espalier.Orchestrator;

/// <summary>Looks up models and datasets by name; a host that has a registry registers one.</summary>
public interface IRegisteredModels
{
    /// <summary>What is behind <c>model:NAME@ALIAS</c> or <c>dataset:NAME@VERSION</c>.</summary>
    /// <exception cref="UserInputException">The registry does not answer.</exception>
    ValueTask<ModelFound> FindAsync(string reference, CancellationToken cancellationToken);
}
