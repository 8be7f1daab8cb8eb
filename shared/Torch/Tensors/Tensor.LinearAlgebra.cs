namespace TorchSharp;

public static partial class torch
{
    // Products and matrices.
    public unsafe partial class Tensor
    {
        /// <summary>Matrix product; leading dimensions are batches.</summary>
        public Tensor matmul(Tensor target) => Made(Native.et_matmul(Handle, target.Handle), target);

        /// <summary>Product of two matrices.</summary>
        public Tensor mm(Tensor target) => Made(Native.et_mm(Handle, target.Handle), target);

        /// <summary>Product of a matrix and a vector.</summary>
        public Tensor mv(Tensor target) => Made(Native.et_mv(Handle, target.Handle), target);

        /// <summary>Product of two batches of matrices.</summary>
        public Tensor bmm(Tensor batch2) => Made(Native.et_bmm(Handle, batch2.Handle), batch2);

        /// <summary>Inner product of two vectors.</summary>
        public Tensor dot(Tensor target) => Made(Native.et_dot(Handle, target.Handle), target);

        /// <summary>Inner product of two vectors.</summary>
        public Tensor vdot(Tensor target) => Made(Native.et_vdot(Handle, target.Handle), target);

        /// <summary>Sum of products over the last dimensions.</summary>
        public Tensor inner(Tensor vec2) => Made(Native.et_inner(Handle, vec2.Handle), vec2);

        /// <summary>Every product of an element of one and an element of the other.</summary>
        public Tensor outer(Tensor vec2) => Made(Native.et_outer(Handle, vec2.Handle), vec2);

        /// <summary>Kronecker product.</summary>
        public Tensor kron(Tensor other) => Made(Native.et_kron(Handle, other.Handle), other);

        /// <summary><see cref="outer"/>.</summary>
        public Tensor ger(Tensor vec2) => outer(vec2);

        /// <summary>beta * this + alpha * mat1 mat2.</summary>
        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Made(Native.et_addmm(Handle, mat1.Handle, mat2.Handle, beta, alpha), mat1, mat2);

        /// <summary><see cref="addmm"/>, in place.</summary>
        public Tensor addmm_(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Changed(Native.et_addmm_(Handle, mat1.Handle, mat2.Handle, beta, alpha), mat1, mat2);

        /// <summary>beta * this + alpha * mat vec.</summary>
        public Tensor addmv(Tensor mat, Tensor vec, float beta = 1, float alpha = 1) =>
            Made(Native.et_addmv(Handle, mat.Handle, vec.Handle, beta, alpha), mat, vec);

        /// <summary><see cref="addmv"/>, in place.</summary>
        public Tensor addmv_(Tensor mat, Tensor vec, float beta = 1, float alpha = 1) =>
            Changed(Native.et_addmv_(Handle, mat.Handle, vec.Handle, beta, alpha), mat, vec);

        /// <summary>beta * this + alpha * (outer product of vec1 and vec2).</summary>
        public Tensor addr(Tensor vec1, Tensor vec2, float beta = 1, float alpha = 1) =>
            Made(Native.et_addr(Handle, vec1.Handle, vec2.Handle, beta, alpha), vec1, vec2);

        /// <summary><see cref="addr"/>, in place.</summary>
        public Tensor addr_(Tensor vec1, Tensor vec2, float beta = 1, float alpha = 1) =>
            Changed(Native.et_addr_(Handle, vec1.Handle, vec2.Handle, beta, alpha), vec1, vec2);

        /// <summary>beta * this + alpha * (sum of the products of both batches).</summary>
        public Tensor addbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
            Made(Native.et_addbmm(Handle, batch1.Handle, batch2.Handle, beta, alpha), batch1, batch2);

        /// <summary><see cref="addbmm"/>, in place.</summary>
        public Tensor addbmm_(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
            Changed(Native.et_addbmm_(Handle, batch1.Handle, batch2.Handle, beta, alpha), batch1, batch2);

        /// <summary>beta * this + alpha * (products of both batches).</summary>
        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
            Made(Native.et_baddbmm(Handle, batch1.Handle, batch2.Handle, beta, alpha), batch1, batch2);

        /// <summary>Sum of products over these pairs of dimensions.</summary>
        public Tensor tensordot(Tensor b, long[] dims1, long[] dims2)
        {
            fixed (long* mine = dims1, others = dims2)
                return Made(Native.et_tensordot(Handle, b.Handle, mine, others, dims1.Length), b);
        }

        /// <summary>Sum of products over the last dimensions of this and the first ones of b.</summary>
        public Tensor tensordot(Tensor b, long dims = 2) =>
            tensordot(b, [.. Enumerable.Range(0, (int)dims).Select(i => i - dims)], [.. Enumerable.Range(0, (int)dims).Select(i => (long)i)]);

        /// <summary>Sum of the diagonal.</summary>
        public Tensor trace() => Made(Native.et_trace(Handle));

        /// <summary>The inverse of the matrix of which this is the triangular factor.</summary>
        public Tensor cholesky_inverse(bool upper = false) => Made(Native.et_cholesky_inverse(Handle, upper));

        /// <summary>Solves A x = this, where input2 is the triangular factor of A.</summary>
        public Tensor cholesky_solve(Tensor input2, bool upper = false) =>
            Made(Native.et_cholesky_solve(Handle, input2.Handle, upper), input2);

        /// <summary>Determinant.</summary>
        public Tensor det() => Made(Native.et_linalg_det(Handle));

        /// <summary>Inverse matrix.</summary>
        public Tensor inverse() => Made(Native.et_linalg_inv(Handle));

        /// <summary>Matrix exponential.</summary>
        public Tensor matrix_exp() => Made(Native.et_linalg_matrix_exp(Handle));

        /// <summary>The matrix multiplied with itself n times.</summary>
        public Tensor matrix_power(int n) => Made(Native.et_matrix_power(Handle, n));
    }
}
