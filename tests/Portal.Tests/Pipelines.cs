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

    /// <summary>One model and what more training makes of it, both measured by one evaluation, both registered: versions 1 and 2.</summary>
    public static string Grown(string name, int seed) => $$"""
        name: {{name}}
        stages:
          base:
            uses: train
            with:
              model: { family: olmoe, layers: 2, hidden: 64, heads: 2, experts: 4, top-k: 2, expert-size: 64, vocabulary: bytes }
              data: corpus:tiny
              tokens: 4k
              length: 128
              batch: 4
              learning-rate: 3e-3
              balance: loss-free
              seed: {{seed}}
          more:
            uses: train
            needs: base
            with: { data: corpus:tiny, tokens: 8k, length: 128, batch: 4, learning-rate: 3e-3, balance: loss-free, seed: {{seed}} }
          scores:
            uses: evaluate
            needs: [base, more]
            with: { tasks: [validation-loss, routing], data: corpus:tiny, length: 128 }
          first:
            uses: register
            needs: [base, scores]
            with: { name: {{name}} }
          second:
            uses: register
            needs: [more, scores, first]
            with: { name: {{name}} }
        """.ReplaceLineEndings("\n");

    /// <summary>Steps one behind the other, the first of which waits until its gate opens.</summary>
    public static string Chain(string name, string gate, int length) => $$"""
        name: {{name}}
        stages:
          s0: { uses: noop, with: { text: {{name}}, units: 1, gate: "{{gate}}" } }
        {{string.Join('\n', Enumerable.Range(1, length - 1).Select(i => $"  s{i}: {{ uses: noop, needs: s{i - 1}, with: {{ text: {name}{i}, units: 1 }} }}"))}}
        """.ReplaceLineEndings("\n");

    /// <summary>A step that waits until its gate opens.</summary>
    public static string Waiting(string name, string gate) => $$"""
        name: {{name}}
        stages:
          half: { uses: noop, with: { text: {{name}}, units: 10, gate: "{{gate}}" } }
          after: { uses: noop, needs: half, with: { text: after, units: 1 } }
        """.ReplaceLineEndings("\n");

    /// <summary>A step that is over at once.</summary>
    public static string Quick(string name) => $$"""
        name: {{name}}
        stages:
          a: { uses: noop, with: { text: {{name}}, units: 1 } }
        """.ReplaceLineEndings("\n");

    /// <summary>A file that is well written and asks for what its stage refuses.</summary>
    public static string NothingToTrain(string name) => $$"""
        name: {{name}}
        stages:
          broken: { uses: train, with: { data: corpus:tiny, tokens: 4k, length: 128, batch: 4 } }
          scores: { uses: evaluate, needs: broken, with: { tasks: [validation-loss], data: corpus:tiny, length: 128 } }
        """.ReplaceLineEndings("\n");

    /// <summary>Says the name of each run of a pipeline that ends well.</summary>
    public static string Echo(string name, string of) => $$"""
        name: {{name}}
        params: { text: none } # what it says when nobody says anything else
        on:
          run.succeeded: { pipeline: {{of}}, when: event.version < 9, params: { text: "${event.pipeline}" } }
        stages:
          a: { uses: noop, with: { text: "${text}", units: 1 } }
        """.ReplaceLineEndings("\n");

    /// <summary>A pipeline with several triggers, each with something to see.</summary>
    public static string Nursery(string name, string of) => $$"""
        name: {{name}}
        params: { text: none }
        on:
          schedule: { cron: "30 2 * * *", time-zone: Europe/Berlin, catch-up: last, concurrency: { group: nursery, policy: skip } }
          model.registered: { model: "or*", when: event.version > 1, params: { text: "${event.model}" }, debounce: 1m, quota: { runs: 4, per: day } }
          run.succeeded: { pipeline: {{of}}, params: { text: "${event.pipeline}" }, priority: 5 }
          webhook: { secret: nursery, params: { text: "${event.body.text}" } }
        stages:
          a: { uses: noop, with: { text: "${text}", units: 1 } }
        """.ReplaceLineEndings("\n");

    /// <summary>Two triggers of one event: both watch a folder, and one has a name.</summary>
    public static string Watching(string name, string folder) => $$"""
        name: {{name}}
        params: { text: none }
        on:
          watch:
            - path: {{folder}}
            - { name: texts, path: {{folder}}, pattern: "*.txt", params: { text: "${event.name}" } }
        stages:
          a: { uses: noop, with: { text: "${text}", units: 1 } }
        """.ReplaceLineEndings("\n");
}
