namespace Espalier.Architecture.Tests;

/// <summary>Every line of C# fits the width of a screen.</summary>
public sealed class LineLengthTests
{
    private const int Longest = 160;

    [Fact]
    public void Lines_OfEveryCSharpFile_FitTheWidthOfAScreen()
    {
        var files = Repository.CSharpFiles().ToList();

        var tooLong =
            from file in files
            from line in File.ReadLines(file).Select((text, index) => (text.Length, Number: index + 1))
            where line.Length > Longest
            select $"{Path.GetRelativePath(Repository.Root, file)}:{line.Number} has {line.Length} characters, at most {Longest} are allowed";

        files.ShouldNotBeEmpty();
        tooLong.ShouldBeEmpty();
    }
}
