using System.Net.ServerSentEvents;
using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Registry.Events;
using Espalier.Registry.Gates;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Registry.Tests.Events;

/// <summary>Events on the bus, as a stream and by webhook.</summary>
public sealed class EventTests
{
    [Fact]
    public async Task RegisterAndMove_ReachTheBus_AndTheStream_FromWhereItBrokeOff()
    {
        var heard = Channel.CreateUnbounded<string>();
        await using var server = await RegistryServer.StartAsync(services: services => services
            .AddSingleton(heard).AddRegistryEvents().AddEspalierBus(new MessagingOptions(), bus => bus.AddConsumer<Listener>()));
        await RegisterAsync(server);
        await server.Registry.MoveAliasAsync("demo", "champion", 1, "ada", "best", default);

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var messages = new[] { await heard.Reader.ReadAsync(limit.Token), await heard.Reader.ReadAsync(limit.Token) };
        var streamed = await StreamAsync(server, after: 1, limit.Token);

        messages.Order().ShouldBe(["demo@1", "demo@champion -> 1 by ada"]);
        streamed.EventType.ShouldBe("alias.moved");
        streamed.EventId.ShouldBe("2");
        JsonSerializer.Deserialize<JsonElement>(streamed.Data).GetProperty("reason").GetString().ShouldBe("best");
    }

    [Fact]
    public async Task GateAndRun_AreOnTheBus_WithAnIdentityThatARepeatKeeps()
    {
        var heard = Channel.CreateUnbounded<object>();
        await using var server = await RegistryServer.StartAsync(services: services => services
            .AddSingleton(heard).AddRegistryEvents().AddEspalierBus(new MessagingOptions(), bus => bus.AddConsumer<GateListener>()));
        await RegisterAsync(server);
        await server.Get<PromotionGates>().ReplaceAsync("demo", [new Gate("champion", "", 1)], "ada", default);
        var run = Guid.NewGuid();

        await Should.ThrowAsync<GateRefusedException>(() => server.Registry.MoveAliasAsync("demo", "champion", 1, "run", "step", default, run));
        await server.Registry.MoveAliasAsync("demo", "candidate", 1, "run", "step", default, run);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var messages = new[] { await heard.Reader.ReadAsync(limit.Token), await heard.Reader.ReadAsync(limit.Token) };

        var decided = messages.OfType<GateDecided>().ShouldHaveSingleItem();
        var moved = messages.OfType<AliasMoved>().ShouldHaveSingleItem();
        (decided.Allowed, decided.Failed, decided.RunId, moved.RunId).ShouldSatisfyAllConditions(
            d => (d.Allowed, d.Item3, d.Item4).ShouldBe((false, run, run)), d => d.Failed.ShouldBe(["0 of 1 approvals"]));
        var stored = (await server.Get<EventFeed>().AfterAsync(0, default)).Select(e => JsonSerializer.Deserialize<JsonElement>(e.Body)).ToList();
        stored.Select(e => e.GetProperty("event-id").GetGuid()).ShouldBeUnique();
        stored.Select(e => e.GetProperty("event-id").GetGuid()).ShouldContain(decided.EventId!.Value);
    }

    [Fact]
    public async Task Webhook_DeliversSignedEvents_RetriesAndReplays()
    {
        var time = new ManualTime();
        await using var server = await RegistryServer.StartAsync(time: time);
        await using var receiver = await Receiver.StartAsync();
        using var admin = server.Client();
        var wanted = new { url = receiver.Address + "hook", events = new[] { "model.registered" } };
        var (status, made) = await admin.SendJsonAsync(HttpMethod.Post, "/api/v1/webhooks", wanted);
        status.ShouldBe(HttpStatusCode.OK, made.ToString());
        var (id, secret) = (made.GetProperty("webhook").GetProperty("id").GetString()!, made.GetProperty("secret").GetString()!);
        using var sender = new WebhookSender(server.Get<RegistryDatabase>(), server.Get<RegistryOptions>(), time, server.Get<ILogger<WebhookSender>>());
        await RegisterAsync(server);
        await server.Registry.MoveAliasAsync("demo", "champion", 1, "ada", "not wanted by this webhook", default);
        (await server.Get<Webhooks>().ReplayAsync(id, 1, default)).ShouldBe(1);

        receiver.Answer = HttpStatusCode.InternalServerError;
        await sender.SendDueAsync(default);
        (await sender.SendDueAsync(default)).ShouldBe(0, "it waits before it tries again");
        receiver.Answer = HttpStatusCode.OK;
        time.Now += TimeSpan.FromSeconds(3);
        await sender.SendDueAsync(default);

        var delivery = (await admin.GetJsonAsync($"/api/v1/webhooks/{id}/deliveries")).GetProperty("items").EnumerateArray().ShouldHaveSingleItem();
        (delivery.GetProperty("state").GetString(), delivery.GetProperty("attempts").GetInt32()).ShouldBe(("delivered", 2));
        await admin.SendJsonAsync(HttpMethod.Post, $"/api/v1/webhooks/{id}/replay", new { from = 1 });
        await sender.SendDueAsync(default);
        receiver.Requests.Count.ShouldBe(3);
        foreach (var (headers, body) in receiver.Requests)
        {
            headers["X-Espalier-Signature"].ShouldBe(WebhookSender.Sign(secret, headers["X-Espalier-Timestamp"], body));
            headers["X-Espalier-Delivery"].ShouldBe($"{id}-1");
            JsonSerializer.Deserialize<JsonElement>(body).GetProperty("data").GetProperty("model").GetString().ShouldBe("demo");
        }
        (await admin.GetJsonAsync("/api/v1/webhooks")).GetRawText().ShouldNotContain(secret);
    }

