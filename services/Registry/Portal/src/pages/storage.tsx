import { get, useResource } from '../api/client';
import { at } from '../api/place';
import { useRegistryNews } from '../api/events';
import type { Page, Storage, StoredVersion } from '../api/types';
import { Bars } from '../charts/bars';
import { Ago, Card, PageHead } from '../parts/bits';
import { Paged } from '../parts/paged';
import { useMay } from '../parts/role';
import { Empty, Loaded } from '../parts/states';
import { bytes } from '../format';
import { Link } from '../router';
import { Collector } from './storage-gc';

const place = at('/api/v1/storage', { limit: 100 });
const pageOf = (storage: Storage): Page<StoredVersion> => ({ items: storage.models, next: storage.next });

/** What the store holds, what sharing saves, and what deleting would free. */
export function StoragePage() {
  const storage = useResource(place);
  const mayCollect = useMay('admin');
  useRegistryNews(storage.reload);
  return (
    <>
      <PageHead title="Storage" lead="Identical data is stored once: versions that share weights share the space." />
      <Loaded resource={storage} lines={8}>
        {(data) => (
          <>
            <Card title="All versions" aside={<span className="minor">counted <Ago time={data.at} /></span>}>
              <Bars
                rows={[
                  { key: 'logical', name: 'total size', parts: [{ value: data.logical, tone: 'soft', title: 'the sizes of all versions added up' }], text: bytes(data.logical) },
                  {
                    key: 'physical',
                    name: 'stored',
                    parts: [
                      { value: data.physical - data.unreferenced, tone: 'strong', title: `${bytes(data.physical - data.unreferenced)} used by versions` },
                      { value: data.unreferenced, tone: 'second', title: `${bytes(data.unreferenced)} used by no version` },
                    ],
                    text: bytes(data.physical),
                  },
                ]}
              />
              <p className="minor figures">
                Versions take {bytes(data.physical - data.unreferenced)}
                {data.physical > data.unreferenced && data.logical > data.physical - data.unreferenced && `, ${(data.logical / (data.physical - data.unreferenced)).toFixed(1)} times less than their sizes added up`}. The other {bytes(data.unreferenced)} are
                results, reports and saved progress of runs, or no longer needed.
              </p>
            </Card>
            <Card title="By version" className="flush" aside={<span className="minor">“only here”: space that deleting the version frees</span>}>
              {data.models.length === 0 ? (
                <Empty title="No versions yet" />
              ) : (
                <Paged first={pageOf(data)} read={(cursor) => get(place.with({ cursor })).then(pageOf)}>
                  {(versions: StoredVersion[]) => <Versions versions={versions} />}
                </Paged>
              )}
            </Card>
            {mayCollect && <Collector onDone={storage.reload} />}
          </>
        )}
      </Loaded>
    </>
  );
}

const Versions = ({ versions }: { versions: StoredVersion[] }) => (
  <table>
    <thead>
      <tr>
        <th>Version</th>
        <th className="number">Size</th>
        <th className="number">Only here</th>
        <th aria-label="Share of its size" />
      </tr>
    </thead>
    <tbody>
      {versions.map((each) => (
        <tr key={`${each.name}@${each.version}`}>
          <td className="name">
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
);
