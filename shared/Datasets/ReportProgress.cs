namespace Espalier.Datasets;

/// <summary>Takes progress of work on text. Calls are cheap and may come often.</summary>
/// <param name="phase">What is being done, in words.</param>
/// <param name="done">Units done.</param>
/// <param name="total">Units in all.</param>
/// <param name="unit">Name of the unit.</param>
public delegate void ReportProgress(string phase, long done, long total, string unit);
