using Espalier.Contracts;
using Espalier.Messaging;
using MassTransit;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Asks the registry service, which keeps the names.</summary>
internal sealed class RegistryRequests(IBus bus) : IRegisteredModels
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(7);

    public async ValueTask<ModelFound> FindAsync(string reference, CancellationToken cancellationToken)
    {
        try
        {
            var client = bus.CreateRequestClient<FindModel>(EndpointNames.AddressOf(EndpointNames.Registry));
            var answer = await client.GetResponse<ModelFound>(new FindModel(reference), cancellationToken, RequestTimeout.After(s: 5))
                .WaitAsync(Limit, cancellationToken).ConfigureAwait(false);
            return answer.Message;
        }
        catch (Exception e) when (e is RequestException or MassTransitException or TimeoutException)
        {
            throw new UserInputException(
                $"The registry does not answer, so '{reference}' cannot be found. `espalier status` shows whether it runs; then submit again.", e);
        }
    }
}
