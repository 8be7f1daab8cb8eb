import { useState } from 'react';
import { send, useAction } from '../api/client';
import { at } from '../api/place';
import { fieldsOf, type PlannedInput, type PlannedStep, type Run, type RunCosts, type Step, type StepProgress, type StepWait } from '../api/types';
import { Bar, Card, Digest, Facts, State } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { useMay } from '../parts/role';
import { ErrorBox } from '../parts/states';
import { bytes, duration, measure, short, useNow } from '../format';
import { Link, navigate } from '../router';
import { outputPath, useVersionsOf, VersionLink } from './run-output';
import { remainingOfStep } from './run-eta';

interface StepPanelProps {
  run: Run;
  step: Step;
  progress?: StepProgress;
  first?: { at: number; done: number };
  planned?: PlannedStep;
  /** All steps as planned, for the names of inputs. */
  plan?: PlannedStep[];
  costs?: RunCosts;
  isEnded: boolean;
}

/** One step: where it is, what it was told, what it made, and starting again from it. */
export function StepPanel({ run, step, progress, first, planned, plan = [], costs, isEnded }: StepPanelProps) {
  const mayRun = useMay('submitter');
  const action = useAction();
  const [asks, setAsks] = useState(false);
  const isRunning = step.state === 'running';
  const now = useNow(isRunning ? 1000 : null);
  const live = isRunning ? progress : undefined;
  const [done, total] = live ? [live.done, live.total] : [step.done, step.total];
  const seconds = step.started && step.state !== 'cached' ? ((step.ended ? Date.parse(step.ended) : now) - Date.parse(step.started)) / 1000 : undefined;
  const rate = live?.metrics['tokens-per-second'];
  const left = isRunning ? remainingOfStep(step, now, live, first, costs) : undefined;
  const cost = costs?.steps.find((each) => each.name === step.name);
  const expected = cost?.estimate?.seconds;
  const rerun = () =>
    action.run(async () => {
      const accepted = await send('post', at('/api/v1/runs/{id}/steps/{step}/rerun', { id: run['run-id'], step: step.name }));
      navigate(`/runs/${accepted['run-id']}`);
    });
  return (
    <Card className="step-panel" title={step.name} aside={<State state={step.state} />}>
      {isRunning && (
        <div className="step-progress">
          <Bar share={total > 0 ? done / total : 0} />
          <span className="figures">
            {live?.phase || 'starting'} {total > 0 && <>· {short(done)} of {short(total)} {live?.unit}</>}
            {left !== undefined && left >= 1 && <> · about {duration(left)} left</>}
          </span>
        </div>
      )}
      {step.wait ? <Waits wait={step.wait} /> : step.message && <p className={`notice ${step.state}`}>{step.message}</p>}
      <Facts
        facts={[
          ['For', planned?.description],
          ['Kind', step.kind],
          ['Attempts', step.attempts > 0 ? step.attempts : undefined],
          ['Worker', step.worker],
          ['Time', seconds === undefined ? undefined : duration(seconds)],
          ['Expected time', expected === undefined || step.state === 'cached' ? undefined : duration(expected)],
          ['Saved by the cache', cost?.['saved-seconds'] === undefined ? undefined : duration(cost['saved-seconds'])],
          ['Peak memory', cost?.['peak-memory-bytes'] === undefined ? undefined : bytes(cost['peak-memory-bytes'])],
          ['New in the store', cost?.['new-bytes'] === undefined ? undefined : bytes(cost['new-bytes'])],
          ['Speed', rate ? `${short(rate)} tokens/s` : undefined],
          ['Failure', step.failure && (failures[step.failure as keyof typeof failures] ?? step.failure)],
          ['Needs', step.needs.join(', ')],
          ['Step key', step.key && <Digest value={step.key} />],
        ]}
      />
      <Outputs run={run} step={step} planned={planned} />
      {step.notes && step.notes.length > 0 && (
        <>
          <h3>Good to know</h3>
          <ul aria-label="Notes">
            {step.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </>
      )}
      <Metrics values={isRunning ? (live?.metrics ?? {}) : step.metrics} />
      {planned && <Options planned={planned} plan={plan} />}
      {mayRun && isEnded && (
        <div className="actions">
          <button disabled={action.busy} onClick={() => setAsks(true)}>
            Re-run from here
          </button>
        </div>
      )}
      {action.error && <ErrorBox error={action.error} />}
      {asks && (
        <Dialog title={`Run again from ${step.name}?`} onClose={() => setAsks(false)}>
          <p>A new run of the same file starts. Steps before come from the cache; {step.name} and everything that depends on it is computed again.</p>
          <div className="actions">
            <button onClick={() => setAsks(false)}>Not now</button>
            <button
              className="primary"
              onClick={() => {
                setAsks(false);
                void rerun();
              }}
            >
              Run again
            </button>
          </div>
        </Dialog>
      )}
    </Card>
  );
}

/** What the step made: a report opens, other artifacts lead to their files, a registration to its version. */
function Outputs({ run, step, planned }: { run: Run; step: Step; planned?: PlannedStep }) {
  const isRegistration = step.kind === 'register';
  const versions = useVersionsOf(isRegistration ? step.outputs.model?.root : undefined);
  const entries = Object.entries(step.outputs);
  if (entries.length === 0) return null;
  const registered = versions.filter((version) => planned === undefined || version.model === fieldsOf(planned.options).name);
  return (
    <>
      <h3>Outputs</h3>
      <Facts
        facts={[
          ...registered.slice(0, 1).map((version): [string, React.ReactNode] => ['version', <VersionLink key="version" version={version} />]),
          ...entries.map(([name, artifact]): [string, React.ReactNode] => [
            name,
            <>
              <Link href={outputPath(run, step.name, name)} aria-label={`${opens(name)}: ${name} of ${step.name}`}>
                {opens(name)}
              </Link>{' '}
              <Digest value={artifact.root} length={8} /> <span className="minor">{bytes(artifact['size-bytes'])}</span>
            </>,
          ]),
        ]}
      />
    </>
  );
}

const opens = (output: string) => (output === 'report' ? 'open the report' : 'files');

const optionsFirst = 12;

/** Every option as the stage got it, defaults among them. */
function Options({ planned, plan }: { planned: PlannedStep; plan: PlannedStep[] }) {
  const [all, setAll] = useState(false);
  const flat = flatten(fieldsOf(planned.options), planned, plan);
  if (flat.length === 0) return null;
  return (
    <>
      <h3>Options</h3>
      <Facts facts={(all ? flat : flat.slice(0, optionsFirst)).map(([name, value]) => [name, value])} />
      {flat.length > optionsFirst && (
        <button className="quiet" onClick={() => setAll(!all)}>
          {all ? 'fewer' : `${flat.length - optionsFirst} more`}
        </button>
      )}
    </>
  );
}

/** Names with dots and their values; an input by the name of what it reads. */
function flatten(options: Record<string, unknown>, planned: PlannedStep, plan: PlannedStep[], prefix = ''): [string, string][] {
  return Object.entries(options).flatMap(([name, value]): [string, string][] => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return flatten(value as Record<string, unknown>, planned, plan, `${prefix}${name}.`);
    const input = typeof value === 'string' && value.startsWith('input:') ? planned.inputs.find((i) => i.as === value.slice('input:'.length)) : undefined;
    const text = input ? sourceOf(input, plan) : Array.isArray(value) ? value.map((each) => (typeof each === 'object' ? JSON.stringify(each) : String(each))).join(', ') : String(value);
    return [[prefix + name, text]];
  });
}

