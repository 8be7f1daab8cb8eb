using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Tests;

public sealed class SplitRuleTests
{
    // Vectors of the FNV specification.
    [Theory]
    [InlineData("", 0xcbf29ce484222325UL)]
    [InlineData("a", 0xaf63dc4c8601ec8cUL)]
    [InlineData("foobar", 0x85944171f73967e8UL)]
    public void Fnv1a_KnownText_GivesThePublishedHash(string text, ulong expected) => StatelessRandom.Fnv1a(text).ShouldBe(expected);

    [Fact]
    public void Split_ManyDocuments_HoldsOutFivePercentAndKeepsEveryDocumentOnce()
    {
        var documents = Documents(4000);

        var splits = Split("d", documents);

        splits[DatasetSplits.HeldOut].Count.ShouldBeInRange(150, 250);
        splits[DatasetSplits.Validation].Count.ShouldBeInRange(150, 250);
        splits.Values.SelectMany(d => d).Select(d => d.Id).Order().ShouldBe(documents.Select(d => d.Id).Order());
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(3, 1)]
    [InlineData(7, 1)]
    public void Split_FewDocuments_LeavesNoSplitEmpty(int count, int validation)
    {
        for (var variant = 0; variant < 50; variant++)
        {
            var splits = Split($"domain-{variant}", Documents(count));

            splits[DatasetSplits.Train].ShouldNotBeEmpty();
            splits[DatasetSplits.HeldOut].ShouldNotBeEmpty();
            splits[DatasetSplits.Validation].Count.ShouldBeGreaterThanOrEqualTo(validation);
        }
    }

    [Fact]
    public void Split_MoreDocumentsLater_MovesNone()
    {
        var before = Split("d", Documents(500))[DatasetSplits.HeldOut].Select(d => d.Id);

        var after = Split("d", Documents(1000))[DatasetSplits.HeldOut].Select(d => d.Id);

        before.ShouldBeSubsetOf(after);
    }

    [Fact]
    public void Split_OneDocument_IsRefused() =>
        Should.Throw<UserInputException>(() => Split("d", Documents(1))).Message.ShouldContain("at least two");

    private static Dictionary<string, List<Document>> Split(string domain, List<Document> documents)
    {
        var splits = SplitRule.Assign(domain, [.. documents.Select(d => d.Id)]);
        return DatasetSplits.Stored.ToDictionary(split => split, split => documents.Where((_, i) => splits[i] == split).ToList());
    }

    private static List<Document> Documents(int count) => [.. Enumerable.Range(0, count).Select(i => new Document($"doc-{i}", $"text {i}"))];
}
