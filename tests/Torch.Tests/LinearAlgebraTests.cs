using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class LinearAlgebraTests : TensorTest
{
    private readonly Tensor _a = tensor(new double[,] { { 4, 1, 0 }, { 1, 3, 1 }, { 0, 1, 2 } });

    [Fact]
    public void Products_OfMatricesAndVectors()
    {
        var m = Matrix(2, 1, 2, 3, 4);

        m.mm(m).ShouldHold(7f, 10f, 15f, 22f);
        m.matmul(Floats(1, 1)).ShouldHold(3f, 7f);
        m.mv(Floats(1, 0)).ShouldHold(1f, 3f);
        Floats(1, 2).dot(Floats(3, 4)).ShouldHold(11f);
        Floats(1, 2).outer(Floats(3, 4)).ShouldHold(3f, 4f, 6f, 8f);
        stack([m, m]).bmm(stack([m, m])).shape.ShouldBe([2L, 2L, 2L]);
        ones(2, 2).addmm(m, m, beta: 2, alpha: 1).ShouldHold(9f, 12f, 17f, 24f);
        torch.addmm(ones(2, 2), m, m, 0, 1).ShouldHold(7f, 10f, 15f, 22f);
        ones(1, 2, 2).baddbmm(m.unsqueeze(0), m.unsqueeze(0)).ShouldHold(8f, 11f, 16f, 23f);
        einsum("ij,kj->ik", m, m).ShouldHold(5f, 11f, 11f, 25f);
    }

    [Fact]
    public void Svd_OfAMatrix_RebuildsIt()
    {
        var matrix = arange(6, dtype: float64).view(2, 3);

        var (u, s, vh) = linalg.svd(matrix, fullMatrices: false);

        u.matmul(s.diag()).matmul(vh).allclose(matrix).ShouldBeTrue();
        s.shape.ShouldBe([2L]);
        linalg.svdvals(matrix).allclose(s).ShouldBeTrue();
    }

    [Fact]
    public void Qr_OfAMatrix_RebuildsItFromOrthogonalAndTriangular()
    {
        var (q, r) = linalg.qr(_a);

        q.matmul(r).allclose(_a).ShouldBeTrue();
        q.t().matmul(q).allclose(eye(3, dtype: float64)).ShouldBeTrue();
        r.tril(-1).abs().max().ToDouble().ShouldBe(0, 1e-12);
    }

    [Fact]
    public void Cholesky_OfAPositiveMatrix_InvertsAndSolves()
    {
        var factor = linalg.cholesky(_a);

        factor.matmul(factor.t()).allclose(_a).ShouldBeTrue();
        cholesky_inverse(factor).matmul(_a).allclose(eye(3, dtype: float64)).ShouldBeTrue();
        linalg.inv(_a).matmul(_a).allclose(eye(3, dtype: float64)).ShouldBeTrue();
        _a.matmul(linalg.solve(_a, ones(3, 1, dtype: float64))).allclose(ones(3, 1, dtype: float64)).ShouldBeTrue();
        factor.matmul(linalg.solve_triangular(factor, ones(3, 1, dtype: float64), upper: false)).allclose(ones(3, 1, dtype: float64)).ShouldBeTrue();
    }

    [Fact]
    public void CholeskyEx_OfAnIndefiniteMatrix_ReportsInsteadOfThrowing()
    {
        var (_, info) = linalg.cholesky_ex(-_a);

        info.item<int>().ShouldBeGreaterThan(0);
        Should.Throw<System.Runtime.InteropServices.ExternalException>(() => linalg.cholesky(-_a)).Message.ShouldContain("positive-definite");
    }

    [Fact]
    public void Eigh_OfASymmetricMatrix_RebuildsIt()
    {
        var (values, vectors) = linalg.eigh(_a);

        vectors.matmul(values.diag()).matmul(vectors.t()).allclose(_a).ShouldBeTrue();
    }

    [Fact]
    public void Norms_ByOrderAndName()
    {
        linalg.vector_norm(Floats(3, -4), 1).ShouldHold(7f);
        linalg.vector_norm(Matrix(2, 3, 4, 6, 8), dims: [1]).ShouldHold(5f, 10f);
        linalg.norm(Matrix(2, 1, 2, 2, 4)).ShouldHold(5f);
        linalg.norm(Matrix(2, 1, 2, 2, 4), "fro").ShouldHold(5f);
        linalg.det(_a).ToDouble().ShouldBe(18, 1e-9);
    }

    [Fact]
    public void Shapes_ThatDoNotFit_CarryTheMessageOfLibTorch()
    {
        var error = Should.Throw<System.Runtime.InteropServices.ExternalException>(() => zeros(2, 3).mm(zeros(2, 3)));

        error.Message.ShouldContain("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
    }
}
