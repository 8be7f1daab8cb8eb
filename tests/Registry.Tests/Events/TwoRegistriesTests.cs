using System.Collections.Concurrent;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Registry.Events;
using Espalier.TestKit.Servers;

namespace Espalier.Registry.Tests.Events;

/// <summary>Two processes of the registry on one PostgreSQL.</summary>
public sealed class TwoRegistriesTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    private const int Versions = 150;

    [Fact]
    public async Task EventsAndDeliveries_AreTakenByOneOfTwoRegistries()
    {
        var connection = await postgres.NewDatabaseAsync();
        await using var one = new RegistryDatabase(new RegistryOptions { Database = connection });
        await using var two = new RegistryDatabase(new RegistryOptions { Database = connection });
        await Task.WhenAll(one.MigrateAsync(default), two.MigrateAsync(default));
        var webhooks = new Webhooks(one, new RegistryOptions { AllowPrivateWebhooks = true }, TimeProvider.System);
        var (webhook, _) = await webhooks.CreateAsync("http://127.0.0.1/", null, "", "ada", default);
        for (var i = 0; i < Versions; i++)
            await RegisterAsync(one, i);
        var (events, deliveries) = (new ConcurrentBag<string>(), new ConcurrentBag<string>());

        await Task.WhenAll(new[] { one, two }.Select(registry => Task.Run(() => DispatchAsync(registry))));
        await Task.WhenAll(new[] { one, two }.Select(registry => Task.Run(() => ClaimAsync(registry))));

        events.Count.ShouldBe(Versions);
        events.Distinct().Count().ShouldBe(Versions);
        deliveries.Count.ShouldBe(Versions);
        deliveries.Distinct().Count().ShouldBe(Versions);

        async Task DispatchAsync(RegistryDatabase registry)
        {
            var outbox = new Outbox(registry, RegistryEvents.Outbox, TimeProvider.System);
            while (await outbox.CountAsync(default) > 0)
            {
                await outbox.DispatchAsync((message, _) =>
                {
                    events.Add(message.Body);
                    return Task.CompletedTask;
                }, default);
            }
        }

        async Task ClaimAsync(RegistryDatabase registry)
        {
            var now = DateTimeOffset.UtcNow;
            while (await WebhookDeliveries.ClaimAsync(registry, webhook.Id, 20, now, now.AddMinutes(1), default) is { Count: > 0 } claimed)
            {
                foreach (var delivery in claimed)
                    deliveries.Add(delivery.Id);
            }
        }
    }

    private static Task RegisterAsync(RegistryDatabase database, int number) => new ModelRegistry(database, TimeProvider.System).RegisterAsync(
        new NewVersion
        {
            Model = "demo",
            Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of([1]), 1),
            StepKey = Digest.Of([(byte)number]),
        }, default);
}
