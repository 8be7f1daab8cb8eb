import { type FormEvent, useState } from 'react';
import { useResource } from '../api/client';
import { at } from '../api/place';
import type { Comparison } from '../api/types';
import { Bars } from '../charts/bars';
import { HeatMap } from '../charts/heat-map';
import { Card, PageHead, Tag } from '../parts/bits';
import { CompareCurves } from '../parts/compare-curves';
import { CompareTable } from '../parts/compare-table';
import { comparePath, flat, mostCompared } from '../parts/compared';
import { useMetricNames } from '../parts/metrics';
import { Empty, Loaded } from '../parts/states';
import { bytes, measure, percent } from '../format';
import { Link, navigate } from '../router';
import { CompareRuns } from './compare-runs';

/** Runs or versions side by side; the address says which, so that it can be shared. */
export function ComparePage({ versions, runs }: { versions: string[]; runs: string[] }) {
  if (runs.length > 0) return <CompareRuns key={runs.join()} runs={runs} />;
  return (
    <>
      <PageHead title="Compare" lead="What versions or runs have in common, and where they differ." />
      <Choice versions={versions} />
      {versions.length === 0 ? (
        <Card>
          <Empty title="Name two or more versions">
            NAME@VERSION or NAME@ALIAS; or select them on a model’s page. Runs are selected in <Link href="/runs">their list</Link>.
          </Empty>
        </Card>
      ) : versions.length === 1 ? (
        <Card>
          <Empty title="One more, and they can be compared" />
        </Card>
      ) : (
        <>
          {versions.length === 2 && <Two left={versions[0]} right={versions[1]} />}
          <Several key={versions.join()} versions={versions} />
        </>
      )}
    </>
  );
}

/** Which versions are compared: each can be taken out, and another added. */
function Choice({ versions }: { versions: string[] }) {
  const [name, setName] = useState('');
  const add = (event: FormEvent) => {
    event.preventDefault();
    const added = name.split(/[\s,]+/).filter((each) => each !== '' && !versions.includes(each));
    setName('');
    navigate(comparePath([...versions, ...added].slice(-mostCompared)));
  };
  return (
    <form className="compare-form" onSubmit={add}>
      {versions.map((version) => (
        <Tag key={version}>
          {version}{' '}
          <button type="button" className="quiet" aria-label={`Remove ${version}`} onClick={() => navigate(comparePath(versions.filter((each) => each !== version)))}>
            ×
          </button>
        </Tag>
      ))}
      <input aria-label="Version" placeholder="NAME@1" value={name} onChange={(event) => setName(event.target.value)} required spellCheck={false} />
      <button className="primary">Add</button>
    </form>
  );
}

/** What can be told of two only: the bytes they share, paired differences, and the change of every expert. */
function Two({ left, right }: { left: string; right: string }) {
  const comparison = useResource(at('/api/v1/compare', { left, right }));
  return (
    <Loaded resource={comparison} lines={8}>
      {(data) => (
        <>
          <BytesShared data={data} left={left} right={right} />
          <Metrics data={data} left={left} right={right} />
          <Config data={data} left={left} right={right} />
          <Weights data={data} />
        </>
      )}
    </Loaded>
  );
}

