import { type FormEvent, useState } from 'react';
import { useResource } from '../api/client';
import type { Comparison } from '../api/types';
import { Bars } from '../charts/bars';
import { HeatMap } from '../charts/heat-map';
import { Card, PageHead } from '../parts/bits';
import { useMetricNames } from '../parts/metrics';
import { Empty, Loaded } from '../parts/states';
import { bytes, measure, percent } from '../format';
import { navigate } from '../router';

/** Two versions side by side: settings, metrics, weights, bytes. */
export function ComparePage({ left, right }: { left: string; right: string }) {
  const [a, setA] = useState(left);
  const [b, setB] = useState(right);
  const isAsked = left !== '' && right !== '';
  const comparison = useResource<Comparison>(isAsked ? `/api/v1/compare?left=${encodeURIComponent(left)}&right=${encodeURIComponent(right)}` : null);
  const ask = (event: FormEvent) => {
    event.preventDefault();
    navigate(`/compare?left=${encodeURIComponent(a.trim())}&right=${encodeURIComponent(b.trim())}`);
  };
  return (
    <>
      <PageHead title="Compare" lead="What two versions have in common and where they differ." />
      <form className="compare-form" onSubmit={ask}>
        <input aria-label="Left version" placeholder="NAME@1" value={a} onChange={(event) => setA(event.target.value)} required spellCheck={false} />
        <span className="minor">with</span>
        <input aria-label="Right version" placeholder="NAME@2" value={b} onChange={(event) => setB(event.target.value)} required spellCheck={false} />
        <button className="primary">Compare</button>
      </form>
      {isAsked ? (
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
      ) : (
        <Card>
          <Empty title="Name two versions">NAME@VERSION or NAME@ALIAS; or tick two on a model’s page.</Empty>
        </Card>
      )}
    </>
  );
}

function BytesShared({ data, left, right }: { data: Comparison; left: string; right: string }) {
  const { shared, 'left-only': leftOnly, 'right-only': rightOnly } = data.bytes;
  return (
    <Card title="Bytes">
      <Bars
        rows={[
          { key: 'left', name: left, parts: [{ value: shared, tone: 'strong', title: `${bytes(shared)} shared` }, { value: leftOnly, tone: 'second', title: `${bytes(leftOnly)} of its own` }], text: bytes(shared + leftOnly) },
          { key: 'right', name: right, parts: [{ value: shared, tone: 'strong', title: `${bytes(shared)} shared` }, { value: rightOnly, tone: 'second', title: `${bytes(rightOnly)} of its own` }], text: bytes(shared + rightOnly) },
        ]}
      />
      <p className="minor figures">
        {bytes(shared)} shared, {percent(shared + leftOnly + rightOnly > 0 ? shared / (shared + leftOnly + rightOnly) : 0)} of all bytes of both.
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
        <Empty title="Neither has a metric">
          An <code>evaluate</code> step among the needs of the <code>register</code> step brings them.
        </Empty>
      ) : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th>Metric</th>
                <th className="number">{left}</th>
                <th className="number">{right}</th>
                <th className="number" title="right less left">
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
        <Empty title="The same in both" />
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
  if (data.weights.every((w) => w['relative-change'] == null && w.experts.length === 0)) return <Card title="Weights"><Empty title="Their weights have no shape in common">Expert by expert, they cannot be compared.</Empty></Card>;
  const name = (layer: number) => (layer < 0 ? 'outside' : `layer ${layer}`);
  const layers = data.weights.filter((w) => w.experts.some((e) => e != null));
  const hasExperts = data.weights.some((w) => w.experts.length > 0);
  const most = Math.max(1e-12, ...layers.flatMap((w) => w.experts.map((e) => e ?? 0)));
  return (
    <Card title="Weights" aside={<span className="minor">norm of the difference over the norm; each expert against the one it came from</span>}>
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
          columnsName={most > 1e-12 ? `experts; the strongest colour is ${measure(most)}` : 'experts; none has changed'}
          label="Relative change of every expert"
        />
      )}
      {hasExperts && layers.length === 0 && <p className="minor">The experts of the two differ in shape or number format, so they cannot be compared number by number.</p>}
    </Card>
  );
}
