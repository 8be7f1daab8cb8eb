using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Orchestrator.Ledger;
using MassTransit;

namespace Espalier.Orchestrator.Api;

/// <summary>Tells other services what a key may do, so that keys are kept in one place.</summary>
internal sealed class KeyRequestsConsumer(ApiKeys keys) : IConsumer<FindKeyRole>
{
    public async Task Consume(ConsumeContext<FindKeyRole> context)
    {
        var role = await keys.FindRoleAsync(context.Message.KeyDigest, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new KeyRole(role is { } known ? Words.Of(known) : null)).ConfigureAwait(false);
    }
}

/// <inheritdoc cref="KeyRequestsConsumer"/>
internal sealed class KeyRequestsDefinition : ConsumerDefinition<KeyRequestsConsumer>
{
    public KeyRequestsDefinition() => EndpointName = EndpointNames.Orchestrator;
}