/** What an input is, as a file would name it: a corpus, a registered model, an output of a step. */
function sourceOf(input: PlannedInput, plan: PlannedStep[]): string {
  const dataset = fieldsOf(plan.find((step) => step.name === input.step && step.kind === 'dataset')?.options).source;
  return typeof dataset === 'string' ? dataset : input.step.includes(':') ? input.step : `${input.step}.${input.output}`;
}

const failures = { user: 'wrong input', resource: 'out of memory or disk', poison: 'its process crashed', transient: 'something it needs did not answer' };

/** Why the step does not run yet, and for how long. */
function Waits({ wait }: { wait: StepWait }) {
  const now = useNow(1000);
  const since = wait.since ? (now - Date.parse(wait.since)) / 1000 : undefined;
  const left = wait.until ? (Date.parse(wait.until) - now) / 1000 : undefined;
  return (
    <p className="notice waiting">
      {wait.text}
      {left !== undefined && left > 0 && <> Tried again in {duration(left)}.</>}
      {since !== undefined && since >= 1 && <span className="minor"> Waiting for {duration(since)}.</span>}
    </p>
  );
}

function Metrics({ values }: { values: Record<string, number> }) {
  const [all, setAll] = useState(false);
  const names = Object.keys(values).filter((name) => !/-(low|high|lower-bound|upper-bound)$/.test(name)).sort();
  if (names.length === 0) return null;
  const shown = all ? names : names.slice(0, 12);
  return (
    <>
      <h3>Metrics</h3>
      <dl className="facts">
        {shown.map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="figures">
              {measure(values[name])}
              {values[`${name}-low`] !== undefined && <span className="minor"> [{measure(values[`${name}-low`])}, {measure(values[`${name}-high`])}]</span>}
            </dd>
          </div>
        ))}
      </dl>
      {names.length > 12 && (
        <button className="quiet" onClick={() => setAll(!all)}>
          {all ? 'fewer' : `${names.length - 12} more`}
        </button>
      )}
    </>
  );
}
