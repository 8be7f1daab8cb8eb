using Espalier.Stages.Methods;
using Espalier.Surgery;
using Espalier.Upcycler.Duplication;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Upcycler.Tests.Duplication;

/// <summary>What each duplication method does to an expert; several tests are named after a defect of the published code.</summary>
public sealed class DuplicationMethodTests : IDisposable
{
    private const int Hidden = 32, Neurons = 64;

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Dictionary<string, Tensor> _source = Expert(1);
    private readonly Dictionary<string, Tensor> _peer = Expert(2);

    [Fact]
    public void CopyNoise_Spread_IsEachMatrixsOwn()
    {
        _source["up"].mul_(100);

        var made = Duplicate("copy-noise", new() { Noise = 0.01 });

        Relative(made, "gate").ShouldBe(0.01, 0.001);
        Relative(made, "up").ShouldBe(0.01, 0.001);
    }

    [Fact]
    public void CopyNoise_ConstantMatrix_GetsNoNoise()
    {
        _source["gate"].fill_(0.5);

        Duplicate("copy-noise", new())["gate"].eq(_source["gate"]).all().item<bool>().ShouldBeTrue();
    }

    [Fact]
    public void DropUpcycle_Neurons_AreTheSameInAllThreeMatrices()
    {
        var made = Duplicate("drop-upcycle", new() { Ratio = 0.3 });

        var changed = made.ToDictionary(m => m.Key, m => ChangedNeurons(m.Key, m.Value));
        changed["gate"].Count.ShouldBe((int)(0.3 * Neurons));
        changed["up"].ShouldBe(changed["gate"]);
        changed["down"].ShouldBe(changed["gate"]);
    }

    [Theory]
    [InlineData(NeuronInitializer.Statistics, 0.1)]
    [InlineData(NeuronInitializer.Normal, 0.1)]
    [InlineData(NeuronInitializer.Xavier, 0.1443)] // sqrt(2 / (32 + 64)), the fans of the whole matrix
    [InlineData(NeuronInitializer.Kaiming, 0.25)]  // sqrt(2 / 32)
    public void DropUpcycle_Initializer_HasTheSpreadOfTheWholeMatrix(NeuronInitializer initializer, double spread)
    {
        var made = Duplicate("drop-upcycle", new() { Ratio = 1, Initializer = initializer })["gate"];

        made.std().item<float>().ShouldBe((float)spread, (float)spread * 0.06f);
    }

    [Fact]
    public void DropUpcycle_NoWholeNeuron_IsACopy() => ShouldEqual(Duplicate("drop-upcycle", new() { Ratio = 0.01 }), _source);

    [Fact]
    public void ShuffleColumns_AllThreeTogether_KeepTheFunction()
    {
        var made = Duplicate("shuffle-columns", new());

        ChangedNeurons("gate", made["gate"]).Count.ShouldBeGreaterThan(Neurons / 2);
        (Run(made) - Run(_source)).abs().max().item<float>().ShouldBeLessThan(1e-5f);
    }

    [Fact]
    public void Interpolate_Mix_IsTheWeightOfTheOther()
    {
        var made = Duplicate("interpolate", new() { Mix = 0.25 });

        (made["down"] - (_source["down"] * 0.75 + _peer["down"] * 0.25)).abs().max().item<float>().ShouldBeLessThan(1e-6f);
    }

    [Fact]
    public void Orthogonal_Step_IsAtRightAnglesAndKeepsTheNorm()
    {
        var made = Duplicate("orthogonal", new() { Noise = 0.1 })["gate"];

        made.norm().item<float>().ShouldBe(_source["gate"].norm().item<float>(), 1e-4f);
        var cosine = ((made * _source["gate"]).sum() / (made.norm() * _source["gate"].norm())).item<float>();
        cosine.ShouldBe((float)(1 / Math.Sqrt(1.01)), 1e-4f); // the step has a tenth of the norm
    }

    [Fact]
    public void ScaledCopy_Output_IsScaledByTheFactor() =>
        (Run(Duplicate("scaled-copy", new() { Scale = 0.9 })) - Run(_source) * 0.9).abs().max().item<float>().ShouldBeLessThan(1e-5f);

