import { useState } from 'react';
import { useResource } from '../api/client';
import type { AliasMove, Gates, Model, Page, Version } from '../api/types';
import { Pareto } from '../charts/pareto';
import { Ago, Card, PageHead, Tag } from '../parts/bits';
import { Empty, Loaded } from '../parts/states';
import { navigate } from '../router';
import { AliasTags, Paged, Tags, VersionTable } from './models';

/** One model: its versions, how they trade loss for bytes, where its aliases were. */
export function ModelPage({ name }: { name: string }) {
  const path = `/api/v1/models/${encodeURIComponent(name)}`;
  const model = useResource<Model>(path);
  const versions = useResource<Page<Version>>(`${path}/versions?limit=100`);
  const [picked, setPicked] = useState<string[]>([]);
  const pick = (version: string) => setPicked((old) => (old.includes(version) ? old.filter((p) => p !== version) : [...old, version].slice(-2)));
  return (
    <Loaded resource={model}>
      {(data) => (
        <>
          <PageHead title={name} lead={data.description}>
            <AliasTags aliases={data.aliases} />
            <Tags tags={data.tags} />
          </PageHead>
          <Card
            className="flush"
            title="Versions"
            aside={
              <button disabled={picked.length !== 2} onClick={() => navigate(`/compare?left=${encodeURIComponent(picked[0])}&right=${encodeURIComponent(picked[1])}`)}>
                {picked.length === 2 ? `Compare ${picked.map((p) => p.slice(p.lastIndexOf('@') + 1)).join(' and ')}` : 'Tick two to compare'}
              </button>
            }
          >
            <Loaded resource={versions}>
              {(page) =>
                page.items.length === 0 ? (
                  <Empty title="No version yet" />
                ) : (
                  <Paged first={page} path={`${path}/versions?limit=100`}>
                    {(items: Version[]) => <VersionTable versions={items} picked={picked} onPick={pick} />}
                  </Paged>
                )
              }
            </Loaded>
          </Card>
          {versions.data && <ParetoCard versions={versions.data.items} />}
          <div className="columns even">
            <Moves path={path} />
            <GatesCard path={path} />
          </div>
        </>
      )}
    </Loaded>
  );
}

function ParetoCard({ versions }: { versions: Version[] }) {
  const points = versions.flatMap((v) =>
    v.metrics.loss ? [{ name: String(v.version), href: `/models/${encodeURIComponent(v.model)}/${v.version}`, bytes: v.bytes.logical, loss: v.metrics.loss.value, low: v.metrics.loss.low, high: v.metrics.loss.high }] : [],
  );
  if (points.length < 2) return null;
  return (
    <Card title="Loss against bytes" aside={<span className="minor">lower left is better; the line joins what nothing beats</span>}>
      <Pareto points={points} />
    </Card>
  );
}

function Moves({ path }: { path: string }) {
  const moves = useResource<Page<AliasMove>>(`${path}/aliases/moves`);
  return (
    <Card title="Alias moves">
      <Loaded resource={moves}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No alias was ever moved" />
          ) : (
            <ol className="history">
              {items.map((move, i) => (
                <li key={i}>
                  <Tag tone="accent">{move.alias}</Tag> {move.previous ? `${move.previous} → ` : ''}
                  {move.kind === 'removed' ? 'removed' : move.version}
                  {move.kind === 'reverted' && ' (put back)'}
                  <span className="minor">
                    {' '}
                    {move.actor}, <Ago time={move['moved-at']} />
                    {move.reason && <>: {move.reason}</>}
                  </span>
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Card>
  );
}

/** What guards the aliases, and what it said lately. */
function GatesCard({ path }: { path: string }) {
  const gates = useResource<Gates>(`${path}/gates`);
  return (
    <Card title="Gates">
      <Loaded resource={gates}>
        {(data) =>
          data.items.length === 0 ? (
            <Empty title="Aliases move without a gate">A gate is a rule over metrics, such as <code>loss &lt; 3.1</code>, or a number of approvals.</Empty>
          ) : (
            <ul className="history">
              {data.items.map((gate) => (
                <li key={gate.alias}>
                  <Tag tone="accent">{gate.alias}</Tag> {gate.rule && <code>{gate.rule}</code>} {gate.approvals > 0 && `${gate.approvals} approval${gate.approvals > 1 ? 's' : ''}`}
                </li>
              ))}
              {data.decisions.slice(0, 8).map((decision, i) => (
                <li key={i} className="minor">
                  {decision.alias} for {decision.version}: {decision.allowed ? 'let through' : `refused, ${decision.failed.join('; ')}`}, {decision.actor}, <Ago time={decision.at} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}
