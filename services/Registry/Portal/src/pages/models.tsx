import { useEffect, useState } from 'react';
import { get, useAction, useResource } from '../api/client';
import { useRegistryNews } from '../api/events';
import type { Model, Page, Version } from '../api/types';
import { Ago, Card, PageHead, Tag } from '../parts/bits';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { bytes, measure, short } from '../format';
import { Link, navigate, useAddress } from '../router';

/** Every model, and a search over versions. */
export function ModelsPage() {
  const { query } = useAddress();
  const wanted = query.get('q') ?? '';
  const [text, setText] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => text !== wanted && navigate(text ? `/models?q=${encodeURIComponent(text)}` : '/models', true), 250);
    return () => clearTimeout(timer);
  }, [text]);
  const isQuery = /[<>=]|\border\s+by\b/.test(wanted);
  return (
    <>
      <PageHead title="Models" lead="What was registered: every version is immutable, named, and knows where it comes from." />
      <div className="search">
        <input type="search" aria-label="Search" placeholder="A name, or a question: params.active < 2B and loss < 3.1 order by bytes" value={text} onChange={(event) => setText(event.target.value)} spellCheck={false} />
      </div>
      {isQuery ? <Found question={wanted} /> : <All name={wanted} />}
    </>
  );
}

function All({ name }: { name: string }) {
  const first = useResource<Page<Model>>(`/api/v1/models?limit=100${name ? `&q=${encodeURIComponent(name)}` : ''}`);
  useRegistryNews(first.reload);
  return (
    <Card className="flush">
      <Loaded resource={first} lines={6}>
        {(page) =>
          page.items.length === 0 ? (
            name ? <Empty title={`No model has “${name}” in its name`} /> : <Empty title="No model is registered yet">A pipeline’s <code>register</code> stage puts one here; <code>espalier import DIR --name NAME</code> takes one from a folder.</Empty>
          ) : (
            <Paged key={name} first={page} path={`/api/v1/models?limit=100${name ? `&q=${encodeURIComponent(name)}` : ''}`}>
              {(models: Model[]) => (
                <table className="rows">
                  <thead>
                    <tr>
                      <th>Model</th>
                      <th>Aliases</th>
                      <th>Tags</th>
                      <th className="number">Versions</th>
                      <th className="number">Updated</th>
                    </tr>
                  </thead>
                  <tbody>
                    {models.map((model) => (
                      <tr key={model.name} onClick={() => navigate(`/models/${encodeURIComponent(model.name)}`)}>
                        <td>
                          <Link href={`/models/${encodeURIComponent(model.name)}`} onClick={(event) => event.stopPropagation()}>
                            {model.name}
                          </Link>
                          {model.description && <div className="minor clip">{model.description}</div>}
                        </td>
                        <td>
                          <AliasTags aliases={model.aliases} />
                        </td>
                        <td>
                          <Tags tags={model.tags} />
                        </td>
                        <td className="number">{model.versions}</td>
                        <td className="number">
                          <Ago time={model.updated} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )}
            </Paged>
          )
        }
      </Loaded>
    </Card>
  );
}

/** Versions that a question finds. */
function Found({ question }: { question: string }) {
  const path = `/api/v1/search?limit=100&q=${encodeURIComponent(question)}`;
  const found = useResource<Page<Version>>(path);
  return (
    <Card className="flush">
      <Loaded resource={found}>
        {(page) =>
          page.items.length === 0 ? <Empty title="No version answers this question" /> : <Paged key={question} first={page} path={path}>{(versions: Version[]) => <VersionTable versions={versions} withModel />}</Paged>
        }
      </Loaded>
    </Card>
  );
}

/** A list that has more behind a cursor. */
export function Paged<T>({ first, path, read = get, children }: { first: Page<T>; path: string; read?: (path: string) => Promise<Page<T>>; children: (items: T[]) => React.ReactNode }) {
  const [more, setMore] = useState<Page<T>>();
  const action = useAction();
  // What follows a list that has changed does not follow it any more.
  const state = JSON.stringify(first);
  useEffect(() => setMore(undefined), [state]);
  const items = more ? [...first.items, ...more.items] : first.items;
  const next = more ? more.next : first.next;
  const readMore = () =>
    action.run(async () => {
      const page = await read(`${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(next!)}`);
      setMore((old) => ({ items: [...(old?.items ?? []), ...page.items], next: page.next }));
    });
  return (
    <div className="scroll">
      {children(items)}
      {next && (
        <button className="quiet wide" disabled={action.busy} onClick={() => void readMore()}>
          {action.busy ? 'Reading…' : 'More'}
        </button>
      )}
      {action.error && <ErrorBox error={action.error} />}
    </div>
  );
}

export function VersionTable({ versions, withModel, picked, onPick }: { versions: Version[]; withModel?: boolean; picked?: string[]; onPick?: (name: string) => void }) {
  const names = commonMetrics(versions);
  return (
    <table className="rows">
      <thead>
        <tr>
          {onPick && <th aria-label="Compare" />}
          <th>Version</th>
          <th>Aliases</th>
          {names.map((name) => (
            <th key={name} className="number">
              {name}
            </th>
          ))}
          <th className="number">Parameters</th>
          <th className="number">Bytes</th>
          <th>Signed</th>
          <th className="number">Registered</th>
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
              </td>
              {names.map((metric) => (
                <td key={metric} className="number">
                  {v.metrics[metric] ? measure(v.metrics[metric].value) : '–'}
                </td>
              ))}
              <td className="number">{v.params.total > 0 ? <span title="active of all">{short(v.params.active)} / {short(v.params.total)}</span> : '–'}</td>
              <td className="number">
                <span title={`${bytes(v.bytes.new)} of them new to the store`}>{bytes(v.bytes.logical)}</span>
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

/** The few metrics that say most, if the versions have them. */
function commonMetrics(versions: Version[]): string[] {
  const known = new Set(versions.flatMap((v) => Object.keys(v.metrics)));
  return ['loss', 'bits-per-byte', 'accuracy'].filter((name) => known.has(name));
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
