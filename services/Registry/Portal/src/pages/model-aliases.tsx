import { type FormEvent, useState } from 'react';
import { get, type Resource, send, useAction } from '../api/client';
import { type Place } from '../api/place';
import type { AliasMove, Model, Page } from '../api/types';
import { Ago, Card, Tag } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { Paged } from '../parts/paged';
import { useMay } from '../parts/role';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { Link } from '../router';

type Change = { alias: string; what: 'revert' | 'remove' };

/** Where the aliases point, and every move they made. */
export function AliasesCard({ place, model, moves, onChanged }: { place: Place<'/api/v1/models/{name}'>; model: Model; moves: Resource<Page<AliasMove>>; onChanged: () => void }) {
  const mayPromote = useMay('promoter');
  const [change, setChange] = useState<Change>();
  const aliases = Object.entries(model.aliases);
  return (
    <Card title="Aliases">
      {aliases.length > 0 && (
        <ul className="history" aria-label="Aliases">
          {aliases.map(([alias, version]) => (
            <li key={alias} className="with-action">
              <span>
                <Tag tone="accent">{alias}</Tag> → <Link href={`/models/${encodeURIComponent(model.name)}/${version}`}>{version}</Link>
              </span>
              {mayPromote && (
                <span>
                  <button className="quiet" aria-label={`Undo the last move of ${alias}`} onClick={() => setChange({ alias, what: 'revert' })}>
                    Undo
                  </button>
                  <button className="quiet" aria-label={`Remove ${alias}`} onClick={() => setChange({ alias, what: 'remove' })}>
                    Remove
                  </button>
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      <Moves place={place.under('/aliases/moves')} moves={moves} />
      {change && <ChangeDialog place={place} change={change} onClose={() => setChange(undefined)} onChanged={onChanged} />}
    </Card>
  );
}

function Moves({ place, moves }: { place: Place<'/api/v1/models/{name}/aliases/moves'>; moves: Resource<Page<AliasMove>> }) {
  return (
    <Loaded resource={moves}>
      {(first) =>
        first.items.length === 0 ? (
          <Empty title="No alias has been moved yet">An alias is a name that moves, such as candidate or stable.</Empty>
        ) : (
          <>
            <h3>Moves</h3>
            <Paged first={first} read={(cursor) => get(place.with({ cursor }))}>
              {(items: AliasMove[]) => (
                <ol className="history" aria-label="Moves of aliases">
                  {items.map((move, i) => (
                    <li key={i}>
                      <Tag tone="accent">{move.alias}</Tag> {move.previous ? `${move.previous} → ` : ''}
                      {move.kind === 'removed' ? 'removed' : move.version}
                      {move.kind === 'reverted' && ' (undone)'}
                      <span className="minor">
                        {' '}
                        {move.actor}, <Ago time={move['moved-at']} />
                        {move.reason && <>: {move.reason}</>}
                      </span>
                    </li>
                  ))}
                </ol>
              )}
            </Paged>
          </>
        )
      }
    </Loaded>
  );
}

function ChangeDialog({ place, change, onClose, onChanged }: { place: Place<'/api/v1/models/{name}'>; change: Change; onClose: () => void; onChanged: () => void }) {
  const [reason, setReason] = useState('');
  const action = useAction();
  const { alias, what } = change;
  const moved = place.under('/aliases/{alias}', { alias });
  const act = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => {
      await (what === 'revert' ? send('post', moved.under('/revert'), { reason }) : send('delete', moved.with({ reason })));
      onChanged();
      onClose();
    });
  };
  return (
    <Dialog title={what === 'revert' ? `Undo the last move of ${alias}?` : `Remove ${alias}?`} onClose={onClose}>
      <form className="stack" onSubmit={act}>
        <p>{what === 'revert' ? `${alias} will point to the version that it pointed to before its last move.` : `${alias} will no longer lead to a version. The version itself stays.`}</p>
        <label>
          Reason
          <input value={reason} onChange={(event) => setReason(event.target.value)} placeholder="kept with the move" autoFocus />
        </label>
        {action.error && <ErrorBox error={action.error} />}
        <div className="actions">
          <button type="button" onClick={onClose}>
            Keep it
          </button>
          <button className={what === 'remove' ? 'danger' : 'primary'} disabled={action.busy}>
            {what === 'revert' ? 'Undo the move' : 'Remove it'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
