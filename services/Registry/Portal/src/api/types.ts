// What the APIs answer. All but what comes in events and reports is made from the documents in which the services describe themselves.

import type { components as OrchestratorParts } from './generated/orchestrator';
import type { components as RegistryParts } from './generated/registry';

type Orchestrator = OrchestratorParts['schemas'];
type Registry = RegistryParts['schemas'];

export interface Page<T> {
  items: T[];
  next?: string;
}

// Orchestrator

export type ComparedRun = Orchestrator['ComparedRun'];
export type Firing = Orchestrator['FiringView'];
export type FiringState = Orchestrator['FiringState'];
export type Lease = Orchestrator['LeaseView'];
export type LossDifference = Orchestrator['LossDifference'];
export type ModelRow = Orchestrator['ModelRow'];
export type ModelShape = Orchestrator['ModelShape'];
export type OutputFile = Orchestrator['OutputFileView'];
export type Pipeline = Orchestrator['PipelineView'];
export type PipelineCheck = Orchestrator['PipelineCheck'];
export type PlannedInput = Orchestrator['PlannedInput'];
export type PlannedStep = Orchestrator['PlannedStep'];
export type PlatformStatus = Orchestrator['PlatformStatus'];
export type Problem = Orchestrator['Problem'];
export type ProgressPoint = Orchestrator['ProgressPoint'];
export type Queue = Orchestrator['QueueState'];
export type ResolvedStep = Orchestrator['ResolvedStep'];
export type Role = Orchestrator['ApiRole'];
export type Run = Orchestrator['RunView'];
export type RunCause = Orchestrator['RunCause'];
export type RunCosts = Orchestrator['RunCosts'];
export type RunPlan = Orchestrator['RunPlanView'];
export type RunResults = Orchestrator['RunResults'];
export type RunState = Orchestrator['RunState'];
export type Step = Orchestrator['StepView'];
export type StepCost = Orchestrator['StepCost'];
export type StepState = Orchestrator['StepState'];
export type StepWait = Orchestrator['StepWait'];
export type Topic = Orchestrator['ReferenceTopic'];
export type Trigger = Orchestrator['TriggerView'];
export type TriggerEvent = Orchestrator['TriggerEventView'];
export type TriggerReplay = Orchestrator['TriggerReplay'];
export type WaitingSteps = Orchestrator['WaitingSteps'];
export type Worker = Orchestrator['WorkerView'];

// Registry

export type AliasMove = Registry['MoveView'];
export type Approval = Registry['Approval'];
export type Approvals = Registry['ApprovalList'];
export type Collection = Registry['CollectionReport'];
export type Comparison = Registry['VersionComparison'];
export type Gate = Registry['Gate'];
export type Gates = Registry['GatesView'];
export type Genealogy = Registry['ExpertLine'];
export type Interval = Registry['Measure'];
export type Lineage = Registry['LineageGraph'];
export type Model = Registry['ModelView'];
export type Session = Registry['SessionView'];
export type Signature = Registry['Signature'];
export type Signatures = Registry['SignatureList'];
export type StandingRow = Registry['StandingRow'];
export type Storage = Registry['StorageView'];
export type StoredVersion = Registry['StoredVersion'];
export type Verification = Registry['Verification'];
export type Version = Registry['VersionView'];
export type VersionDetails = Registry['VersionDetails'];

/** The fields of an object whose shape its kind decides; none of anything else. */
export const fieldsOf = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {});

// Events

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