    [Fact]
    public void ScaledCopy_AllMatrices_ScalesEach() =>
        ShouldEqual(Duplicate("scaled-copy", new() { Scale = 0.5, Matrices = ScaledMatrices.All }), _source.ToDictionary(m => m.Key, m => m.Value * 0.5));

    [Fact]
    public void SvdPerturb_NoNoise_IsTheSource() =>
        ShouldEqual(Duplicate("svd-perturb", new() { ValueNoise = 0, VectorNoise = 0 }), _source, 1e-5);

    [Fact]
    public void SvdPerturb_VectorNoise_IsNeitherSwampingNorFlippingSigns()
    {
        var made = Duplicate("svd-perturb", new() { ValueNoise = 0, VectorNoise = 0.05 });

        Relative(made, "gate").ShouldBeInRange(0.01, 0.12);
        var (u, s, _) = linalg.svd(_source["gate"], fullMatrices: false);
        var (_, values, _) = linalg.svd(made["gate"], fullMatrices: false);
        (values - s).abs().max().item<float>().ShouldBeLessThan(1e-4f);
    }

    [Fact]
    public void SvdMix_ReplacesPairsByTheOtherExperts()
    {
        var made = Duplicate("svd-mix", new() { Ratio = 1 })["gate"];

        var (_, s, _) = linalg.svd(_source["gate"], fullMatrices: false);
        var (u, _, vh) = linalg.svd(_peer["gate"], fullMatrices: false);
        (made - (u * s).matmul(vh)).abs().max().item<float>().ShouldBeLessThan(1e-5f);
    }

    [Fact]
    public void SvdMix_Ratio_MattersAndIsNotSvdPerturb()
    {
        var (few, many) = (Duplicate("svd-mix", new() { Ratio = 0.1 }), Duplicate("svd-mix", new() { Ratio = 0.7 }));

        Relative(few, "gate").ShouldBeLessThan(Relative(many, "gate"));
        ShouldEqual(Duplicate("svd-mix", new() { Ratio = 0 }), _source);
    }

    [Fact]
    public void SparseCodeMix_Codes_ComeFromTheOtherExpert()
    {
        var dense = new DuplicationOptions { Sparsity = 0, Iterations = 2000, Ratio = 0 };

        Relative(Duplicate("sparse-code-mix", dense), "gate").ShouldBeLessThan(0.3);
        var other = Duplicate("sparse-code-mix", dense with { Ratio = 1 })["gate"];
        ((other - _peer["gate"]).norm() / _peer["gate"].norm()).item<float>().ShouldBeLessThan(0.3f);
    }

    public void Dispose() => _scope.Dispose();

    private static Dictionary<string, Tensor> Expert(ulong seed) => new()
    {
        ["gate"] = randn([Neurons, Hidden], generator: new Generator(seed)) * 0.1,
        ["up"] = randn([Neurons, Hidden], generator: new Generator(seed + 10)) * 0.1,
        ["down"] = randn([Hidden, Neurons], generator: new Generator(seed + 20)) * 0.1,
    };

    private Dictionary<string, Tensor> Duplicate(string name, DuplicationOptions options) => _source.ToDictionary(m => m.Key, m =>
        MethodCatalog<IExpertDuplication>.Get(name, "duplication.method").Duplicate(
            new ExpertMatrix(m.Key, m.Value, new KeyedRandom(1, 0, m.Key), () => new KeyedRandom(1, 0, "expert"), () => _peer[m.Key]), options));

    private double Relative(Dictionary<string, Tensor> made, string matrix) => ((made[matrix] - _source[matrix]).norm() / _source[matrix].norm()).item<float>();

    private List<long> ChangedNeurons(string matrix, Tensor made) =>
        [.. made.ne(_source[matrix]).any(matrix == "down" ? 0 : 1).nonzero().flatten().data<long>().ToArray()];

    private static Tensor Run(Dictionary<string, Tensor> expert)
    {
        var x = randn([8, Hidden], generator: new Generator(5));
        return (silu(x.matmul(expert["gate"].t())) * x.matmul(expert["up"].t())).matmul(expert["down"].t());
    }

    private static void ShouldEqual(Dictionary<string, Tensor> made, Dictionary<string, Tensor> expected, double tolerance = 0)
    {
        foreach (var (matrix, value) in made)
            (value - expected[matrix]).abs().max().item<float>().ShouldBeLessThanOrEqualTo((float)tolerance, matrix);
    }
}
