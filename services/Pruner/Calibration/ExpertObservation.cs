using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>One expert's share of one calibration batch.</summary>
/// <param name="Expert">Expert index.</param>
/// <param name="Tokens">(T_e) rows of the batch's tokens that came to it, int64, ascending.</param>
/// <param name="Gates">(T_e) combine weights, float32.</param>
/// <param name="Hidden">(T_e, F) input of the down projection.</param>
/// <param name="Output">(T_e, H) output of the down projection, before the combine weight.</param>
/// <param name="Down">(H, F) down projection.</param>
/// <param name="Gradient">
/// (T_e, H) gradient of the summed loss at the output, so the combine weight is inside; null unless the method asked for gradients.
/// </param>
public sealed record ExpertObservation(int Expert, Tensor Tokens, Tensor Gates, Tensor Hidden, Tensor Output, Tensor Down, Tensor? Gradient);
