import { useEffect } from 'react';
import { useResource } from '../api/client';
import { at } from '../api/place';
import { useEvents, useSoon } from '../api/events';
import type { Lease, PlatformStatus, WaitingSteps, Worker } from '../api/types';
import { Ago, Bar, Card, Live, PageHead, Tag } from '../parts/bits';
import { Empty, Loaded } from '../parts/states';
import { bytes, duration, useNow, whole } from '../format';
import { Link } from '../router';

/** Who works, on what, and what waits. */
export function WorkersPage() {
  const status = useResource(at('/api/v1/status', {}));
  const soon = useSoon(status.reload, 200);
  const connection = useEvents('/api/v1/runs/events', ['run-state-changed', 'step-state-changed', 'tick'], { take: soon });
  useEffect(() => {
    const timer = setInterval(() => document.hidden || status.reload(), 3000);
    return () => clearInterval(timer);
  }, [status.reload]);
  return (
    <>
      <PageHead title="Workers" lead="What each worker is doing, and why other steps are waiting.">
        <Live connection={connection} />
      </PageHead>
      <Loaded resource={status} lines={8}>
        {(data) => (
          <>
            {!data['broker-answers'] && <p className="notice failed">The broker does not answer. Workers still ask for work every few seconds, so steps start later than usual.</p>}
            {data['broker-alarm'] && <p className="notice failed">The broker accepts no messages: {data['broker-alarm']}. Free some space on its machine; it then continues by itself.</p>}
            {data.store && !data.store.answers && <p className="notice failed">{data.store.problem}</p>}
            <div className="figures-row">
              <Figure name="workers" value={data.workers.length} />
              <Figure name="free slots" value={data.workers.reduce((sum, w) => sum + Math.max(0, w.free), 0)} />
              <Figure name="running steps" value={count(data, 'running')} />
              <Figure name="waiting steps" value={data.waiting.reduce((sum, w) => sum + w.number, 0)} />
              <Figure name="unsent messages" value={data['outbox-depth']} />
            </div>
            <Workers status={data} />
            <Waiting waiting={data.waiting} />
            <Queues status={data} />
          </>
        )}
      </Loaded>
    </>
  );
}

const count = (status: PlatformStatus, state: string) => status.steps.filter((s) => s.state === state).reduce((sum, s) => sum + s.number, 0);

const Figure = ({ name, value }: { name: string; value: number }) => (
  <div className="figure">
    <b>{whole(value)}</b>
    {name}
  </div>
);

