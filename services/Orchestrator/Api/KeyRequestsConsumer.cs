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
        var caller = await keys.FindCallerAsync(context.Message.KeyDigest, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new KeyRole(caller is null ? null : EnumText.Of(caller.Role), caller?.Name)).ConfigureAwait(false);
    }
}

/// <inheritdoc cref="KeyRequestsConsumer"/>
internal sealed class KeyRequestsDefinition : ConsumerDefinition<KeyRequestsConsumer>
{
    public KeyRequestsDefinition() => EndpointName = EndpointNames.Orchestrator;
}
