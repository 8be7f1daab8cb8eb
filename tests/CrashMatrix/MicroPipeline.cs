using System.Text;

namespace Espalier.CrashMatrix;

/// <summary>The main job in miniature: trains, grows, prunes, quantizes, evaluates and registers a model in a second or two.</summary>
internal static class MicroPipeline
{
    /// <summary>A text that looks a little like language, the same every time.</summary>
    public static string Text()
    {
        string[] words =
        [
            "the", "old", "tree", "grows", "along", "a", "wall", "and", "bears", "fruit", "where", "sun", "falls", "each", "branch", "is", "tied",
            "with", "care",
        ];
        var random = new Random(1);
        var text = new StringBuilder();
        for (var paragraph = 0; paragraph < 60; paragraph++)
        {
            for (var word = 0; word < 60; word++)
                text.Append(words[random.Next(words.Length)]).Append(word % 12 == 11 ? ".\n" : " ");
            text.Append('\n');
        }
        return text.ToString();
    }

    /// <summary>The pipeline. Only the registered name differs between points, so everything else gives the same roots.</summary>
    /// <param name="textFile">The text.</param>
    /// <param name="model">The name that is registered.</param>
    /// <param name="retry">How often steps are tried; null for the default of pipelines.</param>
    public static string Write(string textFile, string model, string? retry = "{ attempts: 8, backoff: 300ms }")
    {
        var again = retry is null ? "" : $"retry: {retry}";
        return $$"""
            name: micro
            params: { text: "file:{{textFile}}" }
            stages:
              base:
                uses: train
                {{again}}
                with: { model: { family: olmoe, layers: 2, hidden: 32, heads: 2, experts: 4, top-k: 2, expert-size: 32, vocabulary: bytes },
                        data: "${text}", tokens: 2k, length: 32, batch: 4, checkpoint-steps: 2, seed: 7 }
              grown:
                uses: upcycle
                {{again}}
                needs: base
                with: { method: copy, multiplier: 2, router: { method: copy-noise }, seed: 7 }
              cpt:
                uses: train
                {{again}}
                needs: grown
                with: { data: "${text}", tokens: 1k, length: 32, batch: 4, checkpoint-steps: 2, seed: 7 }
              slim:
                uses: prune
                {{again}}
                needs: cpt
                with: { method: heapr, ratio: 0.25, calibration: { data: "${text}", samples: 4, length: 32 }, seed: 7 }
              int4:
                uses: quantize
                {{again}}
                needs: slim
                with: { method: gptq, bits: 4, group-size: 8, calibration: { data: "${text}", samples: 4, length: 32 }, seed: 7 }
              scores:
                uses: evaluate
                {{again}}
                needs: [base, cpt, int4]
                with: { tasks: [validation-loss, routing], data: "${text}", length: 32, max-documents: 6 }
              release:
                uses: register
                {{again}}
                needs: [int4, scores]
                with: { name: {{model}}, alias: candidate }
            """;
    }
}
