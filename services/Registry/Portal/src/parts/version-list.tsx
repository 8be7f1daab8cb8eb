import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { get, useResource } from '../api/client';
import { at } from '../api/place';
import { useRegistryNews } from '../api/events';
import type { Page, Version } from '../api/types';
import { bytes, measure, short } from '../format';
import { Link, navigate, useAddress } from '../router';
import { Ago, Card, Tag } from './bits';
import { OrderedColumn } from './ordered-column';
import { Paged } from './paged';
import { Empty, ErrorBox } from './states';

/** A query without its order, and the order. */
export function splitOrder(query: string): [string, string | undefined] {
  const match = /^(.*?)\s*\border\s+by\s+(.+)$/is.exec(query);
  return match ? [match[1], match[2]] : [query, undefined];
}

/** The versions of a model, filtered and ordered by the server; the address says how, so that it can be shared. */
export function VersionList({ model, picked, onPick, aside }: { model: string; picked: string[]; onPick: (name: string) => void; aside: ReactNode }) {
  const { path: address, query } = useAddress();
  const [filter, order] = [query.get('filter') ?? '', query.get('order') ?? undefined];
  const q = `${filter}${order ? ` order by ${order}` : ''}`.trim();
  const place = at('/api/v1/models/{name}/versions', { name: model, limit: 100, q: q || undefined });
  const versions = useResource(place);
  useRegistryNews(versions.reload, model);
  // While another order is read, the list stays as it was.
  const [shown, setShown] = useState<{ place: typeof place; page: Page<Version> }>();
  useEffect(() => versions.data && setShown({ place, page: versions.data }), [versions.data]);
  const go = (next: { filter?: string; order?: string }) => {
    const wanted = new URLSearchParams(Object.entries({ filter, order, ...next }).filter((each): each is [string, string] => !!each[1]));
    navigate(wanted.size > 0 ? `${address}?${wanted}` : address, true);
  };
  return (
    <Card className="flush" title="Versions" aside={aside}>
      <Filter filter={filter} onFilter={(next) => go(splitOrder(next)[1] ? { filter: splitOrder(next)[0], order: splitOrder(next)[1] } : { filter: next })} />
      {versions.error ? (
        <div className="within">
          <ErrorBox error={versions.error} retry={versions.error.status === 400 ? undefined : versions.reload} />
        </div>
      ) : shown === undefined ? null : shown.page.items.length === 0 ? (
        filter ? <Empty title="No version matches this filter" /> : <Empty title="No version yet" />
      ) : (
        <Paged key={shown.place.url} first={shown.page} read={(cursor) => get(shown.place.with({ cursor }))}>
          {(items: Version[]) => <VersionTable versions={items} picked={picked} onPick={onPick} order={order} onOrder={(next) => go({ order: next })} />}
        </Paged>
      )}
    </Card>
  );
}

function Filter({ filter, onFilter }: { filter: string; onFilter: (filter: string) => void }) {
  const [text, setText] = useState(filter);
  useEffect(() => setText(filter), [filter]);
  const apply = (event: FormEvent) => {
    event.preventDefault();
    onFilter(text.trim());
  };
  return (
    <form className="filter" role="search" onSubmit={apply}>
      <input type="search" aria-label="Filter versions" placeholder="loss < 3.1 and tag.team = core" value={text} onChange={(event) => (setText(event.target.value), event.target.value === '' && onFilter(''))} spellCheck={false} />
      <button>Filter</button>
    </form>
  );
}

export function VersionTable({ versions, withModel, picked, onPick, order, onOrder }: { versions: Version[]; withModel?: boolean; picked?: string[]; onPick?: (name: string) => void; order?: string; onOrder?: (order: string) => void }) {
  const names = commonMetrics(versions, order);
  const column = (field: string, name: string, isNumber = true) => <OrderedColumn key={field} field={field} name={name} className={isNumber ? 'number' : undefined} order={order} onOrder={field === 'signed' ? undefined : onOrder} />;
  return (
    <table className="rows">
      <thead>
        <tr>
          {onPick && <th aria-label="Compare" />}
          {withModel ? column('model', 'Version', false) : column('version', 'Version', false)}
          <th>Aliases and tags</th>
          {names.map((name) => column(name, name))}
          {column('params', 'Parameters')}
          {column('bytes', 'Size')}
          {column('signed', 'Signed', false)}
          {column('created', 'Registered')}
        </tr>
      </thead>
      <tbody>
        {versions.map((v) => {
          const href = `/models/${encodeURIComponent(v.model)}/${v.version}`;
          const name = `${v.model}@${v.version}`;
          return (
            <tr key={name} onClick={() => navigate(href)}>
              {onPick && (
                <td onClick={(event) => event.stopPropagation()}>
                  <input type="checkbox" aria-label={`Compare ${name}`} checked={picked?.includes(name)} onChange={() => onPick(name)} />
                </td>
              )}
              <td>
                <Link href={href} onClick={(event) => event.stopPropagation()}>
                  {withModel ? name : v.version}
                </Link>
                <span className="minor mono"> {v.root.slice(0, 8)}</span>
              </td>
              <td>
                {v.aliases.map((alias) => (
                  <Tag key={alias} tone="accent">
                    {alias}
                  </Tag>
                ))}
                <Tags tags={v.tags} />
              </td>
              {names.map((metric) => (
                <td key={metric} className="number">
                  {v.metrics[metric] ? measure(v.metrics[metric].value) : '–'}
                </td>
              ))}
              <td className="number">{v.params.total > 0 ? <span title="active / total">{short(v.params.active)} / {short(v.params.total)}</span> : '–'}</td>
              <td className="number">
                <span title={`${bytes(v.bytes.new)} of it is new to the store`}>{bytes(v.bytes.logical)}</span>
              </td>
              <td>{v.signed ? <Tag tone="accent">signed</Tag> : <span className="minor">–</span>}</td>
              <td className="number">
                <Ago time={v.created} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The few metrics that say most, if the versions have them, and the one that orders them. */
function commonMetrics(versions: Version[], order?: string): string[] {
  const known = new Set(versions.flatMap((v) => Object.keys(v.metrics)));
  const by = order?.split(/\s/)[0] ?? '';
  return [...new Set(['loss', 'bits-per-byte', 'accuracy', by])].filter((name) => known.has(name));
}

export const AliasTags = ({ aliases }: { aliases: Record<string, number> }) => (
  <>
    {Object.entries(aliases).map(([alias, version]) => (
      <Tag key={alias} tone="accent">
        {alias} → {version}
      </Tag>
    ))}
  </>
);

export const Tags = ({ tags }: { tags: Record<string, string> }) => (
  <>
    {Object.entries(tags).map(([name, value]) => (
      <Tag key={name}>{value ? `${name}: ${value}` : name}</Tag>
    ))}
  </>
);
