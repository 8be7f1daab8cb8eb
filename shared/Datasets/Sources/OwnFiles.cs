namespace Espalier.Datasets.Sources;

/// <summary>The files behind a source of the user's own text, as the dataset stage would read them: no links, nothing hidden, no pipes.</summary>
public static class OwnFiles
{
    /// <summary>The files, each with its path within the folder, in the order in which they are read; of a file, itself.</summary>
    /// <param name="isFolder">Whether the path is that of a folder.</param>
    /// <param name="path">Full path.</param>
    /// <exception cref="Contracts.UserInputException">There is none, it cannot be read, or it is too large.</exception>
    public static IReadOnlyList<(string File, string Name)> List(bool isFolder, string path) =>
        isFolder ? UserText.Files(path) : [(path, Path.GetFileName(path))];

    /// <summary>Opens one of them for reading from beginning to end.</summary>
    /// <exception cref="Contracts.UserInputException">It is not a regular file, too large, or cannot be read.</exception>
    public static Stream Open(string file) => OwnFile.Open(file);
}
