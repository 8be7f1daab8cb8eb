using Espalier.Contracts;

namespace Espalier.Pipelines.Text;

/// <summary>Collects everything that is wrong in one document, so that the user sees it at once.</summary>
/// <param name="place">File name, or the part of the request.</param>
public sealed class ProblemList(string place)
{
    private const int Limit = 100;
    private readonly List<Problem> _problems = [];

    /// <summary>File name, or the part of the request.</summary>
    public string Place { get; } = place;

    /// <summary>Number of problems so far.</summary>
    public int Count => _problems.Count;

    /// <summary>The problems in the order of the document, without repeats.</summary>
    public IReadOnlyList<Problem> Sorted => [.. _problems.Distinct().OrderBy(p => p.Line).ThenBy(p => p.Column).Take(Limit)];

    /// <summary>Adds a problem at a node.</summary>
    public void Add(PlacedNode node, string message) => Add(node.Line, node.Column, message);

    /// <summary>Adds a problem at a key.</summary>
    public void Add(PlacedEntry entry, string message) => Add(entry.Line, entry.Column, message);

    /// <summary>Adds a problem.</summary>
    public void Add(int line, int column, string message) => _problems.Add(new Problem(Place, line, column, message));

    /// <summary>Throws when there is any problem.</summary>
    /// <exception cref="UserInputException">With all of them.</exception>
    public void ThrowIfAny()
    {
        if (Count > 0)
            throw new UserInputException(Sorted);
    }
}
