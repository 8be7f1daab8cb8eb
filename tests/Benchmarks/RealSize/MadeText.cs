using System.Globalization;

namespace Espalier.RealSize;

/// <summary>Text to calibrate and evaluate on: random weights learn nothing from it, so any will do.</summary>
internal static class MadeText
{
    private const int Documents = 40;
    private const int Sentences = 12;

    private static readonly string[] Words =
        "apple branch copper delta engine forest garden harbor island journey kettle lantern meadow needle orchard pepper quarry river".Split(' ');

    /// <summary>Writes some documents into a folder.</summary>
    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        for (var document = 0; document < Documents; document++)
            File.WriteAllText(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{document:00}.txt")), Text(document));
    }

    private static string Text(int document) => string.Join(
        ' ', Enumerable.Range(0, Sentences).Select(s => $"The {Word(document, s, 7)} of the {Word(document, s, 11)} is {s * document} steps from the "
            + $"{Word(document, s, 13)}."));

    private static string Word(int document, int sentence, int step) => Words[(document * step + sentence * (step + 2)) % Words.Length];
}
