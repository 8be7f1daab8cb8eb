namespace Espalier.Tokenizers;

/// <summary>Whether a beginning-of-text token stands before every document.</summary>
public enum BosUse
{
    /// <summary>As the tokenizer's own configuration says.</summary>
    Tokenizer,

    /// <summary>Yes, whatever the configuration says.</summary>
    Always,

    /// <summary>No, whatever the configuration says.</summary>
    Never,
}

/// <summary>Where a model's tokens come from.</summary>
public enum TokenizerChoice
{
    /// <summary>From the tokenizer files beside it; a model without any is refused.</summary>
    Model,

    /// <summary>UTF-8 bytes where the model has no tokenizer file of any kind; else from its files.</summary>
    Bytes,
}

/// <summary>What a task asks of a tokenizer.</summary>
/// <param name="Bos">Whether documents begin with the beginning-of-text token.</param>
/// <param name="Choice">Whether bytes may stand in for a tokenizer that is not there.</param>
public sealed record TokenizerUse(BosUse Bos = BosUse.Tokenizer, TokenizerChoice Choice = TokenizerChoice.Model);
