import { useEffect, useState } from 'react';
import { get, useResource } from '../api/client';
import { at } from '../api/place';
import { useRegistryNews } from '../api/events';
import type { Model, Version } from '../api/types';
import { Ago, Card, PageHead } from '../parts/bits';
import { Paged } from '../parts/paged';
import { Empty, Loaded } from '../parts/states';
import { AliasTags, splitOrder, Tags, VersionTable } from '../parts/version-list';
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
      <PageHead title="Models" lead="Registered models. A version never changes, and knows where it came from." />
      <div className="search">
        <input type="search" aria-label="Search" placeholder="A name, or a query: params.active < 2B and loss < 3.1 order by bytes" value={text} onChange={(event) => setText(event.target.value)} spellCheck={false} />
      </div>
      {isQuery ? <Found question={wanted} /> : <All name={wanted} />}
    </>
  );
}

function All({ name }: { name: string }) {
  const place = at('/api/v1/models', { limit: 100, q: name || undefined });
  const first = useResource(place);
  useRegistryNews(first.reload);
  return (
    <Card className="flush">
      <Loaded resource={first} lines={6}>
        {(page) =>
          page.items.length === 0 ? (
            name ? <Empty title={`No model has “${name}” in its name`}>To search versions, write a query, such as <code>loss &lt; 3.1</code>.</Empty> : <Empty title="No model is registered yet">A pipeline’s <code>register</code> stage adds one; <code>espalier import DIR --name NAME</code> adds one from a folder.</Empty>
          ) : (
            <Paged key={name} first={page} read={(cursor) => get(place.with({ cursor }))}>
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

/** Versions that a query finds; a click on a column orders them anew. */
function Found({ question }: { question: string }) {
  const place = at('/api/v1/search', { limit: 100, q: question });
  const found = useResource(place);
  const [where, order] = splitOrder(question);
  const onOrder = (next: string) => navigate(`/models?q=${encodeURIComponent(`${where} order by ${next}`.trim())}`, true);
  return (
    <Card className="flush">
      <Loaded resource={found}>
        {(page) =>
          page.items.length === 0 ? <Empty title="No version matches this query" /> : <Paged key={question} first={page} read={(cursor) => get(place.with({ cursor }))}>{(versions: Version[]) => <VersionTable versions={versions} withModel order={order} onOrder={onOrder} />}</Paged>
        }
      </Loaded>
    </Card>
  );
}
