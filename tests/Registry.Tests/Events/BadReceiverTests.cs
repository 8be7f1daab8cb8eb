using System.Collections.Concurrent;
using System.Diagnostics;
using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Events;
using Espalier.TestKit.Services.Registry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Registry.Tests.Events;

/// <summary>Receivers that hang, answer 500 or have a poisoned row, with many events waiting for each: the trouble of those webhooks alone.</summary>
public sealed class BadReceiverTests : IAsyncLifetime
{
    private const int Events = 60;
    private readonly ConcurrentDictionary<string, int> _received = new();
    private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _hanging = new();
    private RegistryServer _server = null!;
    private WebApplication _receiver = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _receiver = builder.Build();
        _receiver.MapPost("/good", (HttpRequest request) =>
        {
            _received.TryAdd(request.Headers["X-Espalier-Delivery"].ToString(), 0);
            if (_received.Count == Events)
                _all.TrySetResult();
        });
        _receiver.MapPost("/error", () => Results.StatusCode(500));
        _receiver.MapPost("/hang", () => Task.Delay(Timeout.Infinite, _hanging.Token).ContinueWith(_ => { }, TaskScheduler.Default));
        await _receiver.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _hanging.CancelAsync();
        await _receiver.DisposeAsync();
        await _server.DisposeAsync();
        _hanging.Dispose();
    }

    [Fact]
    public async Task Deliveries_ToBadReceivers_KeepNoOtherBack()
    {
        var hanging = await CreateAsync("hang");
        var failing = await CreateAsync("error");
        var poisoned = await CreateAsync("poisoned");
        var good = await CreateAsync("good");
        await using (var connection = await _server.Get<RegistryDatabase>().OpenAsync(default))
            await connection.ExecuteAsync("update registry_webhook set url = '://', secret = '' where id = @poisoned", new { poisoned });
        for (var i = 0; i < Events; i++)
            await RegisterAsync(i);
        using var sender = new WebhookSender(
            _server.Get<RegistryDatabase>(), _server.Get<RegistryOptions>(), TimeProvider.System, _server.Get<ILogger<WebhookSender>>());

        var clock = Stopwatch.StartNew();
        await sender.StartAsync(default);
        await _all.Task.WaitAsync(TimeSpan.FromSeconds(30));
        var took = clock.Elapsed;
        await sender.StopAsync(default);

        took.ShouldBeLessThan(TimeSpan.FromSeconds(10), "a hung request alone takes ten seconds");
        _received.Keys.ShouldAllBe(id => id.StartsWith(good, StringComparison.Ordinal));
        (await StateAsync(failing)).Error.ShouldBe("The receiver answers 500.");
        (await StateAsync(poisoned)).Error.ShouldContain("URI");
        (await DeliveriesAsync(hanging)).ShouldAllBe(d => d.State == "waiting");
    }

    private async Task<string> CreateAsync(string path)
    {
        var address = _receiver.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return (await _server.Get<Webhooks>().CreateAsync($"{address}/{path}", ["model.registered"], "", "ada", default)).Webhook.Id;
    }

    private Task<IReadOnlyList<Delivery>> DeliveriesAsync(string webhook) => _server.Get<Webhooks>().DeliveriesAsync(webhook, Events, default);

    private async Task<Delivery> StateAsync(string webhook) => (await DeliveriesAsync(webhook)).First(d => d.Attempts > 0);

    private Task RegisterAsync(int number) => _server.Registry.RegisterAsync(
        new NewVersion
        {
            Model = "demo", Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of([1]), 1), StepKey = Digest.Of([(byte)number]),
        }, default);
}
