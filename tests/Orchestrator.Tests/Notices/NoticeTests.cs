using System.Diagnostics;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Notices;
using Espalier.Orchestrator.Triggers;
using Espalier.Pipelines.Planning;
using Espalier.TestKit.Services.Ledger;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Espalier.Orchestrator.Tests.Notices;

/// <summary>Who is told of the end of a run, and how.</summary>
public sealed class NoticeTests : IAsyncLifetime
{
    private readonly LedgerFixture _ledger = new();
    private readonly Dictionary<string, string?> _settings = [];
    private HttpReceiver _receiver = null!;

    public async Task InitializeAsync()
    {
        _receiver = await HttpReceiver.StartAsync();
        await _ledger.AdvertiseAsync();
    }

    public async Task DisposeAsync()
    {
        _ledger.Dispose();
        await _receiver.DisposeAsync();
    }

    [Fact]
    public async Task Run_ThatFails_TellsThoseOfItsFailureOnce()
    {
        _settings["notify:ops:url"] = _receiver.Address;
        _settings["notify:ops:secret"] = "quiet";
        var run = await EndAsync(isSuccess: false, new PlannedNotice(RunState.Failed, "ops"), new PlannedNotice(RunState.Succeeded, "nobody"));

        (await SendAsync()).ShouldBe(1);
        (await SendAsync()).ShouldBe(0);

        var (body, headers) = _receiver.Requests.ShouldHaveSingleItem();
        var told = JsonSerializer.Deserialize<JsonElement>(body);
        (told.GetProperty("event").GetString(), told.GetProperty("run").GetString()).ShouldBe(("run.failed", run.ToString()));
        told.GetProperty("message").GetString()!.ShouldContain("it broke");
        headers[HookSignature.Signature].ToString().ShouldBe(HookSignature.Sign("quiet", headers[HookSignature.Timestamp].ToString(), body));
    }

    [Fact]
    public async Task Run_ThatSucceeds_TellsAChatProgramInItsForm()
    {
        _settings["notify:team_chat:url"] = _receiver.Address;
        _settings["notify:team_chat:format"] = "slack";
        var run = await EndAsync(isSuccess: true, new PlannedNotice(RunState.Succeeded, "team-chat"));

        await SendAsync();

        var told = JsonSerializer.Deserialize<Dictionary<string, string>>(_receiver.Requests.ShouldHaveSingleItem().Body)!;
        told.Keys.ShouldBe(["text"]);
        told["text"].ShouldContain($"succeeded\nRun {run}");
    }

    [Fact]
    public async Task Run_ThatFails_TellsByMail()
    {
        using var mail = new MailReceiver();
        (_settings["smtp:host"], _settings["smtp:port"]) = ("127.0.0.1", $"{mail.Port}");
        (_settings["smtp:security"], _settings["smtp:from"]) = ("none", "espalier@example.org");
        _settings["notify:ops:to"] = "ada@example.org, bob@example.org";
        var run = await EndAsync(isSuccess: false, new PlannedNotice(RunState.Failed, "ops"));

        await SendAsync();

        await mail.Done;
        foreach (var part in new[] { "RCPT TO:<ada@example.org>", "RCPT TO:<bob@example.org>", "failed", "it broke", $"espalier runs {run}" })
            mail.Heard.ShouldContain(part);
        mail.Heard.ShouldContain($"Message-Id: <run-{run}.notice-1@example.org>", customMessage: "the same each time that it is sent");
        (await StateAsync()).ShouldBe(("sent", ""));
    }

    [Fact]
    public async Task Receiver_ThatRefuses_IsAskedAgainLaterAndNotForEver()
    {
        _settings["notify:ops:url"] = _receiver.Address;
        _receiver.Answer = StatusCodes.Status503ServiceUnavailable;
        await EndAsync(isSuccess: true, new PlannedNotice(RunState.Succeeded, "ops"));

        await SendAsync();
        (await SendAsync()).ShouldBe(0, "it is not asked again at once");
        (await StateAsync()).ShouldBe(("waiting", "The receiver answers 503."));
        for (var i = 0; i < 10; i++)
        {
            _ledger.Clock.Advance(TimeSpan.FromMinutes(20));
            await SendAsync();
        }

        _receiver.Requests.Count.ShouldBe(8);
        (await StateAsync()).ShouldBe(("failed", "The receiver answers 503."));
    }

