// What the APIs answer, as the portal reads it. Names are those of the OpenAPI document; a test compares them with it.

export type Role = 'viewer' | 'submitter' | 'promoter' | 'admin';
export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
export type StepState = 'waiting' | 'ready' | 'running' | 'succeeded' | 'failed' | 'skipped' | 'cancelled' | 'cached';

export interface Session {
  'signed-in': boolean;
  role?: Role;
  name?: string;
  oidc: boolean;
}

export interface Page<T> {
  items: T[];
  next?: string | null;
}

// Orchestrator

export interface Run {
  'run-id': string;
  name: string;
  /** Which run of its name it is; 0 for one of old times. */
  ordinal: number;
  /** What people call it: its name and that number. */
  label: string;
  'file-name': string;
  state: RunState;
  message: string;
  'is-cancelling': boolean;
  created: string;
  started?: string;
  ended?: string;
  steps: Step[];
  counts?: Partial<Record<StepState, number>>;
  pipeline?: string;
  'pipeline-version'?: number;
  owner?: string;
  /** What for, in the words of whoever submitted it. */
  reason?: string;
  cause?: RunCause;
  /** Since when it is archived. */
  archived?: string;
}

/** Why a run exists that nobody started. */
export interface RunCause {
  trigger: string;
  event: number;
  kind: string;
  depth: number;
  /** Triggers that led here, oldest first; the last is the one that started the run. */
  chain: string[];
}

export interface Artifact {
  kind: 'checkpoint' | 'dataset' | 'report' | 'trainer-state';
  root: string;
  'size-bytes': number;
}

/** Why a step does not run yet. */
export interface StepWait {
  reason: 'upstream' | 'preparing' | 'same-work' | 'backoff' | 'no-worker' | 'other-code' | 'quota' | 'slots' | 'memory' | 'concurrency-group' | 'claim' | 'broker';
  text: string;
  since?: string;
  until?: string;
}

export interface Step {
  name: string;
  kind: string;
  state: StepState;
  attempts: number;
  worker?: string;
  key?: string;
  failure?: string;
  message: string;
  wait?: StepWait;
  done: number;
  total: number;
  started?: string;
  ended?: string;
  'is-implicit': boolean;
  needs: string[];
  outputs: Record<string, Artifact>;
  metrics: Record<string, number>;
  notes?: string[];
}

export interface StepProgress {
  step: { 'run-id': string; name: string; key: string };
  fence: number;
  phase: string;
  done: number;
  total: number;
  unit: string;
  metrics: Record<string, number>;
  log: string[];
  'expert-load'?: number[][];
}

export interface ProgressPoint {
  at: string;
  attempt: number;
  done: number;
  total: number;
  metrics: Record<string, number>;
  'expert-load'?: number[][];
}

export interface RunSource {
  'file-name': string;
  pipeline: string;
  parameters: Record<string, string>;
}

export interface PlannedInput {
  step: string;
  output: string;
  as: string;
}

export interface PlannedStep {
  name: string;
  description: string;
  kind: string;
  options: Record<string, unknown>;
  inputs: PlannedInput[];
  needs: string[];
  when?: string;
  device: string;
  line: number;
}

export interface RunPlan {
  name: string;
  steps: PlannedStep[];
  /** The text of a pipeline file with every option written out. */
  resolved: string;
}

/** A model that a run made, and its numbers. */
export interface ModelRow {
  model: string;
  kind: string;
  root: string;
  'total-parameters'?: number;
  'active-parameters'?: number;
  'stored-bytes': number;
  'new-bytes': number;
  loss?: number;
  'loss-low'?: number;
  'loss-high'?: number;
  'bits-per-byte'?: number;
  'tokens-per-second'?: number;
  seconds: number;
  cached: boolean;
}

/** Held-out loss of the first less that of the second. */
export interface LossDifference {
  first: string;
  second: string;
  value: number;
  low: number;
  high: number;
}

export interface RunResults {
  models: ModelRow[];
  differences: LossDifference[];
  verdict: string[];
  'xz-bits-per-byte'?: number;
}

export interface StepEstimate {
  name: string;
  decision: ResolvedStep['outlook'];
  seconds?: number;
  'new-bytes'?: number;
  'memory-bytes'?: number;
}

/** What a step took, and what it was expected to take. */
export interface StepCost {
  name: string;
  seconds?: number;
  'saved-seconds'?: number;
  'stored-bytes'?: number;
  'new-bytes'?: number;
  'peak-memory-bytes'?: number;
  estimate?: StepEstimate;
}

export interface RunCosts {
  steps: StepCost[];
  seconds: number;
  'saved-seconds': number;
  'new-bytes': number;
  'peak-memory-bytes': number;
  'is-partial': boolean;
}

export interface StepOutput {
  artifact: Artifact;
  files: OutputFile[];
}

export interface OutputFile {
  path: string;
  size: number;
  sha256?: string;
}

export interface Problem {
  place: string;
  line: number;
  column: number;
  message: string;
}

