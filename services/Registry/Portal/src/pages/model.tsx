import { useState } from 'react';
import { useResource } from '../api/client';
import { at } from '../api/place';
import { useRegistryNews } from '../api/events';
import type { Version } from '../api/types';
import { Pareto } from '../charts/pareto';
import { Card, PageHead } from '../parts/bits';
import { Loaded } from '../parts/states';
import { AliasTags, Tags, VersionList } from '../parts/version-list';
import { comparePath, mostCompared } from '../parts/compared';
import { navigate } from '../router';
import { AliasesCard } from './model-aliases';
import { GatesCard } from './model-gates';
import { TextCard } from './version-notes';

/** One model, live: its versions, how they trade loss for bytes, where its aliases are and were, what guards them. */
export function ModelPage({ name }: { name: string }) {
  const place = at('/api/v1/models/{name}', { name });
  const model = useResource(place);
  const versions = useResource(place.under('/versions', { limit: 100 }));
  const gates = useResource(place.under('/gates'));
  const moves = useResource(place.under('/aliases/moves'));
  const reload = () => [model, versions, gates, moves].forEach((resource) => resource.reload());
  useRegistryNews(reload, name);
  const [picked, setPicked] = useState<string[]>([]);
  const pick = (version: string) => setPicked((old) => (old.includes(version) ? old.filter((p) => p !== version) : [...old, version].slice(-mostCompared)));
  return (
    <Loaded resource={model}>
      {(data) => (
        <>
          <PageHead title={name} lead={summary(data.description)}>
            <AliasTags aliases={data.aliases} />
            <Tags tags={data.tags} />
          </PageHead>
          <div className="columns even">
            <AliasesCard place={place} model={data} moves={moves} onChanged={reload} />
            <GatesCard place={place} gates={gates} />
          </div>
          <VersionList
            model={name}
            picked={picked}
            onPick={pick}
            aside={
              <button disabled={picked.length < 2} onClick={() => navigate(comparePath(picked))}>
                {picked.length < 2 ? 'Select two or more to compare' : `Compare ${picked.length === 2 ? picked.map((each) => each.slice(each.lastIndexOf('@') + 1)).join(' and ') : `${picked.length} versions`}`}
              </button>
            }
          />
          <TextCard place={place} text={data.description} title="README" empty="Nobody has written a README for this model yet." onSaved={model.reload} />
          {versions.data && <ParetoCard versions={versions.data.items} />}
        </>
      )}
    </Loaded>
  );
}

/** The first line of the README as plain text. */
const summary = (text: string) => (text.split('\n').find((line) => line.trim() !== '') ?? '').replace(/^#+\s*/, '').slice(0, 200);

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