    [Fact]
    public async Task Target_ThatNobodySet_FailsWithTheWayOutAndKeepsNoOtherBack()
    {
        _settings["notify:ops:url"] = _receiver.Address;
        await EndAsync(isSuccess: true, new PlannedNotice(RunState.Succeeded, "a-stranger"), new PlannedNotice(RunState.Succeeded, "ops"));

        await SendAsync();

        _receiver.Requests.Count.ShouldBe(1);
        (await StateAsync("a-stranger")).Error.ShouldContain("notify:a-stranger:to");
    }

    [Fact]
    public async Task Receiver_ThatHangs_KeepsTheOthersBackForOneTimeoutAtMost()
    {
        using var hanging = new HangingReceiver();
        _settings["notify:hangs:url"] = hanging.Address;
        _settings["notify:ops:url"] = _receiver.Address;
        for (var i = 0; i < 3; i++)
            await EndAsync(isSuccess: true, new PlannedNotice(RunState.Succeeded, "hangs"), new PlannedNotice(RunState.Succeeded, "ops"));

        var sending = SendAsync();
        var limit = Stopwatch.StartNew();
        while (_receiver.Requests.Count < 3 && limit.Elapsed < TimeSpan.FromSeconds(60))
            await Task.Delay(20);

        sending.IsCompleted.ShouldBeFalse("the three that hang have not timed out, and the others are told already");
        _receiver.Requests.Count.ShouldBe(3);
        var clock = Stopwatch.StartNew();
        (await sending).ShouldBe(6);
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(25), "three timeouts of 10 seconds one after the other would be 30");
        (await StateAsync("hangs")).ShouldBe(("waiting", "It took too long."));
    }

    [Fact]
    public async Task Notices_LongAfterTheirRun_AreForgottenInBatches_ButNotWhatIsStillToBeSent()
    {
        _settings["notify:ops:url"] = _receiver.Address;
        await EndAsync(isSuccess: true, new PlannedNotice(RunState.Succeeded, "ops"), new PlannedNotice(RunState.Succeeded, "a-stranger"));
        await SendAsync();
        await _ledger.Database.WriteAsync(
            transaction => transaction.ExecuteAsync(
                """
                with recursive n (i) as (select 1 union all select i + 1 from n where i < 1500)
                insert into notice (run_id, run_state, target, message, ended_at, state, next_at)
                select run_id, run_state, target, message, ended_at, 'sent', 0 from notice, n where target = 'ops'
                """), default);
        _ledger.Clock.Advance(TimeSpan.FromDays(89));
        await _ledger.AdvertiseAsync();
        await EndAsync(isSuccess: true, new PlannedNotice(RunState.Succeeded, "ops"));
        using var retention = new NoticeRetention(_ledger.Database, _ledger.Options, _ledger.Clock, NullLogger<NoticeRetention>.Instance);

        (await retention.ForgetAsync(default)).ShouldBe(1);
        (await _ledger.CountAsync("select count(*) from notice")).ShouldBe(1503);
        _ledger.Clock.Advance(TimeSpan.FromDays(2));
        (await retention.ForgetAsync(default)).ShouldBe(2);
        (await _ledger.CountAsync("select count(*) from notice")).ShouldBe(1);
        _ledger.Clock.Advance(TimeSpan.FromDays(200));
        await retention.ForgetAsync(default);

        (await StateAsync()).State.ShouldBe("waiting", "nobody has been told of that run yet");
    }

    private async Task<Guid> EndAsync(bool isSuccess, params PlannedNotice[] notices)
    {
        var run = Guid.NewGuid();
        await _ledger.Runs.SubmitAsync(
            new SubmitRun { RunId = run, Pipeline = "name: p", FileName = "p.yaml" }, LedgerFixture.Plan("a") with { Notices = notices }, default);
        await _ledger.PrepareAsync();
        var step = (await _ledger.ClaimAsync())!;
        if (isSuccess)
            await _ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default);
        else
            await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.User), null, default);
        return run;
    }

    private async Task<int> SendAsync()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(_settings).Build();
        using var http = new HttpNotice(_ledger.Clock);
        using var sender = new NoticeSender(
            _ledger.Database, new NoticeTargets(configuration), http, new MailNotice(configuration), _ledger.Clock, NullLogger<NoticeSender>.Instance);
        return await sender.SendDueAsync(default);
    }

    private Task<(string State, string Error)> StateAsync(string target = "ops") => _ledger.Database.ReadAsync(
        c => Dapper.SqlMapper.QueryFirstAsync<(string, string)>(c, "select state, error from notice where target = @target", new { target }), default);
}
