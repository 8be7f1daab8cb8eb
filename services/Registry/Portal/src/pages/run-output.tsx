import { useResource } from '../api/client';
import { at } from '../api/place';
import type { Run, Version } from '../api/types';
import { Card, Digest, Facts, PageHead } from '../parts/bits';
import { Loaded } from '../parts/states';
import { bytes } from '../format';
import { Link } from '../router';
import { FileTable } from './file-table';

/** What people call a run: tiny#12. */
export const labelOf = (run: Run) => (run.ordinal > 0 ? `${run.name}#${run.ordinal}` : run.name);

/** Where an output of a step is shown. */
export const outputPath = (run: Run, step: string, output: string) => `/runs/${run['run-id']}?output=${encodeURIComponent(`${step}.${output}`)}`;

/** Versions that are this artifact; none where it is not registered. */
export function useVersionsOf(root: string | undefined): Version[] {
  return useResource(root ? at('/api/v1/search', { q: `root = ${root}`, limit: 5 }) : null).data?.items ?? [];
}

export const VersionLink = ({ version }: { version: { model: string; version: number } }) => (
  <Link href={`/models/${encodeURIComponent(version.model)}/${version.version}`}>
    {version.model}@{version.version}
  </Link>
);

/** One output of a step: what it is, and its files. A report opens at once. */
export function RunOutput({ run, name }: { run: Run; name: string }) {
  const dot = name.lastIndexOf('.');
  const [step, output] = [name.slice(0, dot), name.slice(dot + 1)];
  const place = at('/api/v1/runs/{id}/steps/{step}/outputs/{output}', { id: run['run-id'], step, output });
  const found = useResource(place);
  const versions = useVersionsOf(found.data?.artifact.kind === 'checkpoint' ? found.data.artifact.root : undefined);
  return (
    <>
      <PageHead
        named={name}
        title={
          <>
            {step}
            <span className="minor">.</span>
            {output}
          </>
        }
        lead={
          <>
            made by <Link href={`/runs/${run['run-id']}`}>{labelOf(run)}</Link>
          </>
        }
      />
      <Loaded resource={found} lines={6}>
        {({ artifact, files }) => (
          <>
            <Card>
              <Facts
                facts={[
                  ['Kind', artifact.kind],
                  ['Size', bytes(artifact['size-bytes'])],
                  ['Manifest root', <Digest key="root" value={artifact.root} length={24} />],
                  ['Registered as', versions.length > 0 ? versions.map((v, i) => <span key={`${v.model}@${v.version}`}>{i > 0 && ', '}<VersionLink version={v} /></span>) : undefined],
                ]}
              />
            </Card>
            <Card title="Files">
              <FileTable files={files} base={`${place.url}/files`} open={files.find((file) => file.path === 'report.json')?.path} />
            </Card>
          </>
        )}
      </Loaded>
    </>
  );
}
