import { useEffect } from 'react';
import { useResource } from '../api/client';
import { useEvents, useSoon } from '../api/events';
import type { PlatformStatus } from '../api/types';
import { Ago, Bar, Card, Live, PageHead, State, Tag } from '../parts/bits';
import { Empty, Loaded } from '../parts/states';
import { whole } from '../format';
import { Link } from '../router';

/** Who works, on what, and what waits. */
export function WorkersPage() {
  const status = useResource<PlatformStatus>('/api/v1/status');
  const soon = useSoon(status.reload, 200);
  const connection = useEvents('/api/v1/runs/events', ['run-state-changed', 'step-state-changed', 'tick'], { take: soon });
  useEffect(() => {
    const timer = setInterval(status.reload, 3000);
    return () => clearInterval(timer);
  }, [status.reload]);
  return (
    <>
      <PageHead title="Workers and queues" lead="Who is working on what, and what is waiting.">
        <Live connection={connection} />
      </PageHead>
      <Loaded resource={status} lines={8}>
        {(data) => (
          <>
            {!data['broker-answers'] && <p className="notice failed">The broker does not answer: hints to workers wait in the outbox, and workers ask on their own every few seconds.</p>}
            {data['broker-alarm'] && <p className="notice failed">The broker takes no messages: {data['broker-alarm']}. Make room on its machine; it then goes on by itself.</p>}
            {data.store && !data.store.answers && <p className="notice failed">{data.store.problem}</p>}
            <div className="figures-row">
              <Figure name="workers" value={data.workers.length} />
              <Figure name="free slots" value={data.workers.reduce((sum, w) => sum + Math.max(0, w.free), 0)} />
              <Figure name="running steps" value={count(data, 'running')} />
              <Figure name="ready steps" value={count(data, 'ready')} />
              <Figure name="messages to send" value={data['outbox-depth']} />
            </div>
            <Workers status={data} />
            <Leases status={data} />
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

const Workers = ({ status }: { status: PlatformStatus }) => (
  <Card title="Workers" className="flush">
    {status.workers.length === 0 ? (
      <Empty title="No worker asks for work">
        <code>espalier up</code> starts one of each kind.
      </Empty>
    ) : (
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>Worker</th>
              <th>Device</th>
              <th>Slots</th>
              <th className="number">Last heard</th>
            </tr>
          </thead>
          <tbody>
            {status.workers.map((w) => (
              <tr key={w.name}>
                <td>{w.name}</td>
                <td>
                  <Tag>{w.device}</Tag>
                </td>
                <td>
                  <span className="slots" title={`${w.held} of ${w.slots} busy`}>
                    {Array.from({ length: Math.min(w.slots, 32) }, (_, i) => (
                      <i key={i} className={i < w.held ? 'busy' : ''} />
                    ))}
                    <span className="minor figures">
                      {w.held}/{w.slots}
                    </span>
                  </span>
                </td>
                <td className="number">
                  <Ago time={w.seen} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    )}
  </Card>
);

const Leases = ({ status }: { status: PlatformStatus }) =>
  status.leases.length === 0 ? null : (
    <Card title="Running now" className="flush">
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>Step</th>
              <th>Kind</th>
              <th>Worker</th>
              <th className="number">Attempt</th>
              <th>Progress</th>
            </tr>
          </thead>
          <tbody>
            {status.leases.map((lease) => (
              <tr key={lease['run-id'] + lease.step}>
                <td>
                  <Link href={`/runs/${lease['run-id']}`}>{lease.step}</Link>
                </td>
                <td>{lease.kind}</td>
                <td>{lease.worker}</td>
                <td className="number">{lease.attempt}</td>
                <td>
                  <Bar share={lease.total > 0 ? lease.done / lease.total : 0} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );

const Queues = ({ status }: { status: PlatformStatus }) => (
  <div className="columns even">
    <Card title="Waiting steps" className="flush">
      {status.steps.length === 0 ? (
        <Empty title="No step is ready or running" />
      ) : (
        <table>
          <tbody>
            {status.steps.map((s) => (
              <tr key={s.kind + s.device + s.state}>
                <td>{s.kind}</td>
                <td>
                  <Tag>{s.device}</Tag>
                </td>
                <td>
                  <State state={s.state} />
                </td>
                <td className="number">{whole(s.number)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
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
  </div>
);
