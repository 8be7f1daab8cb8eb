import { useState } from 'react';
import { send, useAction } from '../api/client';
import type { Run, Step, StepProgress, StepWait } from '../api/types';
import { Bar, Card, Digest, Facts, State } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { useMay } from '../parts/role';
import { ErrorBox } from '../parts/states';
import { bytes, duration, measure, short, useNow } from '../format';
import { navigate } from '../router';

/** One step: where it is, what it made, and starting again from it. */
export function StepPanel({ run, step, progress, isEnded }: { run: Run; step: Step; progress?: StepProgress; isEnded: boolean }) {
  const mayRun = useMay('submitter');
  const action = useAction();
  const [asks, setAsks] = useState(false);
  const isRunning = step.state === 'running';
  const now = useNow(isRunning ? 1000 : null);
  const live = isRunning ? progress : undefined;
  const [done, total] = live ? [live.done, live.total] : [step.done, step.total];
  const seconds = step.started && step.state !== 'cached' ? ((step.ended ? Date.parse(step.ended) : now) - Date.parse(step.started)) / 1000 : undefined;
  const rate = live?.metrics['tokens-per-second'];
  const rerun = () =>
    action.run(async () => {
      const accepted = await send<{ 'run-id': string }>('POST', `/api/v1/runs/${run['run-id']}/steps/${encodeURIComponent(step.name)}/rerun`);
      navigate(`/runs/${accepted['run-id']}`);
    });
  return (
    <Card className="step-panel" title={step.name} aside={<State state={step.state} />}>
      {isRunning && (
        <div className="step-progress">
          <Bar share={total > 0 ? done / total : 0} />
          <span className="figures">
            {live?.phase || 'starting'} {total > 0 && <>· {short(done)} of {short(total)} {live?.unit}</>}
          </span>
        </div>
      )}
      {step.wait ? <Waits wait={step.wait} /> : step.message && <p className={`notice ${step.state}`}>{step.message}</p>}
      <Facts
        facts={[
          ['Kind', step.kind],
          ['Attempts', step.attempts > 0 ? step.attempts : undefined],
          ['Worker', step.worker],
          ['Time', seconds === undefined ? undefined : duration(seconds)],
          ['Speed', rate ? `${short(rate)} tokens/s` : undefined],
          ['Failure', step.failure],
          ['Needs', step.needs.join(', ')],
          ['Step key', step.key && <Digest value={step.key} />],
        ]}
      />
      {Object.keys(step.outputs).length > 0 && (
        <>
          <h3>Outputs</h3>
          <Facts facts={Object.entries(step.outputs).map(([name, artifact]) => [name, <><Digest value={artifact.root} /> <span className="minor">{bytes(artifact['size-bytes'])}</span></>])} />
        </>
      )}
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
          <p>A new run of the same file starts. Steps before come from the cache; {step.name} and everything behind it is computed again.</p>
          <div className="actions">
            <button onClick={() => setAsks(false)}>Leave it</button>
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