/** Every worker with what it does now. */
const Workers = ({ status }: { status: PlatformStatus }) => {
  const held = Map.groupBy(status.leases, (lease) => lease.worker);
  const strangers = status.leases.filter((lease) => !status.workers.some((worker) => worker.name === lease.worker));
  return (
    <Card title="Workers" className="flush">
      {status.workers.length === 0 && strangers.length === 0 ? (
        <Empty title="No worker is running">
          <code>espalier up</code> starts one of each kind.
        </Empty>
      ) : (
        <div className="scroll">
          <table className="stacked" aria-label="Workers">
            <thead>
              <tr>
                <th>Worker</th>
                <th>Doing now</th>
                <th>Device</th>
                <th>Slots</th>
                <th className="number">Memory</th>
                <th className="number">Running since</th>
              </tr>
            </thead>
            <tbody>
              {status.workers.map((worker) => (
                <WorkerRow key={worker.name} worker={worker} leases={held.get(worker.name) ?? []} />
              ))}
              {strangers.map((lease) => (
                <tr key={lease['run-id'] + lease.step} className="attention">
                  <td>{lease.worker}</td>
                  <td className="prose">
                    <Doing lease={lease} />
                  </td>
                  <td>
                    <Tag>{lease.device}</Tag>
                  </td>
                  <td colSpan={3}>not responding; its step will go to another worker</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
};

const WorkerRow = ({ worker, leases }: { worker: Worker; leases: Lease[] }) => (
  <tr>
    <td className="name">{worker.name}</td>
    <td className="prose">
      {leases.length === 0 ? (
        <span className="minor">
          idle, asked for work <Ago time={worker.seen} />
        </span>
      ) : (
        leases.map((lease) => <Doing key={lease['run-id'] + lease.step} lease={lease} />)
      )}
    </td>
    <td>
      {worker.classes.map((offered) => (
        <div key={offered.name} title={offered['is-pretended'] ? 'Only pretended, for a test: its steps compute on the CPU.' : undefined}>
          <Tag>{offered.name}</Tag>
          {offered.count > 1 && ` × ${offered.count}`}
          {offered['is-pretended'] && <span className="minor"> pretended</span>}
        </div>
      ))}
    </td>
    <td>
      {worker.classes.map((offered) => (
        <div key={offered.name} className="slots" title={`${offered.held} of ${offered.slots} in use`}>
          {Array.from({ length: Math.min(offered.slots, 32) }, (_, i) => (
            <i key={i} className={i < offered.held ? 'busy' : ''} />
          ))}
          <span className="minor figures">
            {offered.held}/{offered.slots}
          </span>
        </div>
      ))}
    </td>
    <td className="number" data-name="memory">
      {worker.classes.map((offered) =>
        offered['memory-bytes'] === undefined ? (
          <div key={offered.name} className="minor">
            not known
          </div>
        ) : (
          <div key={offered.name} title="estimated need of its steps, out of the memory of its devices">
            {bytes(offered['held-bytes'])} / {bytes(offered['memory-bytes'] * offered.count)}
          </div>
        ),
      )}
    </td>
    <td className="number" data-name="since">{worker.since ? <Ago time={worker.since} /> : <span className="minor">–</span>}</td>
  </tr>
);

/** A step that runs: which, of what run, how far, and since when. */
function Doing({ lease }: { lease: Lease }) {
  const now = useNow(1000);
  return (
    <div className="doing">
      <span>
        <Link href={`/runs/${lease['run-id']}`}>
          {lease.run} · {lease.step}
        </Link>{' '}
        <span className="minor figures">
          {lease.kind}
          {lease.attempt > 1 && `, attempt ${lease.attempt}`}
          {lease.started && <>, for {duration((now - Date.parse(lease.started)) / 1000)}</>}
        </span>
      </span>
      {lease.total > 0 && <Bar share={lease.done / lease.total} label={`Progress of ${lease.step}`} />}
    </div>
  );
}

/** What could run and does not: why, and for how long already. */
const Waiting = ({ waiting }: { waiting: WaitingSteps[] }) => (
  <Card title="Waiting steps" className="flush" aside={<span className="minor">steps whose inputs are ready</span>}>
    {waiting.length === 0 ? (
      <Empty title="No step is waiting" />
    ) : (
      <div className="scroll">
        <table className="stacked" aria-label="Waiting steps">
          <thead>
            <tr>
              <th>Kind</th>
              <th>Why</th>
              <th className="number">Steps</th>
              <th>Longest wait</th>
              <th className="number">Waiting for</th>
            </tr>
          </thead>
          <tbody>
            {waiting.map((each) => (
              <WaitingRow key={each.kind + each.device + each.reason} waiting={each} />
            ))}
          </tbody>
        </table>
      </div>
    )}
  </Card>
);

function WaitingRow({ waiting }: { waiting: WaitingSteps }) {
  const now = useNow(1000);
  return (
    <tr>
      <td>
        {waiting.kind} <Tag>{waiting.device}</Tag>
      </td>
      <td className="prose">{waiting.text}</td>
      <td className="number" data-name="steps">{whole(waiting.number)}</td>
      <td className="prose">
        <Link href={`/runs/${waiting['run-id']}`}>
          {waiting.run} · {waiting.step}
        </Link>
      </td>
      <td className="number" data-name="waiting for">{duration((now - Date.parse(waiting.since)) / 1000)}</td>
    </tr>
  );
}

const Queues = ({ status }: { status: PlatformStatus }) => (
  <Card title="Broker queues" className="flush">
    {status.queues.length === 0 ? (
      <Empty title={status['broker-answers'] ? 'No queue has been created yet' : 'The broker does not answer'} />
    ) : (
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>Queue</th>
              <th className="number">Messages</th>
              <th className="number">Consumers</th>
            </tr>
          </thead>
          <tbody>
            {status.queues.map((queue) => (
              <tr key={queue.name} className={/(_error|_skipped|dead-letters)$/.test(queue.name) && queue.ready > 0 ? 'attention' : ''}>
                <td>{queue.name}</td>
                <td className="number">{whole(queue.ready)}</td>
                <td className="number">{whole(queue.consumers)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    )}
  </Card>
);
