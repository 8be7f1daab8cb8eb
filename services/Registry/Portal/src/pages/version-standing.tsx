import { useResource } from '../api/client';
import { type Place } from '../api/place';
import type { Interval, StandingRow } from '../api/types';
import { Card } from '../parts/bits';
import { Loaded } from '../parts/states';
import { bytes, counted, percent, short } from '../format';
import { VersionLink } from './run-output';

const roles = { own: 'this version', parent: 'made from', control: 'control' };

/** How the version stands: its own numbers first, beside those of what it was made from and of the control. */
export function StandingCard({ place }: { place: Place<'/api/v1/models/{name}/versions/{version}'> }) {
  const standing = useResource(place.under('/standing'));
  return (
    <Loaded resource={standing} lines={3}>
      {({ rows, documents }) => {
        const isMeasured = rows.some((row) => row.loss);
        const hasAccuracy = rows.some((row) => row.accuracy);
        if (!isMeasured)
          return (
            <Card title="Numbers">
              <p className="minor">
                Nothing was measured. An <code>evaluate</code> step that the <code>register</code> step needs would measure it.
              </p>
            </Card>
          );
        return (
          <Card title="Numbers" className="standing" aside={documents !== undefined && <span className="minor">on the same held-out text, {counted(documents, 'document')}</span>}>
            {rows.slice(1).map((row) => (
              <p key={row.role} className="sentence">
                {sentence(row)}
              </p>
            ))}
            <div className="scroll" tabIndex={0} role="region" aria-label="Numbers beside those of other models">
              <table aria-label="Numbers">
                <thead>
                  <tr>
                    <th>Model</th>
                    <th className="number">Held-out loss (95 %)</th>
                    {rows.length > 1 && <th className="number">This version against it</th>}
                    <th className="number">Bits/byte</th>
                    {hasAccuracy && <th className="number">Accuracy</th>}
                    <th className="number">Parameters</th>
                    <th className="number">Active</th>
                    <th className="number">Bytes</th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={row.role} className={row.role === 'own' ? 'best' : ''}>
                      <td>
                        {row.role !== 'own' && row.model && row.version ? <VersionLink version={{ model: row.model, version: row.version }} /> : (row.step ?? `${row.model}@${row.version}`)}
                        <div className="minor">{roles[row.role]}</div>
                      </td>
                      <td className="number">
                        {row.loss ? row.loss.value.toFixed(4) : '–'}
                        {row.loss && row.loss.low != null && row.loss.high != null && (
                          <span className="minor">
                            {' '}
                            [{row.loss.low.toFixed(3)}, {row.loss.high.toFixed(3)}]
                          </span>
                        )}
                      </td>
                      {rows.length > 1 && <td className="number">{row.difference ? <Against difference={row.difference} /> : ''}</td>}
                      <td className="number">{row['bits-per-byte']?.value.toFixed(3) ?? '–'}</td>
                      {hasAccuracy && <td className="number">{row.accuracy ? percent(row.accuracy.value) : '–'}</td>}
                      <td className="number">{row['total-parameters'] === undefined ? '–' : short(row['total-parameters'])}</td>
                      <td className="number">{row['active-parameters'] === undefined ? '–' : short(row['active-parameters'])}</td>
                      <td className="number">{row.bytes === undefined ? '–' : bytes(row.bytes)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Card>
        );
      }}
    </Loaded>
  );
}

const tone = ({ low, high }: Interval) => (high != null && high < 0 ? 'better' : low != null && low > 0 ? 'worse' : 'unclear');
const signed = (value: number) => (value > 0 ? '+' : value < 0 ? '−' : '') + Math.abs(value).toFixed(4);

function Against({ difference }: { difference: Interval }) {
  const word = tone(difference);
  return (
    <>
      {signed(difference.value)}{' '}
      {difference.low != null && difference.high != null && (
        <span className="minor">
          [{signed(difference.low)}, {signed(difference.high)}]
        </span>
      )}{' '}
      <span className={`tone ${word}`}>{word === 'unclear' ? 'no clear difference' : word}</span>
    </>
  );
}

/** What the difference says, in words. */
function sentence(row: StandingRow) {
  const name = row.model && row.version ? `${row.model}@${row.version}` : (row.step ?? 'it');
  const who = row.role === 'parent' ? `${name}, which it was made from` : `${name}, the control`;
  if (!row.difference) return `It was not measured together with ${who}.`;
  const { value, low, high } = row.difference;
  const interval = low != null && high != null ? ` (95 % interval ${signed(low)} to ${signed(high)})` : '';
  const word = tone(row.difference);
  return word === 'unclear'
    ? `No clear difference from ${who}: ${signed(value)} nats per token${interval}.`
    : `${Math.abs(value).toFixed(4)} nats per token ${word} than ${who}${interval}.`;
}