export interface ModelShape {
  layers: number;
  'hidden-size': number;
  experts: number;
  'experts-per-token': number;
  'expert-size': number;
  'total-parameters': number;
  'active-parameters': number;
}

export interface ResolvedStep {
  name: string;
  kind: string;
  device: string;
  needs: string[];
  line: number;
  'is-implicit': boolean;
  when?: string;
  key?: string;
  'is-cached': boolean;
  'is-offered': boolean;
  outlook: 'cached' | 'runs' | 'conditional' | 'skipped' | 'refused';
  reason: string;
  before?: ModelShape;
  after?: ModelShape;
  'new-bytes'?: number;
  'shared-bytes'?: number;
  'memory-bytes'?: number;
  seconds?: number;
}

export interface PipelineCheck {
  problems: Problem[];
  plan?: { name: string; parameters: Record<string, string>; steps: ResolvedStep[]; 'new-bytes': number; 'memory-bytes': number; seconds: number };
}

export interface Worker {
  name: string;
  device: string;
  slots: number;
  held: number;
  seen: string;
  free: number;
  since?: string;
  'memory-bytes'?: number;
  'held-bytes': number;
}

export interface Lease {
  'run-id': string;
  step: string;
  kind: string;
  attempt: number;
  worker: string;
  until: string;
  done: number;
  total: number;
  run: string;
  device: string;
  started?: string;
  'memory-bytes'?: number;
}

/** Steps that could run but for one reason; the text, the time and the run are those of the one that has waited longest. */
export interface WaitingSteps {
  kind: string;
  device: string;
  reason: string;
  text: string;
  number: number;
  since: string;
  'run-id': string;
  run: string;
  step: string;
}

/** A run beside others. */
export interface ComparedRun {
  run: Run;
  parameters: Record<string, string>;
  options: Record<string, string>;
}

export interface Queue {
  name: string;
  ready: number;
  consumers: number;
}

export interface PlatformStatus {
  'broker-answers': boolean;
  'broker-alarm'?: string;
  store?: { answers: boolean; problem: string };
  queues: Queue[];
  workers: Worker[];
  leases: Lease[];
  runs: Partial<Record<RunState, number>>;
  steps: { kind: string; device: string; state: StepState; number: number }[];
  waiting: WaitingSteps[];
  'outbox-depth': number;
}

/** Who is told of the end of a run. */
export interface Notice {
  target: string;
  'run-state': string;
  state: 'waiting' | 'sent' | 'failed';
  attempts: number;
  error: string;
}

export interface RunAccepted {
  'run-id': string;
  note?: string;
}

// Pipelines that have a name, and what starts them

export interface Pipeline {
  name: string;
  version: number;
  owner: string;
  created: string;
  triggers: Trigger[];
  'file-name'?: string;
  pipeline?: string;
  versions?: PipelineVersion[];
  warnings?: string[];
}

export interface PipelineVersion {
  version: number;
  owner: string;
  created: string;
}

export interface Trigger {
  name: string;
  pipeline: string;
  kind: string;
  enabled: boolean;
  /** Why it has paused itself; empty when it has not. */
  paused: string;
  failures: number;
  next?: string;
  settings: Record<string, unknown>;
  owner?: string;
  /** Why it starts nothing although it is on; empty when it does. */
  stopped: string;
  /** Why what it watches cannot be looked at, or not as a whole; empty when it can. */
  trouble: string;
  'trouble-since'?: string;
  firings?: Firing[];
}

export type FiringState = 'no-match' | 'refused' | 'skipped' | 'waiting' | 'started';

/** What a trigger made of an event. */
export interface Firing {
  trigger: string;
  event: number;
  state: FiringState;
  reason: string;
  parameters: Record<string, string>;
  run?: string;
  at: string;
  /** Which run of its concurrency group its own waits for. */
  wait?: StepWait;
}

export interface TriggerEvent {
  id: number;
  kind: string;
  at: string;
  fields: Record<string, unknown>;
  chain: string[];
  firings: Firing[];
}

export interface TriggerReplay {
  trigger: string;
  items: ReplayedEvent[];
}

export interface ReplayedEvent {
  event: number;
  at: string;
  state: FiringState;
  reason: string;
  parameters: Record<string, string>;
  happened?: Firing;
}

// Reports that stages write

export interface TrainReport {
  'total-parameters': number;
  'active-parameters': number;
  /** Step, tokens, and whatever was measured there. */
  history: Record<string, number>[];
  load: { step: number; layers: number[][] }[];
}

export interface EvaluationReport {
  kind: 'evaluation';
  models: {
    step: string;
    'total-parameters': number;
    'active-parameters': number;
    'weight-bytes': number;
    bytes: number;
    'validation-loss'?: { loss: Interval };
    routing?: { load: number[][]; layers: { 'co-activation': number[][] }[] };
  }[];
}

export interface Interval {
  value: number;
  low?: number;
  high?: number;
}

