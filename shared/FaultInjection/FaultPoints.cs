namespace Espalier.FaultInjection;

/// <summary>
/// Every place where a test can make this platform fail: each boundary at which a message leaves or arrives, and each at which
/// something becomes durable. A test checks that every one of them is reached; the crash matrix stops a process at each.
/// </summary>
public static class FaultPoints
{
    /// <summary>Orchestrator: a claim arrived, nothing is written.</summary>
    public const string ClaimReceived = "claim-received";

    /// <summary>Orchestrator: the attempt is written, its assignment is not sent.</summary>
    public const string ClaimAnswer = "claim-answer";

    /// <summary>Orchestrator: a heartbeat arrived.</summary>
    public const string HeartbeatReceived = "heartbeat-received";

    /// <summary>Orchestrator: the lease is renewed, the answer is not sent.</summary>
    public const string HeartbeatAnswer = "heartbeat-answer";

    /// <summary>Orchestrator: a result arrived, nothing is written.</summary>
    public const string FinishReceived = "finish-received";

    /// <summary>Orchestrator: the result is written, the answer is not sent.</summary>
    public const string FinishAnswer = "finish-answer";

    /// <summary>Orchestrator: a failure or a release arrived, nothing is written.</summary>
    public const string FailureReceived = "failure-received";

    /// <summary>Orchestrator: the run is written, the client was not told.</summary>
    public const string SubmitAnswer = "submit-answer";

    /// <summary>Orchestrator: progress arrived.</summary>
    public const string ProgressReceived = "progress-received";

    /// <summary>Orchestrator: a worker's offer arrived.</summary>
    public const string OfferReceived = "offer-received";

    /// <summary>Orchestrator: a step's needs are done and its key is known, nothing is written.</summary>
    public const string StepPrepare = "step-prepare";

    /// <summary>Orchestrator: messages are taken from the outbox, none is sent.</summary>
    public const string OutboxTaken = "outbox-taken";

    /// <summary>Orchestrator: a message of the outbox is confirmed by the broker, its row still exists.</summary>
    public const string OutboxSent = "outbox-sent";

    /// <summary>Orchestrator: confirmed messages are forgotten.</summary>
    public const string OutboxRemoved = "outbox-removed";

    /// <summary>Orchestrator: every statement of a transaction is done, the commit is not.</summary>
    public const string LedgerCommit = "ledger-commit";

    /// <summary>Orchestrator: a transaction is committed, its caller does not know yet.</summary>
    public const string LedgerCommitted = "ledger-committed";

    /// <summary>Worker: a hint arrived.</summary>
    public const string HintReceived = "hint-received";

    /// <summary>Worker: about to claim.</summary>
    public const string ClaimSend = "claim-send";

    /// <summary>Worker: it holds an assignment and has not begun.</summary>
    public const string ClaimGranted = "claim-granted";

    /// <summary>Worker: about to send a heartbeat.</summary>
    public const string HeartbeatSend = "heartbeat-send";

    /// <summary>Worker: the stage is done, its result is not committed.</summary>
    public const string StepCommit = "step-commit";

    /// <summary>Worker: the result is committed, its receipt is not written.</summary>
    public const string StepCommitted = "step-committed";

    /// <summary>Worker: the receipt is written, the cursor still exists.</summary>
    public const string ReceiptWritten = "receipt-written";

    /// <summary>Worker: the result is committed, the orchestrator was not told.</summary>
    public const string FinishSend = "finish-send";

    /// <summary>Worker: the orchestrator has heard of the result.</summary>
    public const string FinishAcknowledged = "finish-acknowledged";

    /// <summary>Worker: about to report a failure or to give a step back.</summary>
    public const string FailureSend = "failure-send";

    /// <summary>Worker: about to publish progress.</summary>
    public const string ProgressSend = "progress-send";

    /// <summary>Work process: the assignment is read, the stage has not begun.</summary>
    public const string WorkBegin = "work-begin";

    /// <summary>Work process: the stage is done, the worker was not told.</summary>
    public const string WorkResult = "work-result";

    /// <summary>Work process: about to save the position.</summary>
    public const string CursorSave = "cursor-save";

    /// <summary>Work process: the position is saved.</summary>
    public const string CursorSaved = "cursor-saved";

    /// <summary>Store: bytes are about to be written; can tear the write.</summary>
    public const string BlobWrite = "blob-write";

    /// <summary>Store: bytes are written under a temporary name.</summary>
    public const string BlobPublish = "blob-publish";

    /// <summary>Store: bytes have their name.</summary>
    public const string BlobPublished = "blob-published";

    /// <summary>Store: every blob of a manifest is stored, the manifest is not.</summary>
    public const string ManifestPublish = "manifest-publish";

    /// <summary>Store: a manifest is stored.</summary>
    public const string ManifestPublished = "manifest-published";

    /// <summary>Store: a small record is about to get its name.</summary>
    public const string RecordPublish = "record-publish";

    /// <summary>Every point.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        ClaimReceived, ClaimAnswer, HeartbeatReceived, HeartbeatAnswer, FinishReceived, FinishAnswer, FailureReceived, SubmitAnswer,
        ProgressReceived, OfferReceived, StepPrepare, OutboxTaken, OutboxSent, OutboxRemoved, LedgerCommit, LedgerCommitted,
        HintReceived, ClaimSend, ClaimGranted, HeartbeatSend, StepCommit, StepCommitted, ReceiptWritten, FinishSend,
        FinishAcknowledged, FailureSend, ProgressSend, WorkBegin, WorkResult, CursorSave, CursorSaved, BlobWrite, BlobPublish,
        BlobPublished, ManifestPublish, ManifestPublished, RecordPublish,
    ];
}
