namespace Espalier.Portal.Tests;

/// <summary>Pipelines that the tests run.</summary>
internal static class Pipelines
{
    /// <summary>A model so small that it trains in seconds, its scores, and its registration.</summary>
    public static string Trained(string name, int seed, string tokens = "48k") => $$"""
        name: {{name}}
        params: { tokens: {{tokens}} }
        stages:
          base:
            uses: train
            with:
              model: { family: olmoe, layers: 2, hidden: 64, heads: 2, experts: 4, top-k: 2, expert-size: 64, vocabulary: bytes }
              data: corpus:tiny
              tokens: ${tokens}
              length: 128
              batch: 4
              learning-rate: 3e-3
              balance: loss-free
              seed: {{seed}}
          scores:
            uses: evaluate
            needs: base
            with: { tasks: [validation-loss, routing], data: corpus:tiny, length: 128 }
          release:
            uses: register
            needs: [base, scores]
            with: { name: {{name}} }
        """.ReplaceLineEndings("\n");

    /// <summary>A step that waits until its gate opens.</summary>
    public static string Waiting(string name, string gate) => $$"""
        name: {{name}}
        stages:
          half: { uses: noop, with: { text: {{name}}, units: 10, gate: "{{gate}}" } }
          after: { uses: noop, needs: half, with: { text: after, units: 1 } }
        """.ReplaceLineEndings("\n");
}
