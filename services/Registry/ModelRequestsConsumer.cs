using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Pipelines.Options;
using Espalier.Registry.Datasets;
using MassTransit;

namespace Espalier.Registry;

/// <summary>Tells other services which checkpoint a model's name means, and which artifact that of a dataset.</summary>
internal sealed class ModelRequestsConsumer(ModelRegistry registry, DatasetNames datasets) : IConsumer<FindModel>
{
    public async Task Consume(ConsumeContext<FindModel> context)
    {
        var reference = context.Message.Reference;
        if (reference.StartsWith(ArtifactForms.RegisteredDataset, StringComparison.Ordinal))
        {
            await context.RespondAsync(await datasets.FindAsync(reference, context.CancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
            return;
        }
        if (reference.StartsWith(ArtifactForms.RegisteredModel, StringComparison.Ordinal))
            reference = reference[ArtifactForms.RegisteredModel.Length..];
        await context.RespondAsync(new ModelFound(await FindAsync(reference, context.CancellationToken).ConfigureAwait(false))).ConfigureAwait(false);
    }

    private async Task<ManifestRef?> FindAsync(string reference, CancellationToken cancellationToken)
    {
        try
        {
            var version = await registry.ResolveAsync(reference, cancellationToken).ConfigureAwait(false);
            return new ManifestRef(ArtifactKind.Checkpoint, version.Root, version.SizeBytes);
        }
        catch (UserInputException)
        {
            return null;
        }
    }
}

/// <inheritdoc cref="ModelRequestsConsumer"/>
internal sealed class ModelRequestsDefinition : ConsumerDefinition<ModelRequestsConsumer>
{
    public ModelRequestsDefinition() => EndpointName = EndpointNames.Registry;
}
