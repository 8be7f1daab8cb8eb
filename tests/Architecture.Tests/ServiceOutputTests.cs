namespace Espalier.Architecture.Tests;

/// <summary>What was built for the services that work without tensors: their folders, as an image would take them.</summary>
public sealed class ServiceOutputTests
{
    private const long MostBytes = 60_000_000;

    [Theory]
    [InlineData("Orchestrator")]
    [InlineData("Registry")]
    public void Output_ServiceWithoutTensors_IsSmallAndHoldsNoTensorLibrary(string service)
    {
        var files = OutputOf(service).EnumerateFiles("*", SearchOption.AllDirectories).ToList();

        files.ShouldContain(file => file.Name == $"Espalier.{service}.dll", $"build services/{service} first");
        files.Where(file => IsTensorLibrary(file.Name)).Select(file => file.Name).ShouldBeEmpty();
        files.Sum(file => file.Length).ShouldBeLessThan(MostBytes);
    }

    private static bool IsTensorLibrary(string name) =>
        name.Contains("torch", StringComparison.OrdinalIgnoreCase) || name.Contains("kernels", StringComparison.OrdinalIgnoreCase)
        || name.Contains("c10", StringComparison.OrdinalIgnoreCase);

    // The same configuration as this test's own build: .../tests/Architecture.Tests/bin/CONFIGURATION/FRAMEWORK/.
    private static DirectoryInfo OutputOf(string service)
    {
        var own = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var repository = own.Parent!.Parent!.Parent!.Parent!.Parent!;
        return new DirectoryInfo(Path.Combine(repository.FullName, "services", service, "bin", own.Parent.Name, own.Name));
    }
}
