import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { send, useAction, useResource, get } from '../api/client';
import { type Place, at } from '../api/place';
import { useEvents, useSoon } from '../api/events';
import type { Run, RunCosts, RunResults, RunState, Step, StepProgress } from '../api/types';
import { Dag } from '../charts/dag';
import { Ago, Card, Digest, Live, PageHead, State } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { useMay } from '../parts/role';
import { ErrorBox, Loaded } from '../parts/states';
import { duration, useNow } from '../format';
import { Link, useAddress } from '../router';
import { RunCause } from './run-cause';
import { RunCharts } from './run-charts';
import { RunCostsCard } from './run-costs';
import { remainingOfRun, useFirstSeen } from './run-eta';
import { RunFailure } from './run-failure';
import { RunFile } from './run-file';
import { RunLog } from './run-log';
import { RunNotices } from './run-notices';
import { labelOf, RunOutput } from './run-output';
import { RunResultsCard } from './run-results';
import { StepPanel } from './run-step';

const eventNames = ['run-state-changed', 'step-state-changed', 'step-logged', 'step-progress'];
const isEnded = (state: RunState) => state === 'succeeded' || state === 'failed' || state === 'cancelled';

/** One run, live: why it failed or what it found, its steps, what they measure and cost, what they say. */
export function RunPage({ id }: { id: string }) {
  const place = at('/api/v1/runs/{id}', { id });
  const run = useResource(place);
  const output = useAddress().query.get('output');
  return (
    <Loaded resource={run} lines={8}>
      {(data) => (output ? <RunOutput run={data} name={output} /> : <LiveRun run={data} place={place} reload={run.reload} />)}
    </Loaded>
  );
}

function LiveRun({ run, place, reload }: { run: Run; place: Place<'/api/v1/runs/{id}'>; reload: () => void }) {
  const { progress, beat, connection } = useRunEvents(place, run, reload);
  const [selected, setSelected] = useState<string>();
  const plan = useResource(place.under('/plan'));
  const { results, costs } = useFindings(place, run);
  const first = useFirstSeen(progress);
  const ended = isEnded(run.state);
  const step = run.steps.find((s) => s.name === selected) ?? run.steps.find((s) => s.state === 'running') ?? run.steps.find((s) => s.state === 'failed') ?? run.steps[run.steps.length - 1];
  return (
    <>
      <RunHead run={run} connection={ended ? undefined : connection} reload={reload} left={<TimeLeft run={run} progress={progress} first={first} costs={costs} />} />
      <RunFailure run={run} onSelect={setSelected} />
      <RunCause run={run} />
      <RunNotices run={run} isEnded={ended} />
      {run.message && run.state !== 'succeeded' && run.state !== 'failed' && <p className="notice">{run.message}</p>}
      <Card title="Steps" aside={<Summary steps={run.steps} />}>
        <RunDag run={run} progress={progress} selected={step?.name} onSelect={setSelected} />
      </Card>
      {results && <RunResultsCard run={run} results={results} />}
      <div className="columns">
        <div>
          <RunCharts run={run} progress={progress} selected={step} costs={costs} />
          <RunLog place={place} beat={beat} step={selected} onAll={() => setSelected(undefined)} />
        </div>
        {step && (
          <StepPanel
            key={step.name}
            run={run}
            step={step}
            progress={progress.get(step.name)}
            first={first.get(step.name)}
            planned={plan.data?.steps.find((s) => s.name === step.name)}
            plan={plan.data?.steps}
            costs={costs}
            isEnded={ended}
          />
        )}
      </div>
      {costs && costs.steps.length > 0 && <RunCostsCard run={run} costs={costs} />}
      <RunFile run={run} place={place} plan={plan} />
    </>
  );
}

/** Results and costs, read again when a step ends. The last ones stay while new ones are read. */
function useFindings(place: Place<'/api/v1/runs/{id}'>, run: Run): { results?: RunResults; costs?: RunCosts } {
  const results = useResource(place.under('/results'));
  const costs = useResource(place.under('/costs'));
  const position = `${run.state} ${run.steps.filter((s) => s.ended).length} ${run.steps.reduce((sum, s) => sum + s.attempts, 0)}`;
  const seen = useRef(position);
  useEffect(() => {
    if (seen.current === position) return;
    seen.current = position;
    results.reload();
    costs.reload();
  }, [position]);
  return { results: results.data, costs: costs.data };
}

/** How long the run still takes, as far as that can be told. */
function TimeLeft({ run, progress, first, costs }: { run: Run; progress: ReadonlyMap<string, StepProgress>; first: ReadonlyMap<string, { at: number; done: number }>; costs?: RunCosts }) {
  const now = useNow(isEnded(run.state) ? null : 1000);
  const left = isEnded(run.state) ? undefined : remainingOfRun(run, now, progress, first, costs);
  if (!left || left.seconds < 1) return null;
  return (
    <>
      {' '}
      · {left.unknown > 0 ? 'at least' : 'about'} <span className="figures">{duration(left.seconds)}</span> left
      {left.unknown > 0 && ` (${left.unknown === 1 ? 'one step has' : `${left.unknown} steps have`} no estimate)`}
    </>
  );
}

