using System.Diagnostics;
using System.Security.Cryptography;

namespace Espalier.Kernels.Tests;

public sealed class KernelLibraryTests : IDisposable
{
    private static readonly string Own = Path.Combine(AppContext.BaseDirectory, "libespalier_kernels.so");

    private readonly string _folder = Directory.CreateTempSubdirectory("kernels").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Examine_OwnLibrary_RunsAndIsNamedByItsBytes()
    {
        var library = KernelLibrary.Examine(Own, wanted: null);

        library.Problem.ShouldBeNull();
        library.IsUsable.ShouldBeTrue();
        library.ToString().ShouldBe($"{library.InstructionSet}-{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Own)))[..12]}");
    }

    [Fact]
    public void Examine_PlainWanted_IsNotUsedAndNoProblem()
    {
        var library = KernelLibrary.Examine(Own, wanted: "plain");

        library.ShouldBe(new KernelLibrary(null, null, null));
        library.ToString().ShouldBe("plain");
    }

    [Fact]
    public void Examine_NoFile_SaysThatItIsMissing()
    {
        var library = KernelLibrary.Examine(Path.Combine(_folder, "none.so"), wanted: null);

        library.IsUsable.ShouldBeFalse();
        library.Problem!.ShouldContain("is missing");
    }

    [Fact]
    public void Examine_NoLibrary_SaysThatItDoesNotLoad()
    {
        var path = Path.Combine(_folder, "text.so");
        File.WriteAllText(path, "not an ELF file");

        KernelLibrary.Examine(path, wanted: null).Problem!.ShouldContain("does not load");
    }

    [Fact]
    public void Examine_StructsOfAnotherSize_IsRefused()
    {
        var path = Compile("""
            extern "C" void ek_struct_sizes(long* sizes) { sizes[0] = 8; sizes[1] = 16; sizes[2] = 24; }
            extern "C" const char* ek_name() { return "avx2"; }
            extern "C" const char* ek_refused() { return nullptr; }
            """);

        var library = KernelLibrary.Examine(path, wanted: null);

        library.IsUsable.ShouldBeFalse();
        library.Problem!.ShouldContain("LayerArguments has 8 bytes there and");
    }

    [Fact]
    public void Examine_LibraryOfBeforeTheCheck_IsRefused()
    {
        var path = Compile("""extern "C" int ek_version() { return 3; }""");

        KernelLibrary.Examine(path, wanted: null).Problem!.ShouldContain("does not tell the sizes");
    }

    [Fact]
    public void Examine_SetThatDoesNotExist_RunsAnotherAndSaysSo()
    {
        var library = KernelLibrary.Examine(Own, wanted: "avx9");

        library.IsUsable.ShouldBeTrue();
        library.Problem!.ShouldContain("avx9");
    }

    [Fact]
    public void Report_Problem_IsWrittenInOneLine()
    {
        var errors = new StringWriter();

        KernelLibrary.Report(new KernelLibrary(null, null, "it is broken."), errors);

        errors.ToString().ShouldBe($"espalier: fused kernels are not used, training is several times slower: it is broken.{Environment.NewLine}");
    }

    [Fact]
    public void Report_NoProblem_WritesNothing()
    {
        var errors = new StringWriter();

        KernelLibrary.Report(KernelLibrary.Examine(Own, "plain"), errors);

        errors.ToString().ShouldBeEmpty();
    }

    private string Compile(string source)
    {
        var (file, library) = (Path.Combine(_folder, "other.cpp"), Path.Combine(_folder, $"libother{Guid.NewGuid():N}.so"));
        File.WriteAllText(file, source);
        using var compiler = Process.Start("c++", ["-shared", "-fPIC", "-o", library, file]);
        compiler.WaitForExit();
        compiler.ExitCode.ShouldBe(0);
        return library;
    }
}
