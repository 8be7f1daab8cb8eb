using System.Globalization;
using Espalier.Orchestrator.Triggers;
using Espalier.TestKit.Services.Triggers;
using Microsoft.AspNetCore.Http;

namespace Espalier.Orchestrator.Tests.Triggers;

public sealed class HookReceiverTests : IAsyncLifetime
{
    private const string Secret = "correct-horse-battery-staple", Body = """{"ref":"main","count":3,"items":["a"]}""";
    private readonly TriggerFixture _triggers = new(settings: new Dictionary<string, string?> { ["secrets:git_push"] = Secret });

    public async Task InitializeAsync()
    {
        await _triggers.StartAsync();
        await _triggers.AddAsync("webhook: { secret: git-push, when: 'event.body.count > 2', params: { text: '${event.body.ref} ${event.body.items.0}' } }");
    }

    public Task DisposeAsync()
    {
        _triggers.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Request_Signed_StartsOneRunWithValuesOfItsBody()
    {
        var headers = Sign(Body);

        (await _triggers.Hooks.ReceiveAsync("nightly", headers, Body, default)).ShouldBe(new HookAccepted("nightly.webhook", true));
        (await _triggers.Hooks.ReceiveAsync("nightly.webhook", headers, Body, default)).IsNew.ShouldBeFalse("the same request is a replay");
        await _triggers.RoundAsync();

        var run = (await _triggers.RunsAsync()).ShouldHaveSingleItem();
        (await _triggers.ParametersAsync(run.RunId)).ShouldBe("""{"text":"main a"}""");
    }

    [Fact]
    public async Task Request_OfADeliveryThatCame_IsNotNew()
    {
        (await _triggers.Hooks.ReceiveAsync("nightly", Sign(Body, delivery: "d-1"), Body, default)).IsNew.ShouldBeTrue();
        _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(2));

        (await _triggers.Hooks.ReceiveAsync("nightly", Sign(Body, delivery: "d-1"), Body, default)).IsNew.ShouldBeFalse();
    }

    [Fact]
    public async Task Request_Secret_IsInNoEvent()
    {
        await _triggers.Hooks.ReceiveAsync("nightly", Sign(Body), Body, default);
        await _triggers.RoundAsync();

        var events = System.Text.Json.JsonSerializer.Serialize(await _triggers.Triggers.EventsAsync(null, 10, default));
        events.ShouldNotContain(Secret);
        events.ShouldNotContain("sha256=");
    }

    [Fact]
    public async Task Request_WrongOldOrUnknown_IsRefused()
    {
        var old = Sign(Body);
        _triggers.Ledger.Clock.Advance(TimeSpan.FromMinutes(6));

        await RefusedAsync("nightly", old, Body, StatusCodes.Status401Unauthorized, "The request is 360 s old; at most 300 s are allowed.");
        await RefusedAsync("nightly", Sign(Body), Body + " ", StatusCodes.Status401Unauthorized, "X-Espalier-Signature is missing or wrong");
        await RefusedAsync("nightly", Sign(Body, "guessed"), Body, StatusCodes.Status401Unauthorized, "X-Espalier-Signature is missing or wrong");
        await RefusedAsync("nightly", new HeaderDictionary(), Body, StatusCodes.Status401Unauthorized, "X-Espalier-Timestamp is missing");
        await RefusedAsync("weekly", Sign(Body), Body, StatusCodes.Status404NotFound, "There is no webhook 'weekly'.");
        await RefusedAsync("nightly", Sign("[1]"), "[1]", StatusCodes.Status422UnprocessableEntity, "The body is not a JSON object.");
        (await _triggers.Triggers.EventsAsync(null, 10, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Request_ToOneOfTwoWebhooks_IsOfThatOnly()
    {
        await _triggers.AddAsync("webhook: [{ secret: git-push }, { name: release, secret: git-push }]", "two");

        (await _triggers.Hooks.ReceiveAsync("two.webhook.release", Sign(Body), Body, default)).Trigger.ShouldBe("two.webhook.release");
        (await _triggers.Hooks.ReceiveAsync("two.webhook", Sign(Body), Body, default)).Trigger.ShouldBe("two.webhook");
        await RefusedAsync("two", Sign(Body), Body, StatusCodes.Status404NotFound, "Pipeline 'two' has 2 webhooks: send to two.webhook.NAME");
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Select(r => r.Cause!.Trigger).ShouldBe(["two.webhook.release", "two.webhook"]);
    }

    [Fact]
    public async Task Request_WithAToken_IsTaken_AndWithoutASecretNothingIs()
    {
        await _triggers.AddAsync("webhook: { secret: git-push, proof: token }", "by-token");
        await _triggers.AddAsync("webhook: { secret: unset }", "by-nothing");

        await RefusedAsync("by-token", new HeaderDictionary { ["Authorization"] = "Bearer wrong" }, "", StatusCodes.Status401Unauthorized, "The token");
        (await _triggers.Hooks.ReceiveAsync("by-token", new HeaderDictionary { ["Authorization"] = $"Bearer {Secret}" }, "", default)).IsNew.ShouldBeTrue();
        await RefusedAsync("by-nothing", Sign(""), "", StatusCodes.Status503ServiceUnavailable, "the secret 'unset' is not set");
    }

    private async Task RefusedAsync(string name, IHeaderDictionary headers, string body, int status, string reason)
    {
        var refusal = await Should.ThrowAsync<HookRefusedException>(() => _triggers.Hooks.ReceiveAsync(name, headers, body, default));

        refusal.Status.ShouldBe(status);
        refusal.Message.ShouldContain(reason);
    }

    private HeaderDictionary Sign(string body, string secret = Secret, string? delivery = null)
    {
        var timestamp = _triggers.Ledger.Clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var headers = new HeaderDictionary
        {
            [HookSignature.Timestamp] = timestamp, [HookSignature.Signature] = HookSignature.Sign(secret, timestamp, body),
        };
        if (delivery is not null)
            headers[HookSignature.Delivery] = delivery;
        return headers;
    }
}
