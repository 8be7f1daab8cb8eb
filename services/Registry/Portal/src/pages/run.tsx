import { useEffect, useMemo, useRef, useState } from 'react';
import { send, useAction, useResource, get } from '../api/client';
import { useEvents, useSoon } from '../api/events';
import type { Run, RunState, Step, StepProgress } from '../api/types';
import { Dag } from '../charts/dag';
import { Ago, Card, Digest, Live, PageHead, State } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { useMay } from '../parts/role';
import { ErrorBox, Loaded } from '../parts/states';
import { duration, useNow } from '../format';
import { Link } from '../router';
import { RunCause } from './run-cause';
import { RunCharts } from './run-charts';
import { type LogLine, RunLog, readLine } from './run-log';
import { RunNotices } from './run-notices';
import { StepPanel } from './run-step';

const eventNames = ['run-state-changed', 'step-state-changed', 'step-logged', 'step-progress'];
const isEnded = (state: RunState) => state === 'succeeded' || state === 'failed' || state === 'cancelled';

/** One run, live: its steps, what they measure, what they say. */
export function RunPage({ id }: { id: string }) {
  const path = `/api/v1/runs/${encodeURIComponent(id)}`;
  const run = useResource<Run>(path);
  const { progress, lines, connection } = useRunEvents(path, run.data, run.reload);
  const [selected, setSelected] = useState<string>();
  return (
    <Loaded resource={run} lines={8}>
      {(data) => {
        const step = data.steps.find((s) => s.name === selected) ?? data.steps.find((s) => s.state === 'running') ?? data.steps.find((s) => s.state === 'failed') ?? data.steps[data.steps.length - 1];
        return (
          <>
            <RunHead run={data} connection={isEnded(data.state) ? undefined : connection} reload={run.reload} />
            <RunCause run={data} />
            <RunNotices run={data} isEnded={isEnded(data.state)} />
            {data.message && data.state !== 'succeeded' && <p className="notice">{data.message}</p>}
            <Card title="Steps" aside={<Summary steps={data.steps} />}>
              <RunDag run={data} progress={progress} selected={step?.name} onSelect={setSelected} />
            </Card>
            <div className="columns">
              <div>
                <RunCharts run={data} progress={progress} selected={step} />
                <RunLog lines={lines} step={selected} onAll={() => setSelected(undefined)} />
              </div>
              {step && <StepPanel key={step.name} run={data} step={step} progress={progress.get(step.name)} isEnded={isEnded(data.state)} />}
            </div>
          </>
        );
      }}
    </Loaded>
  );
}

/** The run's stream: state changes make the page read the ledger again, progress and log lines are shown as they are. */
function useRunEvents(path: string, run: Run | undefined, reload: () => void) {
  const [progress, setProgress] = useState<ReadonlyMap<string, StepProgress>>(new Map());
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const waiting = useRef<{ lines: LogLine[]; progress: Map<string, StepProgress> }>({ lines: [], progress: new Map() });
  const readAgain = useSoon(reload);
  const show = useSoon(() => {
    const { lines: more, progress: newer } = waiting.current;
    waiting.current = { lines: [], progress: new Map() };
    if (more.length > 0) setLines((old) => [...old, ...more].slice(-5000));
    if (newer.size > 0) setProgress((old) => new Map([...old, ...newer]));
  });
  // A resumed run has a stream again.
  const [generation, setGeneration] = useState(0);
  const ended = run !== undefined && isEnded(run.state);
  const wasEnded = useRef(ended);
  useEffect(() => {
    if (wasEnded.current && !ended && run) setGeneration((g) => g + 1);
    wasEnded.current = ended;
  }, [ended]);
  const connection = useEvents(
    `${path}/events${generation > 0 ? `?again=${generation}` : ''}`,
    eventNames,
    {
      begin: () => {
        waiting.current.lines = [];
        setLines([]);
      },
      take: (name, data) => {
        if (name === 'step-progress') {
          const newest = JSON.parse(data) as StepProgress;
          waiting.current.progress.set(newest.step.name, newest);
        } else {
          waiting.current.lines.push(...readLine(name, data));
          if (name !== 'step-logged') readAgain();
        }
        show();
      },
      hasEnded: async () => {
        const now = await get<Run>(path).catch(() => undefined);
        readAgain();
        return now !== undefined && isEnded(now.state);
      },
    },
  );
  return { progress, lines, connection };
}

function RunHead({ run, connection, reload }: { run: Run; connection?: 'connecting' | 'live' | 'broken'; reload: () => void }) {
  const maySubmit = useMay('submitter');
  const action = useAction();
  const [asks, setAsks] = useState(false);
  const now = useNow(isEnded(run.state) ? null : 1000);
  const took = run.started ? ((run.ended ? Date.parse(run.ended) : now) - Date.parse(run.started)) / 1000 : undefined;
  const post = (what: string) => action.run(async () => {
    await send('POST', `/api/v1/runs/${run['run-id']}/${what}`);
    reload();
  });
  return (
    <>
      <PageHead
        named={`${run.name} ${run.state}`}
        title={
          <>
            {run.name} <State state={run.state} />
          </>
        }
        lead={
          <>
            <Digest value={run['run-id']} length={8} /> {run['file-name']} · submitted <Ago time={run.created} />
            {run.archived && <> · archived <Ago time={run.archived} /></>}
            {took !== undefined && <> · {isEnded(run.state) ? 'took' : 'running for'} <span className="figures">{duration(took)}</span></>}
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
          <button className="primary" disabled={action.busy} onClick={() => void post('resume')}>
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
        <Dialog title={`Cancel ${run.name}?`} onClose={() => setAsks(false)}>
          <p>What has not started ends now. What runs saves its position first, so resuming goes on from there.</p>
          <div className="actions">
            <button onClick={() => setAsks(false)}>Keep running</button>
            <button
              className="danger"
              onClick={() => {
                setAsks(false);
                void post('cancel');
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
          lines: [step.kind + (step.attempts > 1 ? ` · try ${step.attempts}` : ''), note(step, now, done, total)] as [string, string],
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
