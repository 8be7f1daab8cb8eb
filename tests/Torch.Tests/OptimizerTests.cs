using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class OptimizerTests : TensorTest
{
    [Fact]
    public void AdamW_Steps_EqualTheFormula()
    {
        const double lr = 0.1, beta1 = 0.9, beta2 = 0.99, eps = 1e-8, decay = 0.01;
        var parameter = new Parameter(tensor(new[] { 1.0, -2.0 }));
        using var optimizer = optim.AdamW([parameter], lr, beta1, beta2, eps, decay);
        double[] p = [1, -2], m = [0, 0], v = [0, 0];

        for (int t = 1; t <= 3; t++)
        {
            optimizer.zero_grad();
            parameter.pow(2).sum().backward();
            optimizer.step();

            for (int i = 0; i < p.Length; i++)
            {
                double g = 2 * p[i];
                p[i] -= lr * decay * p[i];
                m[i] = beta1 * m[i] + (1 - beta1) * g;
                v[i] = beta2 * v[i] + (1 - beta2) * g * g;
                p[i] -= lr * (m[i] / (1 - Math.Pow(beta1, t))) / (Math.Sqrt(v[i] / (1 - Math.Pow(beta2, t))) + eps);
            }
        }

        double[] actual = parameter.data<double>().ToArray();
        for (int i = 0; i < p.Length; i++)
            actual[i].ShouldBe(p[i], 1e-12);
    }

    [Fact]
    public void ParamGroups_HaveTheirOwnLearningRates()
    {
        var frozen = new Parameter(ones(1));
        var moving = new Parameter(ones(1));
        using var optimizer = optim.AdamW([
            new AdamW.ParamGroup([frozen], lr: 0),
            new AdamW.ParamGroup([moving], lr: 0.5),
        ]);

        (frozen.pow(2) + moving.pow(2)).sum().backward();
        optimizer.step();

        frozen.ShouldHold(1f);
        moving.ShouldHold(0.5f);
        optimizer.ParamGroups.Last().LearningRate.ShouldBe(0.5);
        optimizer.parameters().Count().ShouldBe(2);
    }

    [Fact]
    public void LearningRate_Set_RulesTheNextStep()
    {
        var parameter = new Parameter(ones(1));
        using var optimizer = optim.AdamW([parameter], lr: 0.5);
        foreach (var group in optimizer.ParamGroups)
            group.LearningRate = 0.25;

        parameter.sum().backward();
        optimizer.step();

        parameter.ShouldHold(0.75f);
    }

    [Fact]
    public void State_CopiedToAnotherOptimizer_ContinuesTheSame()
    {
        var (first, second) = (new Parameter(ones(2)), new Parameter(ones(2)));
        using var one = optim.AdamW([first]);
        using var other = optim.AdamW([second]);
        Step(first, one);
        using (no_grad())
            second.copy_(first);

        var (from, to) = ((AdamW.State)one.state_dict().State[0], (AdamW.State)other.state_dict().State[0]);
        to.step = from.step;
        to.exp_avg.copy_(from.exp_avg);
        to.exp_avg_sq.copy_(from.exp_avg_sq);
        Step(first, one);
        Step(second, other);

        second.Equals(first).ShouldBeTrue();
    }

    private static void Step(Parameter parameter, AdamW optimizer)
    {
        optimizer.zero_grad();
        parameter.pow(2).sum().backward();
        optimizer.step();
    }

    [Fact]
    public void ClipGradNorm_ScalesToTheLimit()
    {
        var parameter = new Parameter(ones(2));
        parameter.grad = Floats(3, 4);

        nn.utils.clip_grad_norm_([parameter], 1).ShouldBe(5, 1e-6);

        parameter.grad!.ShouldHold(0.6f, 0.8f);
        nn.utils.clip_grad_norm_([parameter], 10).ShouldBe(1, 1e-5);
        parameter.grad!.ShouldHold(0.6f, 0.8f);
    }
}
