using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Generation;
using Espalier.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Generation;

/// <summary>Generates text after prompts, all of them together, one token at a time.</summary>
public sealed class TextGenerator(MoeDecoder decoder, ITokenizer tokenizer)
{
    /// <summary>Generates.</summary>
    /// <param name="prompts">Texts to go on from; at least one.</param>
    /// <param name="sampling">How.</param>
    /// <param name="progress">Gets the text of the first prompt so far, whenever it has become longer.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>A text for each prompt, in their order. What one prompt gets does not depend on the others.</returns>
    /// <exception cref="UserInputException">A number is out of range, or a prompt is longer than the model can see.</exception>
    public IReadOnlyList<GeneratedText> Generate(
        IReadOnlyList<string> prompts, Sampling sampling, Action<string>? progress = null, CancellationToken cancellationToken = default)
    {
        sampling.Validate();
        var sequences = prompts.Select((prompt, i) => Begin(prompt, i, sampling)).ToList();
        var longest = sequences.Max(s => s.Prompt.Length);
        var room = ContextOf(decoder.Config);
        if (longest >= room)
        {
            throw new UserInputException(
                $"A prompt has {longest} tokens, and the model sees {decoder.Config.DescribeLongestInput()} with what is generated: shorten it.");
        }
        var steps = Math.Min(sampling.MaxTokens, room - longest);
        var filling = sequences.Select(s => longest - s.Prompt.Length).ToList();
        using var cache = new KeyValueCache(decoder.Config, filling, longest + steps, decoder.Device);
        var next = sequences.Zip(filling, (s, f) => (long[])[.. Enumerable.Repeat((long)tokenizer.EndTokenId, f), .. s.Prompt]).ToList();
        for (var step = 0; step < steps; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var logits = decoder.Continue(tensor([.. next.SelectMany(ids => ids)], [next.Count, next[0].Length], device: decoder.Device), cache).cpu();
            next = [.. sequences.Select((s, i) => new[] { (long)Take(s, logits[i], step, sampling) })];
            if (progress is not null && sequences[0].Grew)
                progress(sequences[0].Text);
            if (sequences.TrueForAll(s => s.Finish is not null))
                break;
        }
        return [.. sequences.Select(s => new GeneratedText(s.Text, s.Tokens, s.Finish ?? FinishReason.Length))];
    }

    // Longer sequences would need other angles for tokens whose keys are kept already.
    private static int ContextOf(ModelConfig config) =>
        config.RopeScaling is { Kind: RopeScalingKind.Dynamic } scaling ? scaling.OriginalPositions : config.LongestInput;

    private Sequence Begin(string prompt, int index, Sampling sampling)
    {
        var ids = tokenizer.EncodeFromStart(prompt);
        // A model needs something to go on from: what separates texts.
        return new Sequence(ids.Length > 0 ? ids : [tokenizer.BeginTokenId ?? tokenizer.EndTokenId], $"generation/{index}/{sampling.Seed}");
    }

    private int Take(Sequence sequence, Tensor logits, int step, Sampling sampling)
    {
        sequence.Grew = false;
        if (sequence.Finish is not null)
            return tokenizer.EndTokenId;
        var token = sampling.Temperature == 0 ? (int)logits.argmax().item<long>() : Draw(logits, sequence, step, sampling);
        if (token == tokenizer.EndTokenId)
        {
            sequence.Finish = FinishReason.End;
            return token;
        }
        sequence.Tokens.Add(token);
        var text = tokenizer.Decode([.. sequence.Tokens]);
        if (sampling.Stop.Select(s => text.IndexOf(s, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(-1).Min() is var end and >= 0)
            (sequence.Finish, text) = (FinishReason.Stop, text[..end]);
        // A character may take several tokens; until the last of them it is not shown.
        var shown = sequence.Finish is null ? text.TrimEnd('\uFFFD') : text;
        sequence.Grew = shown.Length > sequence.Shown;
        (sequence.Text, sequence.Shown) = (text, Math.Max(sequence.Shown, shown.Length));
        return token;
    }

    private static int Draw(Tensor logits, Sequence sequence, int step, Sampling sampling)
    {
        var (probabilities, ids) = (logits.to(float64) / sampling.Temperature).softmax(-1).sort(descending: true);
        var sorted = probabilities.data<double>().ToArray();
        var (kept, mass) = (0, 0.0);
        while (kept < sorted.Length && (kept == 0 || mass < sampling.TopP))
            mass += sorted[kept++];
        var point = RandomStream.SeedOf(step, sequence.Stream) / (double)long.MaxValue * mass;
        var chosen = 0;
        while (chosen < kept - 1 && (point -= sorted[chosen]) >= 0)
            chosen++;
        return (int)ids[chosen].item<long>();
    }

    private sealed class Sequence(int[] prompt, string stream)
    {
        public int[] Prompt { get; } = prompt;

        public string Stream { get; } = stream;

        public List<int> Tokens { get; } = [];

        public string Text { get; set; } = "";

        public int Shown { get; set; }

        public bool Grew { get; set; }

        public FinishReason? Finish { get; set; }
    }
}
