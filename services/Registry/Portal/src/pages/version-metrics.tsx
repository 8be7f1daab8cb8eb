import { useState } from 'react';
import type { Interval, VersionDetails } from '../api/types';
import { Card } from '../parts/bits';
import { Empty } from '../parts/states';
import { measure } from '../format';

/** Ends of an interval that another metric has already. */
const isEnd = (name: string) => /-(low|high|lower-bound|upper-bound)$/.test(name);

const groups: [string, RegExp][] = [
  ['Held-out text', /^(loss|perplexity|scored-tokens|train-loss)|bits-per-byte/],
  ['Multiple choice', /accuracy|gold|margin|items|mc-nemar/],
  ['Agreement with the reference', /divergence|agreement/],
  ['Routing', /load|violation|expert|routing|balance/],
  ['Size', /parameters|bytes$|bits-per-weight/],
  ['Time and work', /tokens|operations|seconds|memory/],
];

const groupOf = (name: string) => groups.find(([, pattern]) => pattern.test(name))?.[0] ?? 'Other';

/** The version's metrics by what they are about; those that its evaluation measured of other models, model by model. */
export function MetricsCard({ data }: { data: VersionDetails }) {
  const [text, setText] = useState('');
  const all = Object.keys(data.metrics).filter((name) => !isEnd(name) && name.includes(text)).sort();
  const own = all.filter((name) => !isOther(name, data));
  if (Object.keys(data.metrics).length === 0)
    return (
      <Card>
        <Empty title="No metric was recorded">
          An <code>evaluate</code> step that the <code>register</code> step needs would measure some.
        </Empty>
      </Card>
    );
  return (
    <>
      <Card title="Metrics" aside={<input type="search" aria-label="Filter metrics" placeholder="filter" value={text} onChange={(event) => setText(event.target.value)} />}>
        {own.length === 0 && <p className="minor">No metric of this version has “{text}” in its name.</p>}
        <div className="scroll">
          <table aria-label="Metrics">
            <thead>
              <tr>
                <th>Metric</th>
                <th className="number">Value</th>
                <th className="number">95 % interval</th>
              </tr>
            </thead>
            {groupNames.map((group) => {
              const members = own.filter((name) => groupOf(name) === group);
              return members.length === 0 ? null : (
                <tbody key={group}>
                  <tr>
                    <th colSpan={3} scope="rowgroup" className="group">
                      {group}
                    </th>
                  </tr>
                  {members.map((name) => (
                    <tr key={name}>
                      <td>{name}</td>
                      <td className="number">{measure(data.metrics[name].value)}</td>
                      <td className="number minor">{interval(data.metrics[name])}</td>
                    </tr>
                  ))}
                </tbody>
              );
            })}
          </table>
        </div>
      </Card>
      <Others data={data} names={all.filter((name) => isOther(name, data))} />
    </>
  );
}

/** STEP.metric is a metric of another model where its evaluation had that step. */
const isOther = (name: string, data: VersionDetails) => {
  const dot = name.indexOf('.');
  return dot > 0 && `${name.slice(0, dot)}.total-parameters` in data.metrics;
};

/** One row a metric, one column a model. */
function Others({ data, names }: { data: VersionDetails; names: string[] }) {
  const models = [...new Set(names.map((name) => name.slice(0, name.indexOf('.'))))];
  const rows = [...new Set(names.map((name) => name.slice(name.indexOf('.') + 1)))].sort((a, b) => order(a) - order(b) || a.localeCompare(b));
  if (models.length === 0) return null;
  return (
    <Card title="Other models of the same evaluation" aside={<span className="minor">{models.length}</span>}>
      <div className="scroll" tabIndex={0} role="region" aria-label="Metrics of other models">
        <table aria-label="Metrics of other models">
          <thead>
            <tr>
              <th>Metric</th>
              {models.map((model) => (
                <th key={model} className="number">
                  {model}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row}>
                <td>{row}</td>
                {models.map((model) => {
                  const metric = data.metrics[`${model}.${row}`];
                  return (
                    <td key={model} className="number" title={metric && interval(metric)}>
                      {metric ? measure(metric.value) : '–'}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

const order = (name: string) => groupNames.indexOf(groupOf(name));
const groupNames = [...groups.map(([name]) => name), 'Other'];
const interval = (metric: Interval) => (metric.low != null && metric.high != null ? `${measure(metric.low)} to ${measure(metric.high)}` : '–');
