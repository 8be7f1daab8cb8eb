using Espalier.FaultInjection;
using Xunit.Abstractions;

namespace Espalier.CrashMatrix.Tests;

/// <summary>A sample of the crash matrix: real services, real servers, a small pipeline that trains. The whole matrix is <c>tests/CrashMatrix</c>.</summary>
[Collection(Drills.DrillServers.Name)]
public sealed class CrashMatrixTests(ITestOutputHelper output)
{
    private const int Seed = 1;
    private const int Points = 25;

    [Fact]
    public async Task Sample_OfPoints_KeepsEveryPromise()
    {
        var matrix = new Matrix(line =>
        {
            output.WriteLine(line);
            Console.WriteLine(line.Split('\n')[0]);
        });

        var outcomes = await matrix.RunAsync(PointGenerator.Generate(Points, Seed));

        await File.WriteAllTextAsync(Path.Combine(AppContext.BaseDirectory, "crash-matrix.html"), MatrixReport.Html(outcomes, Seed));
        outcomes.Where(o => !o.IsGood).Select(MatrixReport.Line).ShouldBeEmpty();
        outcomes.Count.ShouldBe(Points);
        FaultPoints.All.Except(matrix.Reached).ShouldBeEmpty("every listed point is one that these runs come to");
    }

    [Fact]
    public void Generate_SameSeed_GivesTheSamePoints()
    {
        PointGenerator.Generate(200, 5).ShouldBe(PointGenerator.Generate(200, 5));
        PointGenerator.Generate(200, 5).ShouldNotBe(PointGenerator.Generate(200, 6));
        PointGenerator.Generate(25, Seed).Select(p => p.Disruption).Distinct().Count().ShouldBeGreaterThan(4, "a sample holds some of each family");
    }

    [Fact]
    public void Generate_ManyPoints_CoversEveryFaultPointThatARunReaches()
    {
        string[] onlyOnFailure = [FaultPoints.FailureReceived, FaultPoints.FailureSend, FaultPoints.OfferReceived, FaultPoints.HeartbeatSend];

        var covered = PointGenerator.Generate(2000, Seed)
            .Where(p => p.Disruption == Disruption.Fault)
            .Select(p => p.Fault.Split('@')[1].Split(':')[0])
            .Distinct();

        FaultPoints.All.Except(onlyOnFailure).ShouldBe(covered, ignoreOrder: true);
    }
}
