import { type FormEvent, useState } from 'react';
import { useResource } from '../api/client';
import { type Place } from '../api/place';
import type { Version } from '../api/types';
import { Dag } from '../charts/dag';
import { Card, Digest, Facts } from '../parts/bits';
import { Empty, Loaded } from '../parts/states';
import { counted, duration, short } from '../format';
import { navigate } from '../router';

/** Where a version comes from, back to the data, and what that cost. */
export function LineageCard({ place, root }: { place: Place<'/api/v1/models/{name}/versions/{version}'>; root: string }) {
  const lineage = useResource(place.under('/lineage'));
  return (
    <Card title="Lineage" aside={lineage.data && <span className="minor figures">{counted(lineage.data.nodes.length, 'artifact')}</span>}>
      <Loaded resource={lineage}>
        {(data) => {
          if (data.nodes.length === 0) return <Empty title="No ancestor is known" />;
          const label = (id: string) => {
            const node = data.nodes.find((n) => n.id === id)!;
            return node.model ? `${node.model}@${node.version}` : node.step || node.root.slice(0, 10);
          };
          const unique = uniqueNames(data.nodes.map((n) => [n.id, label(n.id)]));
          return (
            <>
              <Dag
                nodes={data.nodes.map((node) => ({
                  name: unique.get(node.id)!,
                  // Edges run from what was made to what it was made from.
                  needs: data.edges.filter((edge) => edge.to === node.id).map((edge) => unique.get(edge.from)!),
                  state: node.cached ? 'cached' : node.artifact === 'dataset' ? 'waiting' : 'succeeded',
                  lines: [[node.kind, node.method].filter(Boolean).join(': '), node.seconds ? duration(node.seconds) : ''],
                }))}
                label="What this version was made from"
                selected={unique.get(data.nodes.find((node) => node.root === root)?.id ?? '')}
                onOpen={(name) => {
                  const node = data.nodes.find((n) => unique.get(n.id) === name);
                  if (node?.model) navigate(`/models/${encodeURIComponent(node.model)}/${node.version}`);
                }}
              />
              <Facts
                facts={[
                  ['Computing behind it', `${duration(data.bill.seconds)} in all, including its ancestors`],
                  ['Saved by the cache', data.bill['saved-seconds'] > 0 ? duration(data.bill['saved-seconds']) : undefined],
                ]}
              />
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

function uniqueNames(named: [string, string][]): Map<string, string> {
  const seen = new Map<string, number>();
  return new Map(
    named.map(([id, name]) => {
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      return [id, count > 1 ? `${name} (${count})` : name];
    }),
  );
}

/** The ancestors of one expert through copying, training, merging and pruning. */
export function GenealogyCard({ place, shape }: { place: Place<'/api/v1/models/{name}/versions/{version}'>; shape: Version['shape'] }) {
  const { layers, experts } = shape;
  const [layer, setLayer] = useState('0');
  const [expert, setExpert] = useState('0');
  const [asked, setAsked] = useState({ layer: 0, expert: 0 });
  const genealogy = useResource(place.under('/genealogy', asked));
  const ask = (event: FormEvent) => {
    event.preventDefault();
    setAsked({ layer: Number(layer) || 0, expert: Number(expert) || 0 });
  };
  return (
    <Card
      title="Genealogy of an expert"
      aside={
        <form className="inline" onSubmit={ask}>
          <label>
            Layer <input className="narrow" inputMode="numeric" value={layer} onChange={(event) => setLayer(event.target.value)} title={layers ? `0 to ${layers - 1}` : undefined} />
          </label>
          <label>
            Expert <input className="narrow" inputMode="numeric" value={expert} onChange={(event) => setExpert(event.target.value)} title={experts ? `0 to ${experts - 1}` : undefined} />
          </label>
          <button>Trace</button>
        </form>
      }
    >
      <Loaded resource={genealogy}>
        {(data) =>
          data.ancestors.length === 0 ? (
            <Empty title="This expert has no recorded ancestor">It was there from the start.</Empty>
          ) : (
            <ol className="genealogy">
              {data.ancestors.map((ancestor, i) => (
                <li key={i}>
                  <span className="figures">
                    layer {ancestor.layer}, {ancestor.experts.length === 1 ? 'expert' : 'experts'} {ancestor.experts.join(', ')}
                  </span>
                  <span>
                    {ancestor.model ? `${ancestor.model}@${ancestor.version}` : ancestor.step} <Digest value={ancestor.root} length={8} />
                  </span>
                  <span className="minor">
                    {[ancestor.kind, ancestor.method].filter(Boolean).join(', ')}
                    {ancestor.tokens ? ` · ${short(ancestor.tokens)} tokens seen` : ''}
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
