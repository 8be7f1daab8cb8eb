import { useState } from 'react';
import { send, useAction, useResource } from '../api/client';
import type { Storage } from '../api/types';
import { Bars } from '../charts/bars';
import { Card, Facts, PageHead } from '../parts/bits';
import { useMay } from '../parts/role';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { bytes, measure } from '../format';
import { Link } from '../router';

/** What the store holds, what sharing saves, and what deleting would free. */
export function StoragePage() {
  const storage = useResource<Storage>('/api/v1/storage');
  return (
    <>
      <PageHead title="Storage" lead="Equal bytes are stored once: versions that share weights share their place." />
      <Loaded resource={storage} lines={8}>
        {(data) => (
          <>
            <Card title="All versions">
              <Bars
                rows={[
                  { key: 'logical', name: 'as listed', parts: [{ value: data.logical, tone: 'soft', title: 'sum of what every version lists' }], text: bytes(data.logical) },
                  { key: 'physical', name: 'as stored', parts: [{ value: data.physical, tone: 'strong', title: 'bytes in the store' }], text: bytes(data.physical) },
                ]}
              />
              {data.physical > 0 && data.logical > data.physical && <p className="minor figures">Sharing makes it {(data.logical / data.physical).toFixed(1)} times smaller.</p>}
            </Card>
            <Card title="By version" className="flush" aside={<span className="minor">frees: what only this version holds</span>}>
              {data.models.length === 0 ? (
                <Empty title="No version is registered" />
              ) : (
                <div className="scroll">
                  <table>
                    <thead>
                      <tr>
                        <th>Version</th>
                        <th className="number">Lists</th>
                        <th className="number">Frees</th>
                        <th />
                      </tr>
                    </thead>
                    <tbody>
                      {[...data.models].sort((a, b) => b.frees - a.frees).slice(0, 500).map((each) => (
                        <tr key={`${each.name}@${each.version}`}>
                          <td>
                            <Link href={`/models/${encodeURIComponent(each.name)}/${each.version}`}>
                              {each.name}@{each.version}
                            </Link>
                          </td>
                          <td className="number">{bytes(each.logical)}</td>
                          <td className="number">{bytes(each.frees)}</td>
                          <td className="bar-cell">
                            <span className="bar">
                              <i style={{ width: `${each.logical > 0 ? (100 * each.frees) / each.logical : 0}%` }} />
                            </span>
                          </td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )}
            </Card>
            <Collector onDone={storage.reload} />
          </>
        )}
      </Loaded>
    </>
  );
}

/** Garbage collection: what it would delete, always before deleting it. */
function Collector({ onDone }: { onDone: () => void }) {
  const isAdmin = useMay('admin');
  const [report, setReport] = useState<{ dry: boolean; facts: Record<string, unknown> }>();
  const action = useAction();
  if (!isAdmin) return null;
  const collect = (dry: boolean) =>
    action.run(async () => {
      setReport({ dry, facts: await send<Record<string, unknown>>('POST', '/api/v1/storage/gc', { 'dry-run': dry }) });
      if (!dry) onDone();
    });
  const numbers = report && Object.entries(report.facts).filter(([, value]) => typeof value === 'number');
  return (
    <Card title="Garbage" aside={<span className="minor">bytes that no version, run or upload holds any more</span>}>
      {report && numbers && <Facts facts={numbers.map(([name, value]) => [name.replaceAll('-', ' '), /bytes/.test(name) ? bytes(value as number) : measure(value as number)])} />}
      <div className="actions">
        <button disabled={action.busy} onClick={() => void collect(true)}>
          {action.busy ? 'Looking…' : 'Show what would go'}
        </button>
        {report?.dry && (
          <button className="danger" disabled={action.busy} onClick={() => void collect(false)}>
            Delete it
          </button>
        )}
      </div>
      {action.error && <ErrorBox error={action.error} />}
    </Card>
  );
}
