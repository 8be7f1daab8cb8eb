using System.Diagnostics;
using System.Text;

namespace Espalier.Modeling.Tests.Runtime;

/// <summary>The build step that lets the binding load on Debian 12, on a small ELF file made here.</summary>
public sealed class WeakVersionTests : IDisposable
{
    private const string Wanted = "GLIBCXX_3.4.32";
    private const ushort Weak = 2;

    private readonly string _folder = Directory.CreateTempSubdirectory("weak-version").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Weaken_SystemLacksTheVersion_MarksThatOneAndKeepsTheSource()
    {
        var source = await RunAsync(Elf(), systemVersions: ["GLIBCXX_3.4.30"]);

        Changes(source, Elf()).ShouldBeEmpty();
        Flags(Result()).ShouldBe([("GLIBCXX_3.4.29", 0), (Wanted, Weak)]);
        Changes(Result(), Elf()).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Weaken_SystemHasTheVersion_CopiesTheFileAsItIs()
    {
        await RunAsync(Elf(), systemVersions: ["GLIBCXX_3.4.30", Wanted]);

        Result().ShouldBe(Elf());
    }

    [Fact]
    public async Task Weaken_FileThatDoesNotAskForTheVersion_CopiesItAsItIs()
    {
        var other = Elf(last: "GLIBCXX_3.4.28");

        await RunAsync(other, systemVersions: ["GLIBCXX_3.4.30"]);

        Result().ShouldBe(other);
    }

    [Fact]
    public async Task Weaken_Twice_IsTheSameAsOnce()
    {
        await RunAsync(Elf(), systemVersions: []);
        var once = Result();

        await RunAsync(once, systemVersions: []);

        Result().ShouldBe(once);
    }

    [Fact]
    public async Task Weaken_TwoBuildsAtOnce_LeaveOneWholeFile()
    {
        await Task.WhenAll(RunAsync(Elf(), [], "first"), RunAsync(Elf(), [], "second"));

        Flags(Result()).ShouldContain((Wanted, Weak));
        Directory.EnumerateFiles(_folder, "out.so*").ShouldHaveSingleItem();
    }

    private byte[] Result() => File.ReadAllBytes(Path.Combine(_folder, "out.so"));

    // Runs the task as a build does, and returns what the source holds afterwards.
    private async Task<byte[]> RunAsync(byte[] elf, string[] systemVersions, string name = "build")
    {
        var files = Path.Combine(_folder, name);
        var (source, system, project, result) = (files + ".in.so", files + ".libstdc++.so.6", files + ".proj", Path.Combine(_folder, "out.so"));
        await File.WriteAllBytesAsync(source, elf);
        await File.WriteAllTextAsync(system, string.Concat(systemVersions.Select(v => v + "\0")));
        await File.WriteAllTextAsync(project, $"""
            <Project DefaultTargets="Weaken">
              <Import Project="{Path.Combine(Root(), "shared/Modeling/Engine/WeakVersion.targets")}" />
              <Target Name="Weaken">
                <WeakenVersion Source="{source}" Destination="{result}" Library="libstdc++.so.6"
                               Version="{Wanted}" SystemLibrary="{system}" />
              </Target>
            </Project>
            """);
        using var build = Process.Start(new ProcessStartInfo("dotnet", ["msbuild", project, "-nologo", "-nodeReuse:false"]) { RedirectStandardOutput = true })!;
        var output = await build.StandardOutput.ReadToEndAsync();
        await build.WaitForExitAsync();
        build.ExitCode.ShouldBe(0, output);
        return await File.ReadAllBytesAsync(source);
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Platform.sln")))
            folder = folder.Parent!;
        return folder.FullName;
    }

    private static IEnumerable<int> Changes(byte[] a, byte[] b) => Enumerable.Range(0, a.Length).Where(i => a[i] != b[i]);

    // Header, names, the needs (libm first, then libstdc++ with two versions), three section headers.
    private const int Names = 64, Needs = 192, Sections = 320;

    private static byte[] Elf(string last = Wanted)
    {
        var file = new byte[Sections + 3 * 64];
        var strings = Encoding.ASCII.GetBytes($"\0libm.so.6\0libstdc++.so.6\0GLIBC_2.2.5\0GLIBCXX_3.4.29\0{last}\0");
        strings.CopyTo(file, Names);
        int At(string text) => Encoding.ASCII.GetString(strings).IndexOf(text + "\0", StringComparison.Ordinal);

        Put(0, 0x464c457fu);
        (file[4], file[5]) = (2, 1);
        Put(0x28, (ulong)Sections);
        Put(0x3a, (ushort)64);
        Put(0x3c, (ushort)3);
        Section(1, type: 3, offset: Names, link: 0);
        Section(2, type: 0x6ffffffe, offset: Needs, link: 1);

        Need(Needs, versions: 1, At("libm.so.6"), next: 32);
        Version(Needs + 16, At("GLIBC_2.2.5"), next: 0);
        Need(Needs + 32, versions: 2, At("libstdc++.so.6"), next: 0);
        Version(Needs + 48, At("GLIBCXX_3.4.29"), next: 16);
        Version(Needs + 64, At(last), next: 0);
        return file;

        void Put<T>(int offset, T value) where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.Write(file.AsSpan(offset), in value);

        void Section(int index, uint type, int offset, uint link)
        {
            Put(Sections + index * 64 + 4, type);
            Put(Sections + index * 64 + 0x18, (ulong)offset);
            Put(Sections + index * 64 + 0x28, link);
        }

        void Need(int at, ushort versions, int name, int next)
        {
            Put(at, (ushort)1);
            Put(at + 2, versions);
            Put(at + 4, name);
            Put(at + 8, 16);
            Put(at + 12, next);
        }

        void Version(int at, int name, int next)
        {
            Put(at + 8, name);
            Put(at + 12, next);
        }
    }

    // The two versions that are needed of libstdc++, with their flags.
    private static (string Name, ushort Flags)[] Flags(byte[] file) =>
    [.. new[] { Needs + 48, Needs + 64 }.Select(at =>
    {
        var name = Names + BitConverter.ToInt32(file, at + 8);
        return (Encoding.ASCII.GetString(file, name, Array.IndexOf(file, (byte)0, name) - name), BitConverter.ToUInt16(file, at + 4));
    })];
}