/** Any number of versions: training curves, and for more than two their metrics and configuration. */
function Several({ versions }: { versions: string[] }) {
  const compared = useResource(at('/api/v1/compare/versions', { version: versions }));
  return (
    <Loaded resource={compared}>
      {({ items }) => {
        const columns = items.map(({ version, config }) => {
          const name = `${version.model}@${version.version}`;
          const metrics = Object.fromEntries(Object.entries(version.metrics).map(([metric, { value }]) => [metric, value]));
          const facts = { 'size in bytes': version.bytes.logical, parameters: version.params.total, 'active parameters': version.params.active };
          return { key: name, name, href: `/models/${encodeURIComponent(version.model)}/${version.version}`, metrics: { ...metrics, ...facts }, config: Object.fromEntries(flat(config)) };
        });
        const names = (of: 'metrics' | 'config') => [...new Set(columns.flatMap((column) => Object.keys(column[of])))];
        return (
          <>
            <CompareCurves sources={items.flatMap(({ version }) => (version.run && version.step ? [{ name: `${version.model}@${version.version}`, run: version.run, step: version.step }] : []))} />
            {items.length > 2 && (
              <>
                <CompareTable title="Metrics" best columns={columns.map((column) => ({ ...column, values: column.metrics }))} names={names('metrics')} empty="None of them has a metric." />
                <CompareTable title="Configuration" onlyDifferent columns={columns.map((column) => ({ ...column, values: column.config }))} names={names('config')} empty="The store has none of their configurations." />
              </>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function BytesShared({ data, left, right }: { data: Comparison; left: string; right: string }) {
  const { shared, 'left-only': leftOnly, 'right-only': rightOnly } = data.bytes;
  return (
    <Card title="Storage">
      <Bars
        rows={[
          { key: 'left', name: left, parts: [{ value: shared, tone: 'strong', title: `${bytes(shared)} shared` }, { value: leftOnly, tone: 'second', title: `${bytes(leftOnly)} only here` }], text: bytes(shared + leftOnly) },
          { key: 'right', name: right, parts: [{ value: shared, tone: 'strong', title: `${bytes(shared)} shared` }, { value: rightOnly, tone: 'second', title: `${bytes(rightOnly)} only here` }], text: bytes(shared + rightOnly) },
        ]}
      />
      <p className="minor figures">
        {bytes(shared)} shared: {percent(shared + leftOnly + rightOnly > 0 ? shared / (shared + leftOnly + rightOnly) : 0)} of what both take together.
      </p>
    </Card>
  );
}

function Metrics({ data, left, right }: { data: Comparison; left: string; right: string }) {
  const { names, control } = useMetricNames(data.metrics.map((m) => m.name));
  const byName = new Map(data.metrics.map((m) => [m.name, m]));
  return (
    <Card title="Metrics" aside={control}>
      {data.metrics.length === 0 ? (
        <Empty title="Neither has any metrics">
          They come from an <code>evaluate</code> step that the <code>register</code> step needs.
        </Empty>
      ) : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th>Metric</th>
                <th className="number">{left}</th>
                <th className="number">{right}</th>
                <th className="number" title="right minus left">
                  Difference
                </th>
                <th className="number" title="of the paired difference, where one evaluation measured both">
                  95 % interval
                </th>
              </tr>
            </thead>
            <tbody>
              {names.map((name) => {
                const m = byName.get(name)!;
                const isClear = m.low != null && m.high != null && (m.low > 0 || m.high < 0);
                return (
                  <tr key={name}>
                    <td>{name}</td>
                    <td className="number">{m.left == null ? '–' : measure(m.left)}</td>
                    <td className="number">{m.right == null ? '–' : measure(m.right)}</td>
                    <td className={`number ${isClear ? 'clear' : ''}`}>{m.difference == null ? '–' : signed(m.difference)}</td>
                    <td className="number minor">{m.low == null || m.high == null ? '–' : `${signed(m.low)} to ${signed(m.high)}`}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

const signed = (value: number) => (value > 0 ? '+' : '') + measure(value);

function Config({ data, left, right }: { data: Comparison; left: string; right: string }) {
  return (
    <Card title="Configuration">
      {data.config.length === 0 ? (
        <Empty title="They are the same" />
      ) : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th>Setting</th>
                <th>{left}</th>
                <th>{right}</th>
              </tr>
            </thead>
            <tbody>
              {data.config.map((c) => (
                <tr key={c.path}>
                  <td>{c.path}</td>
                  <td className="mono">
                    <Setting value={c.left} />
                  </td>
                  <td className="mono">
                    <Setting value={c.right} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

/** A value of the configuration; a long one opens. */
function Setting({ value }: { value: unknown }) {
  if (value === undefined || value === null) return <>–</>;
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (text.length <= 60) return <>{text}</>;
  return (
    <details>
      <summary>{text.slice(0, 44)}…</summary>
      <pre className="block">{JSON.stringify(value, null, 2)}</pre>
    </details>
  );
}

function Weights({ data }: { data: Comparison }) {
  if (data.weights.every((w) => w['relative-change'] == null && w.experts.length === 0)) return <Card title="Weights"><Empty title="Their weights have different shapes">They cannot be compared expert by expert.</Empty></Card>;
  const name = (layer: number) => (layer < 0 ? 'outside layers' : `layer ${layer}`);
  const layers = data.weights.filter((w) => w.experts.some((e) => e != null));
  const hasExperts = data.weights.some((w) => w.experts.length > 0);
  const most = Math.max(1e-12, ...layers.flatMap((w) => w.experts.map((e) => e ?? 0)));
  return (
    <Card title="Weights" aside={<span className="minor">norm of the difference divided by the norm; each expert against the one it came from</span>}>
      <Bars
        rows={data.weights.map((w) => ({
          key: String(w.layer),
          name: name(w.layer),
          parts: [{ value: w['relative-change'] ?? 0, tone: 'strong', title: `relative change of ${name(w.layer)}` }],
          text: (
            <>
              {w['relative-change'] == null ? '–' : measure(w['relative-change'])}
              {w.router !== undefined && <span className="minor"> router {measure(w.router)}{w['router-cosines'] && `, cosine ${w['router-cosines'].mean.toFixed(3)}`}</span>}
            </>
          ),
        }))}
      />
      {layers.length > 0 && (
        <HeatMap
          fromZero
          rows={layers.map((w) => w.experts.map((e) => (e ?? 0) / most))}
          rowName={(r) => name(layers[r].layer)}
          describe={(r, e) => {
            const [change, from] = [layers[r].experts[e], layers[r].origins[e]];
            return `layer ${layers[r].layer}, expert ${e}${from != null && from !== e ? ` (was ${from})` : ''}: ${change == null ? 'cannot be compared' : `relative change ${measure(change)}`}`;
          }}
          columnsName={most > 1e-12 ? `experts; the strongest colour means ${measure(most)}` : 'experts; none has changed'}
          label="Relative change of every expert"
        />
      )}
      {hasExperts && layers.length === 0 && <p className="minor">The experts differ in shape or number format, so they cannot be compared value by value.</p>}
    </Card>
  );
}
