using Espalier.Stages.Worker;

namespace Espalier.Stages.Tests;

public sealed class StepLeaseTests
{
    [Fact]
    public void IsOver_NoAnswer_EndsByTheMonotonicClock()
    {
        var clock = new StoppedClock();
        var lease = new StepLease(TimeSpan.FromSeconds(15), clock);

        clock.Advance(TimeSpan.FromSeconds(14.9));
        lease.IsOver.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(0.2));

        lease.IsOver.ShouldBeTrue();
    }

    [Fact]
    public void Renew_SlowAnswer_CountsFromBeforeTheRequest()
    {
        var clock = new StoppedClock();
        var lease = new StepLease(TimeSpan.FromSeconds(15), clock);

        var mark = lease.Mark();
        clock.Advance(TimeSpan.FromSeconds(10));
        lease.Renew(mark);

        lease.Remaining.ShouldBe(TimeSpan.FromSeconds(5));
    }

    private sealed class StoppedClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;
    }
}