    [Fact]
    public async Task Webhook_ReceiverRedirects_IsNotFollowed()
    {
        await using var server = await RegistryServer.StartAsync();
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = HttpStatusCode.Redirect;
        var (webhook, _) = await server.Get<Webhooks>().CreateAsync(receiver.Address + "hook", null, "", "ada", default);
        await RegisterAsync(server);
        await server.Get<Webhooks>().ReplayAsync(webhook.Id, 1, default);
        using var sender = new WebhookSender(
            server.Get<RegistryDatabase>(), server.Get<RegistryOptions>(), TimeProvider.System, server.Get<ILogger<WebhookSender>>());

        await sender.SendDueAsync(default);

        receiver.Requests.Count.ShouldBe(1);
        (await server.Get<Webhooks>().DeliveriesAsync(webhook.Id, 10, default)).Single().Status.ShouldBe(302);
    }

    [Theory]
    [InlineData("http://127.0.0.1:80/")]
    [InlineData("http://localhost/")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://10.0.0.1/")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[::ffff:10.0.0.1]/")]
    [InlineData("http://[::10.0.0.1]/")]
    [InlineData("http://[64:ff9b::a00:1]/")]
    [InlineData("http://[2002:a00:1::]/")]
    [InlineData("http://[fec0::1]/")]
    [InlineData("http://user:secret@example.org/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://example.org/")]
    [InlineData("hook")]
    public async Task Webhook_ToAPrivateOrForeignAddress_IsRefused(string url)
    {
        await using var server = await RegistryServer.StartAsync(options => options.AllowPrivateWebhooks = false);

        await Should.ThrowAsync<UserInputException>(() => server.Get<Webhooks>().CreateAsync(url, null, "", "ada", default));
    }

    private static async Task<SseItem<string>> StreamAsync(RegistryServer server, int after, CancellationToken cancellationToken)
    {
        using var viewer = server.Client(RegistryServer.Viewer);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/events");
        request.Headers.Add("Last-Event-ID", $"{after}");
        using var answer = await viewer.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        await foreach (var item in SseParser.Create(await answer.Content.ReadAsStreamAsync(cancellationToken)).EnumerateAsync(cancellationToken))
        {
            if (item.EventType != "tick")
                return item;
        }
        throw new InvalidOperationException("The stream ended.");
    }

    private static Task RegisterAsync(RegistryServer server) => server.Registry.RegisterAsync(
        new NewVersion { Model = "demo", Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of([1]), 1), StepKey = Digest.Of([2]) }, default);

    internal sealed class Listener(Channel<string> heard) : IConsumer<ModelRegistered>, IConsumer<AliasMoved>
    {
        public Task Consume(ConsumeContext<ModelRegistered> context) => heard.Writer.WriteAsync($"{context.Message.Model}@{context.Message.Version}").AsTask();

        public Task Consume(ConsumeContext<AliasMoved> context)
        {
            var move = context.Message;
            return heard.Writer.WriteAsync($"{move.Model}@{move.Alias} -> {move.Version} by {move.Actor}").AsTask();
        }
    }

    internal sealed class GateListener(Channel<object> heard) : IConsumer<GateDecided>, IConsumer<AliasMoved>
    {
        public Task Consume(ConsumeContext<GateDecided> context) => heard.Writer.WriteAsync(context.Message).AsTask();

        public Task Consume(ConsumeContext<AliasMoved> context) => heard.Writer.WriteAsync(context.Message).AsTask();
    }

    private sealed class Receiver(WebApplication app) : IAsyncDisposable
    {
        public string Address { get; private set; } = "";

        public HttpStatusCode Answer { get; set; } = HttpStatusCode.OK;

        public List<(Dictionary<string, string> Headers, string Body)> Requests { get; } = [];

        public static async Task<Receiver> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Logging.ClearProviders();
            var receiver = new Receiver(builder.Build());
            await receiver.ListenAsync();
            return receiver;
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();

        private async Task ListenAsync()
        {
            app.MapPost("/hook", async (HttpRequest request, HttpResponse response) =>
            {
                using var reader = new StreamReader(request.Body);
                Requests.Add((request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString()), await reader.ReadToEndAsync()));
                response.Headers.Location = "/hook";
                response.StatusCode = (int)Answer;
            });
            await app.StartAsync();
            Address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/";
        }
    }
}