/** The run's stream: state changes make the page read the ledger again, progress is shown as it is, and anything else may be a line of the log. */
function useRunEvents(place: Place<'/api/v1/runs/{id}'>, run: Run, reload: () => void) {
  const [progress, setProgress] = useState<ReadonlyMap<string, StepProgress>>(new Map());
  const [beat, setBeat] = useState(0);
  const waiting = useRef<{ lines: number; progress: Map<string, StepProgress> }>({ lines: 0, progress: new Map() });
  const readAgain = useSoon(reload);
  const show = useSoon(() => {
    const { lines: more, progress: newer } = waiting.current;
    waiting.current = { lines: 0, progress: new Map() };
    if (more > 0) setBeat((old) => old + more);
    if (newer.size > 0) setProgress((old) => new Map([...old, ...newer]));
  });
  // A resumed run has a stream again.
  const [generation, setGeneration] = useState(0);
  const ended = isEnded(run.state);
  const wasEnded = useRef(ended);
  useEffect(() => {
    if (wasEnded.current && !ended) setGeneration((g) => g + 1);
    wasEnded.current = ended;
  }, [ended]);
  const connection = useEvents(
    `${place.url}/events${generation > 0 ? `?again=${generation}` : ''}`,
    eventNames,
    {
      begin: () => {
        waiting.current.lines = 0;
      },
      take: (name, data) => {
        if (name === 'step-progress') {
          const newest = JSON.parse(data) as StepProgress;
          waiting.current.progress.set(newest.step.name, newest);
        } else {
          waiting.current.lines++;
          if (name !== 'step-logged') readAgain();
        }
        show();
      },
      hasEnded: async () => {
        const now = await get(place).catch(() => undefined);
        readAgain();
        return now !== undefined && isEnded(now.state);
      },
    },
  );
  return { progress, beat, connection };
}

function RunHead({ run, connection, reload, left }: { run: Run; connection?: 'connecting' | 'live' | 'broken'; reload: () => void; left: ReactNode }) {
  const maySubmit = useMay('submitter');
  const action = useAction();
  const [asks, setAsks] = useState(false);
  const now = useNow(isEnded(run.state) ? null : 1000);
  const took = run.started ? ((run.ended ? Date.parse(run.ended) : now) - Date.parse(run.started)) / 1000 : undefined;
  const post = (what: '/cancel' | '/resume') => action.run(async () => {
    await send('post', at('/api/v1/runs/{id}', { id: run['run-id'] }).under(what));
    reload();
  });
  return (
    <>
      <PageHead
        named={`${labelOf(run)} ${run.state}`}
        title={
          <>
            {labelOf(run)} <State state={run.state} />
          </>
        }
        lead={
          <>
            <Digest value={run['run-id']} length={8} /> {run['file-name']} · submitted <Ago time={run.created} />
            {run.archived && <> · archived <Ago time={run.archived} /></>}
            {took !== undefined && <> · {isEnded(run.state) ? 'took' : 'running for'} <span className="figures">{duration(took)}</span></>}
            {left}
          </>
        }
      >
        {connection && <Live connection={connection} />}
        {maySubmit && !isEnded(run.state) && (
          <button className="danger" disabled={action.busy || run['is-cancelling']} onClick={() => setAsks(true)}>
            {run['is-cancelling'] ? 'Cancelling…' : 'Cancel'}
          </button>
        )}
        {maySubmit && !run.archived && (run.state === 'failed' || run.state === 'cancelled') && (
          <button className="primary" disabled={action.busy} onClick={() => void post('/resume')}>
            Resume
          </button>
        )}
        {maySubmit && (
          <Link className="button" href={`/submit?from=${run['run-id']}`}>
            Edit and submit
          </Link>
        )}
      </PageHead>
      {action.error && <ErrorBox error={action.error} />}
      {asks && (
        <Dialog title={`Cancel ${labelOf(run)}?`} onClose={() => setAsks(false)}>
          <p>Steps that have not started end now. Running steps save their position first, so a resumed run continues from there.</p>
          <div className="actions">
            <button onClick={() => setAsks(false)}>Keep running</button>
            <button
              className="danger"
              onClick={() => {
                setAsks(false);
                void post('/cancel');
              }}
            >
              Cancel the run
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

const Summary = ({ steps }: { steps: Step[] }) => {
  const cached = steps.filter((s) => s.state === 'cached').length;
  const done = steps.filter((s) => s.state === 'succeeded' || s.state === 'skipped').length + cached;
  return (
    <span className="minor figures">
      {done} of {steps.length} done{cached > 0 && `, ${cached} from the cache`}
    </span>
  );
};

function RunDag({ run, progress, selected, onSelect }: { run: Run; progress: ReadonlyMap<string, StepProgress>; selected?: string; onSelect: (name: string) => void }) {
  const isRunning = run.steps.some((step) => step.state === 'running');
  const now = useNow(isRunning ? 1000 : null);
  const nodes = useMemo(
    () =>
      run.steps.map((step) => {
        const newest = step.state === 'running' ? progress.get(step.name) : undefined;
        const [done, total] = newest ? [newest.done, newest.total] : [step.done, step.total];
        return {
          name: step.name,
          needs: step.needs,
          state: step.state,
          isMinor: step['is-implicit'],
          lines: [step.kind + (step.attempts > 1 ? ` · attempt ${step.attempts}` : ''), note(step, now, done, total)] as [string, string],
          share: step.state === 'running' ? (total > 0 ? done / total : 0) : undefined,
        };
      }),
    [run, progress, now],
  );
  return <Dag nodes={nodes} selected={selected} onSelect={onSelect} />;
}

function note(step: Step, now: number, done: number, total: number): string {
  if (step.state === 'running') return total > 0 ? `${Math.floor((100 * done) / total)} %` : duration((now - Date.parse(step.started ?? '')) / 1000 || 0);
  if (step.state === 'succeeded' && step.started && step.ended) return duration((Date.parse(step.ended) - Date.parse(step.started)) / 1000);
  return step.state;
}
