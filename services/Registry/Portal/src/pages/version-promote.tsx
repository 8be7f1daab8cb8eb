import { type FormEvent, useState } from 'react';
import { send, useAction, useResource, versionPath } from '../api/client';
import type { Gates, VersionDetails } from '../api/types';
import { Card } from '../parts/bits';
import { useMay } from '../parts/role';
import { ErrorBox } from '../parts/states';

/** Points an alias to this version, through its gate; and approves, where a gate asks for people. */
export function Promote({ version, onMoved }: { version: VersionDetails; onMoved: () => void }) {
  const mayPromote = useMay('promoter');
  const model = `/api/v1/models/${encodeURIComponent(version.model)}`;
  const gates = useResource<Gates>(mayPromote ? `${model}/gates` : null);
  const [alias, setAlias] = useState('');
  const [reason, setReason] = useState('');
  const [said, setSaid] = useState('');
  const action = useAction();
  if (!mayPromote) return null;
  const rules = gates.data?.items ?? [];
  const gate = rules.find((each) => each.alias === alias);
  const move = (event: FormEvent) => {
    event.preventDefault();
    setSaid('');
    void action.run(async () => {
      await send('PUT', `${model}/aliases/${encodeURIComponent(alias)}`, { version: version.version, reason });
      setSaid(`${alias} points here now.`);
      onMoved();
    });
  };
  const approve = (verdict: 'approve' | 'reject') =>
    action.run(async () => {
      await send('POST', `${versionPath(version.model, version.version)}/approvals`, { alias, verdict, reason });
      setSaid(verdict === 'approve' ? `Your approval for ${alias} is recorded.` : `Your objection to ${alias} is recorded.`);
    });
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
            Behind a gate: {gate.rule && <code>{gate.rule}</code>}
            {gate.approvals ? ` and ${gate.approvals} approval${gate.approvals > 1 ? 's' : ''}` : ''}.
          </p>
        )}
        <label>
          Reason
          <input value={reason} onChange={(event) => setReason(event.target.value)} placeholder="kept with the move" />
        </label>
        <div className="actions">
          {gate?.approvals ? (
            <>
              <button type="button" disabled={action.busy} onClick={() => void approve('reject')}>
                Object
              </button>
              <button type="button" disabled={action.busy} onClick={() => void approve('approve')}>
                Approve
              </button>
            </>
          ) : null}
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
    </Card>
  );
}
