import { useRef } from 'react';
import type { Run, RunCosts, Step, StepProgress } from '../api/types';

/** How long something is still going to take, as far as that can be told. */
export interface Remaining {
  seconds: number;
  /** Steps of which nobody can tell: it takes longer by what these take. */
  unknown: number;
}

const soonest = 3;

/** When each attempt was first heard of on this page, and how far it was: an attempt that goes on from a saved position does not start at nothing. */
export function useFirstSeen(progress: ReadonlyMap<string, StepProgress>): ReadonlyMap<string, { at: number; done: number }> {
  const seen = useRef(new Map<string, { at: number; done: number; fence: number }>());
  for (const [name, newest] of progress) if (seen.current.get(name)?.fence !== newest.fence) seen.current.set(name, { at: Date.now(), done: newest.done, fence: newest.fence });
  return seen.current;
}

/** Seconds that a running step still takes: by the speed seen here, else since its start, else by what was expected of it. */
export function remainingOfStep(step: Step, now: number, live: StepProgress | undefined, first: { at: number; done: number } | undefined, costs?: RunCosts): number | undefined {
  const [done, total] = live ? [live.done, live.total] : [step.done, step.total];
  const elapsed = step.started ? (now - Date.parse(step.started)) / 1000 : 0;
  if (live && first && live.done > first.done && now - first.at > 1000 * soonest) return ((total - live.done) * (now - first.at)) / 1000 / (live.done - first.done);
  if (total > 0 && done / total > 0.02 && elapsed > soonest) return (elapsed * (total - done)) / done;
  const expected = costs?.steps.find((s) => s.name === step.name)?.estimate?.seconds;
  return expected === undefined ? undefined : Math.max(0, expected - elapsed);
}

/**
 * Seconds until the run ends: steps start when what they need is done and when a worker of their kind is free, of which there are as many
 * as run now, or one.
 */
export function remainingOfRun(run: Run, now: number, progress: ReadonlyMap<string, StepProgress>, seen: ReadonlyMap<string, { at: number; done: number }>, costs?: RunCosts): Remaining | undefined {
  const expected = new Map(costs?.steps.map((s) => [s.name, s.estimate]));
  const [ends, free] = [new Map<string, number>(), new Map<string, number[]>()];
  for (const step of run.steps) if (step.state === 'running') free.set(step.kind, [...(free.get(step.kind) ?? []), 0]);
  let [last, unknown, known] = [0, 0, 0];
  for (const step of run.steps) {
    if (['succeeded', 'cached', 'skipped', 'failed', 'cancelled'].includes(step.state)) continue;
    const slots = free.get(step.kind) ?? [0];
    free.set(step.kind, slots);
    const slot = slots.indexOf(Math.min(...slots));
    const begin = step.state === 'running' ? slots[slot] : Math.max(slots[slot], ...step.needs.map((need) => ends.get(need) ?? 0));
    const estimate = expected.get(step.name);
    const left = step.state === 'running' ? remainingOfStep(step, now, progress.get(step.name), seen.get(step.name), costs) : estimate?.decision === 'cached' ? 0 : estimate?.seconds;
    if (left === undefined) unknown++;
    else known++;
    const end = begin + (left ?? 0);
    slots[slot] = end;
    ends.set(step.name, end);
    last = Math.max(last, end);
  }
  return known === 0 || last === 0 ? undefined : { seconds: last, unknown };
}
