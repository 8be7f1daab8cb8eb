using Espalier.Artifacts.Checkpoints;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Api;

/// <summary>What a download costs in memory. The whole process is measured, so nothing else may run meanwhile.</summary>
[Collection(nameof(Alone))]
public sealed class FileMemoryTests
{
    [Fact]
    public async Task Get_LargeTensor_IsNeverHeldWhole()
    {
        const int Size = 96 << 20;
        await using var server = await RegistryServer.StartAsync();
        using var http = server.Client(RegistryServer.Viewer);
        using (var writer = new CheckpointWriter(server.Store))
        {
            await writer.AddFileAsync("config.json", "{}"u8.ToArray(), default);
            await writer.AddTensorAsync("large.weight", "F32", [Size / 4], new MemoryStream(new byte[Size]), default);
            var root = await writer.CommitAsync(default);
            await server.RegisterAsync("large", root);
        }
        GC.Collect();
        var before = GC.GetTotalAllocatedBytes();
        using var answer = await http.GetAsync("/api/v1/models/large/versions/1/files/model.safetensors", HttpCompletionOption.ResponseHeadersRead);
        var stream = await answer.Content.ReadAsStreamAsync();
        var buffer = new byte[64 << 10];
        long length = 0;
        for (int read; (read = await stream.ReadAsync(buffer)) > 0; length += read)
        {
        }

        length.ShouldBeGreaterThan(Size);
        (GC.GetTotalAllocatedBytes() - before).ShouldBeLessThan(Size / 2);
    }

    [CollectionDefinition(nameof(Alone), DisableParallelization = true)]
    public sealed class Alone;
}
