import { send, useAction, useResource } from '../api/client';
import type { Page } from '../api/types';
import { Card, Digest, Facts } from '../parts/bits';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { useState } from 'react';

type Told = Record<string, unknown>;

/** Who signed the manifest root, and checking every byte against it now. */
export function SignatureCard({ path, root, onVerified }: { path: string; root: string; onVerified: () => void }) {
  const signatures = useResource<Page<Told> | Told[]>(`${path}/signatures`);
  const [outcome, setOutcome] = useState<Told>();
  const action = useAction();
  const verify = () =>
    action.run(async () => {
      setOutcome(await send<Told>('POST', `${path}/verify`));
      onVerified();
    });
  return (
    <Card
      title="Signatures"
      aside={
        <button disabled={action.busy} onClick={() => void verify()}>
          {action.busy ? 'Reading every byte…' : 'Verify'}
        </button>
      }
    >
      <Facts facts={[['Signed text', <Digest key="root" value={root} length={20} />]]} />
      {outcome && <FactList facts={outcome} />}
      {action.error && <ErrorBox error={action.error} />}
      <Loaded resource={signatures}>
        {(answer) => {
          const items = Array.isArray(answer) ? answer : answer.items;
          return items.length === 0 ? (
            <Empty title="Nobody has signed this version">
              <code>espalier sign</code> signs its manifest root with a key that stays with you.
            </Empty>
          ) : (
            <>
              {items.map((signature, i) => (
                <FactList key={i} facts={signature} />
              ))}
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

const FactList = ({ facts }: { facts: Told }) => (
  <Facts
    facts={Object.entries(facts)
      .filter(([, value]) => value !== null && typeof value !== 'object')
      .map(([name, value]) => [name.replaceAll('-', ' '), String(value).length > 40 ? <Digest key={name} value={String(value)} length={24} /> : String(value)])}
  />
);
