using static TorchSharp.torch;

namespace Espalier.Quantizer.Calibration;

/// <summary>Which tokens count, and how much, for the second moments of a matrix's input.</summary>
/// <param name="AllTokens">Whether every expert sees every token, instead of those routed to it.</param>
/// <param name="WeightByGate">Whether a token counts with the square of its combine weight.</param>
internal sealed record HessianRequest(bool AllTokens, bool WeightByGate);

/// <summary>H = (2 / n) sum_t x_t x_t^T over the inputs x_t of a matrix.</summary>
/// <param name="Hessian">(in, in) float64.</param>
/// <param name="Tokens">Number of inputs n.</param>
/// <param name="CalibrationTokens">Tokens of the whole calibration text; an expert sees a part of them.</param>
internal sealed record InputMoments(Tensor Hessian, long Tokens, long CalibrationTokens);
