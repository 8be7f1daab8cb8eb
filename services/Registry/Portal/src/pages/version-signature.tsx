import { useState } from 'react';
import { send, useAction, useResource } from '../api/client';
import { type Place } from '../api/place';
import type { Verification, VersionDetails } from '../api/types';
import { Ago, Card, Digest, Facts, Tag } from '../parts/bits';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { bytes, whole } from '../format';
import { Command } from './copy';
import { exportCommand } from './version-load';

/** Who signed the manifest root, and checking every byte against it now. */
export function SignatureCard({ place, version, onVerified }: { place: Place<'/api/v1/models/{name}/versions/{version}'>; version: VersionDetails; onVerified: () => void }) {
  const signatures = useResource(place.under('/signatures'));
  const [outcome, setOutcome] = useState<Verification>();
  const action = useAction();
  const verify = () => {
    setOutcome(undefined);
    return action.run(async () => {
      setOutcome(await send('post', place.under('/verify')));
      signatures.reload();
      onVerified();
    });
  };
  return (
    <>
      <Card
        title="Verification"
        aside={
          <button disabled={action.busy} onClick={() => void verify()}>
            {action.busy ? 'Reading every byte…' : 'Verify'}
          </button>
        }
      >
        {outcome ? <Outcome outcome={outcome} /> : !action.error && <p className="minor">Reads every file and tensor from the store again, compares each with its digest in the manifest, and every signature with the root.</p>}
        {action.error && <ErrorBox error={action.error} />}
        <Facts facts={[['Manifest root', <Digest key="root" value={version.root} length={24} />]]} />
      </Card>
      <Card title="Signatures">
        <Loaded resource={signatures}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title="Nobody has signed this version" />
            ) : (
              <ul className="history" aria-label="Signatures">
                {items.map((signature) => (
                  <li key={signature['key-id'] + signature.value}>
                    {signature['trusted-as'] ? <Tag tone="accent">{signature['trusted-as']}</Tag> : <Tag tone="warn">unknown key</Tag>}
                    <span>
                      {signature.algorithm}, key <Digest value={signature['key-id']} length={16} />
                    </span>
                    <span className="minor">
                      {' '}
                      handed in by {signature.signer}, <Ago time={signature.created} />
                    </span>
                    <details>
                      <summary className="minor">Public key and signature</summary>
                      <pre className="block">{`${signature['public-key'].trim()}\n\n${signature.value}`}</pre>
                    </details>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </Card>
      <Card title="How to sign it">
        <p className="minor">Make a key once. The private part stays on your machine; only the signature is handed in.</p>
        <Command text={'espalier signing-key create ~/keys/me.pem'} />
        <p className="minor">Sign the manifest root. Your API key needs the role promoter.</p>
        <Command text={`espalier sign ${version.model}@${version.version} --key ~/keys/me.pem`} />
        <p className="minor">An administrator counts your signatures as trusted, and anybody may ask for them on export:</p>
        <Command text={`espalier signing-key trust ~/keys/me.pem.pub --name me\n${exportCommand(version)} --signed-by ~/keys/me.pem.pub`} />
        <p className="minor">
          These commands work in the selected context; <code>espalier context list</code> shows it. This platform becomes one by
        </p>
        <Command text={`espalier context add portal --orchestrator ${location.origin} --registry ${location.origin} --key $ESPALIER_KEY\nespalier context use portal`} />
      </Card>
    </>
  );
}

/** What the verification found, in one sentence. */
const Outcome = ({ outcome }: { outcome: Verification }) =>
  outcome.ok ? (
    <p className="notice succeeded" role="status">
      Every byte is what the manifest says: {whole(outcome.checked)} files and tensors, {bytes(outcome.bytes)}.{' '}
      {outcome.signatures === 0 ? 'Nobody has signed it.' : `${fitting(outcome.signatures)} the root; ${outcome.trusted === 0 ? 'none is by a key that is trusted here' : `${outcome.trusted} by a trusted key`}.`}
    </p>
  ) : (
    <p className="notice failed" role="alert">
      This version is not what it was: {outcome.problem}
    </p>
  );

const fitting = (count: number) => (count === 1 ? 'Its signature matches' : count === 2 ? 'Both signatures match' : `All ${count} signatures match`);
