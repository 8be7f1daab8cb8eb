using System.Net;
using Espalier.Contracts;
using Espalier.Registry.Gates;
using Espalier.Registry.Search;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Gates;

/// <summary>No alias moves past its gate; what the gate said stays on record.</summary>
public sealed class PromotionGateTests : IAsyncLifetime
{
    private RegistryServer _server = null!;
    private HttpClient _promoter = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _promoter = _server.Client(RegistryServer.Promoter);
        foreach (var (loss, bytes) in new[] { (3.0, 1000), (2.8, 1100), (2.9, 5000), (3.4, 900) })
        {
            await _server.Registry.RegisterAsync(new NewVersion
            {
                Model = "demo",
                Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of([1]), bytes),
                StepKey = CanonicalJson.DigestOf(loss),
                Metrics = new Dictionary<string, double> { ["loss"] = loss },
            }, default);
        }
        await GateAsync("loss < 3.2 and bytes <= current.bytes * 1.5 and loss <= current.loss", 0);
    }

    public async Task DisposeAsync()
    {
        _promoter.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Move_ThatMeetsTheRule_HappensAndIsRecorded()
    {
        (await MoveAsync(1)).Status.ShouldBe(HttpStatusCode.OK);
        (await MoveAsync(2)).Status.ShouldBe(HttpStatusCode.OK);

        var decisions = await _server.Get<PromotionGates>().DecisionsAsync("demo", 10, default);
        decisions.Select(d => (d.Version, d.Allowed, d.Actor)).ShouldBe([(2, true, "paula"), (1, true, "paula")]);
    }

    [Fact]
    public async Task Move_ThatFailsTheRule_Is409WithWhatFailed_AndNothingMoves()
    {
        await MoveAsync(2);

        var (status, body) = await MoveAsync(3);

        status.ShouldBe(HttpStatusCode.Conflict);
        body.GetProperty("gate").GetString().ShouldBe("demo@champion");
        body.GetProperty("failed").EnumerateArray().Select(f => f.GetString())
            .ShouldBe(["bytes <= current.bytes = 1650 (it is 5000)", "loss <= current.loss = 2.8 (it is 2.9)"]);
        (await _server.Registry.ResolveAsync("demo@champion", default)).Version.ShouldBe(2);
        (await _server.Get<PromotionGates>().DecisionsAsync("demo", 1, default)).Single().Allowed.ShouldBeFalse();
        (await _server.Registry.MovesAsync("demo", default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Move_WithoutApprovals_Waits_ThenHappens()
    {
        await GateAsync("", 2);
        var early = await MoveAsync(1);
        using var admin = _server.Client(RegistryServer.Admin);
        await ApproveAsync(_promoter, 1, "approve");
        await ApproveAsync(_promoter, 1, "approve"); // the same person counts once
        var half = await MoveAsync(1);
        await ApproveAsync(admin, 1, "approve");

        var late = await MoveAsync(1);

        early.Body.GetProperty("failed")[0].GetString().ShouldBe("0 of 2 approvals");
        half.Body.GetProperty("failed")[0].GetString().ShouldBe("1 of 2 approvals");
        late.Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Move_ThatSomebodyRejects_IsRefused()
    {
        await GateAsync("", 1);
        using var admin = _server.Client(RegistryServer.Admin);
        await ApproveAsync(_promoter, 1, "approve");
        await ApproveAsync(admin, 1, "reject", "smells");

        var (status, body) = await MoveAsync(1);

        status.ShouldBe(HttpStatusCode.Conflict);
        body.GetProperty("failed")[0].GetString().ShouldBe("ada rejects it: smells");
    }

    [Fact]
    public async Task Revert_IsNotHeldUp()
    {
        await MoveAsync(1);
        await MoveAsync(2);
        await GateAsync("loss < 1", 0);

        var (status, _) = await _promoter.SendJsonAsync(HttpMethod.Post, "/api/v1/models/demo/aliases/champion/revert", new { reason = "broken" });

        status.ShouldBe(HttpStatusCode.OK);
        (await _server.Registry.ResolveAsync("demo@champion", default)).Version.ShouldBe(1);
    }

    [Fact]
    public async Task Set_RuleThatCannotBeRead_IsRefusedWithPosition()
    {
        using var admin = _server.Client(RegistryServer.Admin);

        var gates = new { items = new[] { new { alias = "champion", rule = "loss <", approvals = 0 } } };
        var (status, body) = await admin.SendJsonAsync(HttpMethod.Put, "/api/v1/models/demo/gates", gates);

        status.ShouldBe(HttpStatusCode.BadRequest);
        body.GetProperty("position").GetInt32().ShouldBe(7);
    }

    [Theory]
    [InlineData("los < 3", "did you mean 'loss'?")]
    [InlineData("loss < 3 and not (bits-per-byte > 1)", "valid are loss")]
    [InlineData("loss <= current.accuracy", "'accuracy', which no version of 'demo' has")]
    public async Task Set_MetricThatNoVersionHas_IsRefusedWithTheNearest(string rule, string expected)
    {
        using var admin = _server.Client(RegistryServer.Admin);
        var gates = new { items = new[] { new { alias = "champion", rule, approvals = 0 } } };

        var (status, body) = await admin.SendJsonAsync(HttpMethod.Put, "/api/v1/models/demo/gates", gates);

        status.ShouldBe(HttpStatusCode.UnprocessableEntity);
        body.GetProperty("detail").GetString()!.ShouldContain(expected);
        (await _server.Get<PromotionGates>().ListAsync("demo", default)).Single().Rule.ShouldStartWith("loss < 3.2");
    }

    /// <summary>The version that had the metric may be gone: its gate stays, and others are still set.</summary>
    [Fact]
    public async Task Set_GateThatStaysAsItIs_IsNotCheckedAgain()
    {
        var gates = _server.Get<PromotionGates>();
        await _server.Registry.RegisterAsync(new NewVersion
        {
            Model = "demo",
            Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of([2]), 1),
            StepKey = Digest.Of([2]),
            Metrics = new Dictionary<string, double> { ["accuracy"] = 0.5 },
        }, default);
        Gate kept = new("accurate", "accuracy > 0.4", 0);
        await gates.ReplaceAsync("demo", [kept], "tester", default);
        await _server.Registry.DeleteVersionAsync("demo", 5, default);

        await gates.ReplaceAsync("demo", [kept, new Gate("champion", "loss < 1", 0)], "tester", default);

        (await gates.ListAsync("demo", default)).Count.ShouldBe(2);
        await Should.ThrowAsync<UserInputException>(() => gates.ReplaceAsync("demo", [kept with { Alias = "other" }], "tester", default));
    }

    [Fact]
    public async Task Set_ModelThatNothingWasMeasuredOf_TakesEveryMetric()
    {
        await _server.Registry.CreateModelAsync("fresh", "", new Dictionary<string, string>(), default);

        await _server.Get<PromotionGates>().ReplaceAsync("fresh", [new Gate("champion", "loss < 1", 0)], "tester", default);

        (await _server.Get<PromotionGates>().ListAsync("fresh", default)).Single().Rule.ShouldBe("loss < 1");
    }

    [Theory]
    [InlineData("accuracy > 0.5", "accuracy > 0.5 (it is not measured)")]
    [InlineData("tag.checked = yes", "tag.checked")]
    [InlineData("loss < 1 or bytes < 10", "loss < 1 (it is 3) or bytes < 10 (it is 1000)")]
    [InlineData("signed", "signed")]
    public async Task Rule_ThatFails_SaysWhatWasFound(string rule, string expected)
    {
        var version = await _server.Registry.ResolveAsync("demo@1", default);

        var failed = PromotionRule.Parse(rule).Failures(version, null).ShouldHaveSingleItem();

        failed.ShouldContain(expected.Split(" (")[0].Replace("tag.checked", "checked", StringComparison.Ordinal).Split(" ")[0]);
    }

    private Task GateAsync(string rule, int approvals) =>
        _server.Get<PromotionGates>().ReplaceAsync("demo", [new Gate("champion", rule, approvals)], "tester", default);

    private Task<(HttpStatusCode Status, System.Text.Json.JsonElement Body)> MoveAsync(int version) =>
        _promoter.SendJsonAsync(HttpMethod.Put, "/api/v1/models/demo/aliases/champion", new { version, reason = "test" });

    private static async Task ApproveAsync(HttpClient client, int version, string verdict, string reason = "")
    {
        var path = $"/api/v1/models/demo/versions/{version}/approvals";
        (await client.SendJsonAsync(HttpMethod.Post, path, new { alias = "champion", verdict, reason })).Status.ShouldBe(HttpStatusCode.OK);
    }
}
