using Espalier.Contracts;

namespace Espalier.Surgery.Generation;

/// <summary>How the next token is chosen, and when to end.</summary>
public sealed record Sampling
{
    /// <summary>Most tokens to generate.</summary>
    /// <value>64</value>
    public int MaxTokens { get; init; } = 64;

    /// <summary>What logits are divided by; 0 takes the likeliest token every time.</summary>
    /// <value>0</value>
    public double Temperature { get; init; }

    /// <summary>Draws among the likeliest tokens whose probabilities add up to this (nucleus sampling, arXiv 1904.09751).</summary>
    /// <value>1: all of them</value>
    public double TopP { get; init; } = 1;

    /// <summary>Texts at which to end; they are left out.</summary>
    /// <value>none</value>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Of random numbers; the same seed gives the same text.</summary>
    /// <value>0</value>
    public long Seed { get; init; }

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="UserInputException">All that are out of range.</exception>
    public void Validate()
    {
        var problems = new List<Problem>();
        if (MaxTokens < 1)
            problems.Add(new Problem("max-tokens", 0, 0, $"{MaxTokens} is too few: at least 1."));
        if (Temperature is not (>= 0 and <= 100))
            problems.Add(new Problem("temperature", 0, 0, $"{Temperature} is out of range: allowed is 0 to 100."));
        if (TopP is not (> 0 and <= 1))
            problems.Add(new Problem("top-p", 0, 0, $"{TopP} is out of range: allowed is above 0, and at most 1."));
        if (Stop.Any(s => s.Length == 0))
            problems.Add(new Problem("stop", 0, 0, "an empty text would end everything at once: leave it out."));
        if (problems.Count > 0)
            throw new UserInputException(problems);
    }
}

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>The model ended it.</summary>
    End,

    /// <summary>It came to one of the texts to stop at.</summary>
    Stop,

    /// <summary>It has as many tokens as were asked for, or as the model can see.</summary>
    Length,
}

/// <summary>A generated text.</summary>
/// <param name="Text">The text, without the prompt.</param>
/// <param name="Tokens">Its tokens, without the one that ended it.</param>
/// <param name="Finish">Why it ended.</param>
public sealed record GeneratedText(string Text, IReadOnlyList<int> Tokens, FinishReason Finish);
