// Training speed of the quickstart's model, for comparison with train_peer.py: same shape, same random-token workload.
// Options as there: --experts 16 --vocabulary 2048 --steps 20 --precision bf16 --threads 2 --profile
using System.Diagnostics;
using System.Globalization;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

int Option(string name, int fallback) =>
    Array.IndexOf(args, "--" + name) is >= 0 and var i ? int.Parse(args[i + 1], CultureInfo.InvariantCulture) : fallback;

var isBf16 = Array.IndexOf(args, "--precision") is >= 0 and var at && args[at + 1] == "bf16";
var (hidden, heads, vocabulary, batch, length, steps) =
    (Option("hidden", 128), Option("heads", 4), Option("vocabulary", 2048), Option("batch", 16), Option("length", 128), Option("steps", 20));
if (Option("threads", 0) is > 0 and var threads)
    set_num_threads(threads);
var config = ModelConfig.Tiny() with
{
    VocabularySize = vocabulary, HiddenSize = hidden, Layers = Option("layers", 4), Heads = heads, KeyValueHeads = heads, HeadSize = hidden / heads,
    Experts = Option("experts", 8), ExpertsPerToken = Option("top-k", 2), ExpertSize = Option("expert-size", 256), MaxPositions = length,
};
using var decoder = MoeDecoder.Create(config, seed: 1);
decoder.ComputeType = isBf16 ? ScalarType.BFloat16 : ScalarType.Float32;
using var optimizer = new AdamW(decoder.Buffer);
var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings());
var times = new List<double>();
for (var step = 0; step < steps + 3; step++)
{
    using var scope = NewDisposeScope();
    var tokens = randint(vocabulary, [batch, length + 1], dtype: int64, generator: RandomStream.For(step, "tokens"));
    var begin = Stopwatch.GetTimestamp();
    trainer.Step([tokens], learningRate: 1e-3);
    if (step >= 3)
        times.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds);
}
times.Sort();
var cpu = Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"ours precision={(isBf16 ? "bf16" : "fp32")} threads={get_num_threads()} parameters={config.TotalParameters} tokens-per-second={batch * length / times[times.Count / 2]:f0} cpu-seconds={cpu:f1}"));
