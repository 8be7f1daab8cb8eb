import { type FormEvent, useState } from 'react';
import { type Resource, send, useAction, useResource } from '../api/client';
import { type Place, at, versionAt } from '../api/place';
import type { Approval, Approvals, Gates, VersionDetails } from '../api/types';
import { Ago, Card } from '../parts/bits';
import { useMay } from '../parts/role';
import { ErrorBox } from '../parts/states';
import { GateWords } from './model-gates';

/** Points an alias to this version, through its gate; and says yes or no, where an alias has a gate. */
export function Promote({ version, onMoved }: { version: VersionDetails; onMoved: () => void }) {
  const mayPromote = useMay('promoter');
  const model = at('/api/v1/models/{name}', { name: version.model });
  const gates = useResource(model.under('/gates'));
  const approvals = useResource(versionAt(version.model, version.version).under('/approvals'));
  if (!mayPromote) return approvals.data && approvals.data.items.length > 0 ? <Card title="Verdicts"><Verdicts items={approvals.data.items} /></Card> : null;
  return <PromoteForm version={version} model={model} gates={gates} approvals={approvals} onMoved={onMoved} />;
}

interface FormProps {
  version: VersionDetails;
  model: Place<'/api/v1/models/{name}'>;
  gates: Resource<Gates>;
  approvals: Resource<Approvals>;
  onMoved: () => void;
}

function PromoteForm({ version, model, gates, approvals, onMoved }: FormProps) {
  const [alias, setAlias] = useState('');
  const [reason, setReason] = useState('');
  const [said, setSaid] = useState('');
  const action = useAction();
  const rules = gates.data?.items ?? [];
  const gate = rules.find((each) => each.alias === alias);
  const verdicts = approvals.data?.items ?? [];
  const approved = verdicts.filter((each) => each.alias === alias && each.approve).length;
  const move = (event: FormEvent) => {
    event.preventDefault();
    setSaid('');
    void action.run(async () => {
      await send('put', model.under('/aliases/{alias}', { alias }), { version: version.version, reason });
      setSaid(`${alias} points here now.`);
      onMoved();
    });
  };
  const judge = (verdict: 'approve' | 'reject') => {
    setSaid('');
    return action.run(async () => {
      await send('post', versionAt(version.model, version.version).under('/approvals'), { alias, verdict, reason });
      setSaid(verdict === 'approve' ? `Your approval for ${alias} is recorded.` : `Your objection to ${alias} is recorded.`);
      setReason('');
      approvals.reload();
    });
  };
  return (
    <Card title="Promote">
      <form className="stack" onSubmit={move}>
        <label>
          Alias
          <input value={alias} onChange={(event) => setAlias(event.target.value.trim())} list="aliases" required placeholder="candidate" spellCheck={false} />
        </label>
        <datalist id="aliases">
          {[...new Set(['candidate', 'stable', ...rules.map((each) => each.alias)])].map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
        {gate && (
          <p className="notice">
            Behind a gate: <GateWords gate={gate} />
            {gate.approvals > 0 && `; ${approved} given`}.
          </p>
        )}
        <label>
          Reason
          <input value={reason} onChange={(event) => setReason(event.target.value)} placeholder={gate ? 'kept with the move, or with your verdict' : 'kept with the move'} />
        </label>
        <div className="actions">
          {gate && (
            <>
              <button type="button" className="danger" disabled={action.busy || reason.trim() === ''} title={reason.trim() === '' ? 'An objection needs a reason' : undefined} onClick={() => void judge('reject')}>
                Reject
              </button>
              <button type="button" disabled={action.busy} onClick={() => void judge('approve')}>
                Approve
              </button>
            </>
          )}
          <button className="primary" disabled={action.busy || alias === ''}>
            Move the alias here
          </button>
        </div>
        {said && (
          <p className="notice succeeded" role="status">
            {said}
          </p>
        )}
        {action.error && <ErrorBox error={action.error} />}
      </form>
      {verdicts.length > 0 && (
        <>
          <h3>Verdicts</h3>
          <Verdicts items={verdicts} />
        </>
      )}
    </Card>
  );
}

/** Who thinks what of giving this version which alias. */
const Verdicts = ({ items }: { items: Approval[] }) => (
  <ul className="history" aria-label="Verdicts">
    {items.map((each) => (
      <li key={each.alias + each.actor}>
        <span className={`state ${each.approve ? 'succeeded' : 'failed'}`}>
          <i />
          {each.approve ? 'approved' : 'rejected'}
        </span>{' '}
        as {each.alias}
        <span className="minor">
          {' '}
          {each.actor}, <Ago time={each.at} />
          {each.reason && <>: {each.reason}</>}
        </span>
      </li>
    ))}
  </ul>
);