// Registry

export interface Model {
  name: string;
  description: string;
  tags: Record<string, string>;
  versions: number;
  latest: number;
  aliases: Record<string, number>;
  updated: string;
  created: string;
}

export interface Version {
  model: string;
  version: number;
  root: string;
  created: string;
  run?: string;
  step?: string;
  origin?: string;
  params: { total: number; active: number };
  shape: { family: string; layers: number; experts: number; 'experts-per-token': number };
  bytes: { logical: number; new: number };
  metrics: Record<string, Interval>;
  tags: Record<string, string>;
  aliases: string[];
  signed: boolean;
}

export interface Parent {
  root: string;
  relation: string;
  model?: string;
  version?: number;
}

export interface VersionFile {
  path: string;
  size: number;
  sha256?: string;
  etag: string;
}

export interface VersionDetails extends Version {
  config?: Record<string, unknown>;
  description: string;
  parents: Parent[];
  card: string;
  files: VersionFile[];
  receipts: Record<string, unknown>[];
  notes: string[];
}

/** A version's own numbers beside those of what it was made from and of the control. */
export interface VersionStanding {
  rows: StandingRow[];
  documents?: number;
}

export interface StandingRow {
  role: 'own' | 'parent' | 'control';
  step?: string;
  model?: string;
  version?: number;
  'total-parameters'?: number;
  'active-parameters'?: number;
  bytes?: number;
  loss?: Interval;
  'bits-per-byte'?: Interval;
  accuracy?: Interval;
  /** The version's loss less this one's. */
  difference?: Interval;
}

export interface Lineage {
  nodes: LineageNode[];
  /** From parent to child. */
  edges: { from: string; to: string; relation: string }[];
  bill: { seconds: number; 'saved-seconds': number };
}

export interface LineageNode {
  id: string;
  root: string;
  model?: string;
  version?: number;
  step?: string;
  kind: string;
  artifact: string;
  method?: string;
  seconds?: number;
  cached: boolean;
}

export interface Genealogy {
  ancestors: Ancestor[];
}

export interface Ancestor {
  root: string;
  model?: string;
  version?: number;
  step?: string;
  kind: string;
  method?: string;
  layer: number;
  experts: number[];
  tokens: number;
}

export interface AliasMove {
  alias: string;
  version?: number;
  previous?: number;
  actor: string;
  reason: string;
  'moved-at': string;
  kind: 'moved' | 'reverted' | 'removed';
}

export interface Gates {
  items: Gate[];
  decisions: GateDecision[];
}

export interface Gate {
  alias: string;
  rule: string;
  approvals: number;
}

export interface GateDecision {
  alias: string;
  version: number;
  allowed: boolean;
  rule: string;
  failed: string[];
  actor: string;
  at: string;
}

export interface Approvals {
  items: Approval[];
}

export interface Approval {
  alias: string;
  actor: string;
  approve: boolean;
  reason: string;
  at: string;
}

export interface Signatures {
  items: Signature[];
}

export interface Signature {
  'key-id': string;
  algorithm: string;
  'public-key': string;
  value: string;
  signer: string;
  created: string;
  'trusted-as'?: string;
}

export interface Verification {
  ok: boolean;
  checked: number;
  bytes: number;
  signatures: number;
  trusted: number;
  problem?: string;
}

export interface Comparison {
  config: ConfigDifference[];
  metrics: MetricDifference[];
  weights: LayerDifference[];
  bytes: ByteOverlap;
}

export interface ComparedVersions {
  items: ComparedVersion[];
}

export interface ComparedVersion {
  version: Version;
  config?: Record<string, unknown>;
}

export interface ConfigDifference {
  path: string;
  left?: unknown;
  right?: unknown;
}

/** Right less left; the interval is that of the paired difference. */
export interface MetricDifference {
  name: string;
  left?: number;
  right?: number;
  difference?: number;
  low?: number;
  high?: number;
}

export interface ByteOverlap {
  shared: number;
  'left-only': number;
  'right-only': number;
}

/** Layer -1 is everything outside the layers. */
export interface LayerDifference {
  layer: number;
  'relative-change'?: number;
  /** By expert on the right, against the expert on the left that it came from (`origins`). */
  experts: (number | null)[];
  origins: (number | null)[];
  router?: number;
  'router-cosines'?: RowCosines;
}

export interface RowCosines {
  mean: number;
  least: number;
}

export interface Storage {
  logical: number;
  physical: number;
  unreferenced: number;
  models: StoredVersion[];
  next?: string | null;
  at: string;
}

export interface StoredVersion {
  name: string;
  version: number;
  logical: number;
  frees: number;
}

export interface Collection {
  'dry-run': boolean;
  'registered-bytes': number;
  'cache-bytes': number;
  'position-bytes': number;
  'young-blobs': number;
  'young-bytes': number;
  'condemned-blobs': number;
  'condemned-bytes': number;
  'deleted-blobs': number;
  'deleted-bytes': number;
}
