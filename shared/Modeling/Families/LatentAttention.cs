namespace Espalier.Modeling;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): keys and values come from one narrow latent vector per
/// token, positions from a small rotary part beside it that all heads share.
/// </summary>
/// <param name="QueryRank">Width of the queries' latent vector; null when queries are projected directly.</param>
/// <param name="KeyValueRank">Width of the latent vector of keys and values.</param>
/// <param name="PlainSize">Width per head without position, dn.</param>
/// <param name="RotarySize">Width per head with position, dr; even.</param>
/// <param name="ValueSize">Width per head of the values, dv.</param>
/// <param name="Interleaved">Whether rotary pairs lie side by side (2j, 2j + 1) instead of half a width apart.</param>
public sealed record LatentAttention(int? QueryRank, int KeyValueRank, int PlainSize, int RotarySize, int ValueSize, bool Interleaved)
{
    /// <summary>Added to the mean square in the norms of the latent vectors, whatever the model's own.</summary>
    public const double NormEpsilon = 1e-6;
}
