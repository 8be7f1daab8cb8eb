import { type FormEvent, useState } from 'react';
import { type ApiError, get, send, useAction, type Resource } from '../api/client';
import { type Place } from '../api/place';
import type { Gate, Gates } from '../api/types';
import { Ago, Card, Tag } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { useMay } from '../parts/role';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { counted } from '../format';

const empty: Gate = { alias: '', rule: '', approvals: 0 };

/** What guards the aliases of a model, what it said lately, and changing it. */
export function GatesCard({ place, gates }: { place: Place<'/api/v1/models/{name}'>; gates: Resource<Gates> }) {
  const mayChange = useMay('admin');
  const [edited, setEdited] = useState<Gate>();
  return (
    <Card
      title="Gates"
      aside={mayChange && <button onClick={() => setEdited(empty)}>Add a gate</button>}
    >
      <Loaded resource={gates}>
        {(data) => (
          <>
            {data.items.length === 0 ? (
              <Empty title="Aliases move without a gate">
                A gate is a rule over metrics, such as <code>loss &lt; 3.1</code>, a number of approvals, or both.
              </Empty>
            ) : (
              <ul className="history" aria-label="Gates">
                {data.items.map((gate) => (
                  <li key={gate.alias} className="with-action">
                    <span>
                      <Tag tone="accent">{gate.alias}</Tag> <GateWords gate={gate} />
                    </span>
                    {mayChange && (
                      <button className="quiet" aria-label={`Change the gate of ${gate.alias}`} onClick={() => setEdited(gate)}>
                        Change
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            )}
            {data.decisions.length > 0 && (
              <>
                <h3>Recent decisions</h3>
                <ol className="history" aria-label="Decisions of gates">
                  {data.decisions.slice(0, 8).map((decision, i) => (
                    <li key={i}>
                      <span className={`state ${decision.allowed ? 'succeeded' : 'failed'}`}>
                        <i />
                        {decision.allowed ? 'allowed' : 'refused'}
                      </span>{' '}
                      {decision.version} as {decision.alias}
                      <span className="minor">
                        {' '}
                        {decision.actor}, <Ago time={decision.at} />
                        {decision.failed.length > 0 && <>: {decision.failed.join('; ')}</>}
                      </span>
                    </li>
                  ))}
                </ol>
              </>
            )}
          </>
        )}
      </Loaded>
      {edited && <GateDialog place={place} gate={edited} onClose={() => setEdited(undefined)} onSaved={gates.reload} />}
    </Card>
  );
}

/** A gate in words: its rule, its approvals. */
export const GateWords = ({ gate }: { gate: Gate }) => (
  <>
    {gate.rule && <code>{gate.rule}</code>}
    {gate.rule && gate.approvals > 0 && ' and '}
    {gate.approvals > 0 && counted(gate.approvals, 'approval')}
    {!gate.rule && gate.approvals === 0 && <span className="minor">moves unless someone objects</span>}
  </>
);

function GateDialog({ place, gate, onClose, onSaved }: { place: Place<'/api/v1/models/{name}'>; gate: Gate; onClose: () => void; onSaved: () => void }) {
  const [alias, setAlias] = useState(gate.alias);
  const [rule, setRule] = useState(gate.rule);
  const [approvals, setApprovals] = useState(String(gate.approvals));
  const action = useAction();
  const isNew = gate.alias === '';
  // The other gates as they are now: somebody else may have changed one since this page was read.
  const replace = (next: Gate[]) =>
    action.run(async () => {
      const now = await get(place.under('/gates'));
      await send('put', place.under('/gates'), { items: [...now.items.filter((other) => other.alias !== gate.alias && next.every((mine) => mine.alias !== other.alias)), ...next] });
      onSaved();
      onClose();
    });
  const save = (event: FormEvent) => {
    event.preventDefault();
    void replace([{ alias, rule: rule.trim(), approvals: Number(approvals) || 0 }]);
  };
  return (
    <Dialog title={isNew ? 'Add a gate' : `The gate of ${gate.alias}`} onClose={onClose}>
      <form className="stack" onSubmit={save}>
        <label>
          Alias
          <input value={alias} onChange={(event) => setAlias(event.target.value.trim())} required placeholder="stable" spellCheck={false} readOnly={!isNew} autoFocus={isNew} />
        </label>
        <label>
          Rule
          <input value={rule} onChange={(event) => setRule(event.target.value)} placeholder="loss < 3.1 and bytes <= current.bytes * 1.1" spellCheck={false} className="mono" autoFocus={!isNew} />
        </label>
        {action.error && <RuleMark rule={rule} error={action.error} />}
        <p className="minor">
          A condition that the version must meet; <code>current</code> is the version that the alias points to. Leave it empty for no condition.
        </p>
        <label>
          Approvals
          <input className="narrow" type="number" min={0} max={20} value={approvals} onChange={(event) => setApprovals(event.target.value)} />
        </label>
        {action.error && <ErrorBox error={action.error} />}
        <div className="actions">
          {!isNew && (
            <button type="button" className="danger" disabled={action.busy} onClick={() => void replace([])}>
              Remove the gate
            </button>
          )}
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button className="primary" disabled={action.busy || alias === ''}>
            Save the gate
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** The rule with a mark where the registry could not read on; it counts characters from 1. */
function RuleMark({ rule, error }: { rule: string; error: ApiError }) {
  const { position } = error.body;
  return typeof position === 'number' && position >= 1 && position <= rule.length + 1 ? <pre className="rule-mark">{`${rule}\n${' '.repeat(position - 1)}^`}</pre> : null;
}
