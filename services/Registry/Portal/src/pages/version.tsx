import { useResource } from '../api/client';
import { versionAt } from '../api/place';
import { useRegistryNews } from '../api/events';
import type { VersionDetails } from '../api/types';
import { Bars } from '../charts/bars';
import { Ago, Card, Digest, Facts, PageHead, Tabs, Tag } from '../parts/bits';
import { Markdown } from '../parts/markdown';
import { Empty, Loaded } from '../parts/states';
import { bytes, measure, short } from '../format';
import { RunLink } from '../parts/run-link';
import { Link, navigate } from '../router';
import { Command } from './copy';
import { FileTable } from './file-table';
import { GenealogyCard, LineageCard } from './version-lineage';
import { exportCommand, LoadCard } from './version-load';
import { MetricsCard } from './version-metrics';
import { TextCard } from './version-notes';
import { StandingCard } from './version-standing';
import { Promote } from './version-promote';
import { SignatureCard } from './version-signature';
import { Tags } from '../parts/version-list';

const tabs = [
  ['card', 'Card'],
  ['metrics', 'Metrics'],
  ['files', 'Files'],
  ['lineage', 'Lineage'],
  ['genealogy', 'Experts'],
  ['signature', 'Signature'],
  ['receipts', 'Receipts'],
] as const;

type TabName = (typeof tabs)[number][0];

/** One version: what it is, where it comes from, and giving it an alias. */
export function VersionPage({ model, version, tab }: { model: string; version: string; tab: string }) {
  const details = useResource(versionAt(model, version));
  useRegistryNews(details.reload, model);
  const current = tabs.find(([name]) => name === tab)?.[0] ?? 'card';
  const show = (next: TabName) => navigate(`/models/${encodeURIComponent(model)}/${version}${next === 'card' ? '' : `?tab=${next}`}`, true);
  return (
    <Loaded resource={details} lines={8}>
      {(data) => (
        <>
          <PageHead
            named={`${model}@${data.version}`}
            title={
              <>
                <Link href={`/models/${encodeURIComponent(model)}`}>{model}</Link>
                <span className="minor">@</span>
                {data.version}
              </>
            }
            lead={
              <>
                <Digest value={data.root} /> registered <Ago time={data.created} />
                {data.run && !/^0{8}-/.test(data.run) && (
                  <>
                    {' '}
                    by <RunLink id={data.run} />
                  </>
                )}
              </>
            }
          >
            {data.aliases.map((alias) => (
              <Tag key={alias} tone="accent">
                {alias}
              </Tag>
            ))}
            {data.signed && <Tag tone="accent">signed</Tag>}
            <Tags tags={data.tags} />
          </PageHead>
          <div className="columns">
            <div>
              <Tabs tabs={tabs} value={current} onChange={show} label="About this version" />
              <Tab data={data} tab={current} reload={details.reload} />
            </div>
            <div>
              <Sizes data={data} />
              <Promote version={data} onMoved={details.reload} />
            </div>
          </div>
        </>
      )}
    </Loaded>
  );
}

function Tab({ data, tab, reload }: { data: VersionDetails; tab: TabName; reload: () => void }) {
  const place = versionAt(data.model, data.version);
  switch (tab) {
    case 'card':
      return (
        <>
          <StandingCard place={place} />
          <LoadCard data={data} />
          <Notes notes={data.notes} />
          <LineageCard place={place} root={data.root} />
          <TextCard place={place} text={data.description} title="Notes" empty="Nobody has written anything about this version yet." onSaved={reload} />
          <Card>
            <Markdown text={restOfCard(data)} />
          </Card>
        </>
      );
    case 'metrics':
      return <MetricsCard data={data} />;
    case 'files':
      return <Files data={data} path={place.url} />;
    case 'lineage':
      return <LineageCard place={place} root={data.root} />;
    case 'genealogy':
      return <GenealogyCard place={place} shape={data.shape} />;
    case 'signature':
      return <SignatureCard place={place} version={data} onVerified={reload} />;
    case 'receipts':
      return <Receipts data={data} />;
  }
}

/** What whoever uses the model must know: what other loaders cannot run, what was left out. */
function Notes({ notes }: { notes: string[] }) {
  if (notes.length === 0) return null;
  return (
    <Card title="Good to know">
      <ul aria-label="Notes">
        {notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    </Card>
  );
}

function Sizes({ data }: { data: VersionDetails }) {
  const { params } = data;
  return (
    <Card title="Size">
      <Bars
        rows={[
          ...(params.total > 0
            ? [
                {
                  key: 'params',
                  name: 'parameters',
                  parts: [
                    { value: params.active / params.total, tone: 'strong', title: `${short(params.active)} active` },
                    { value: 1 - params.active / params.total, tone: 'soft', title: `${short(params.total)} in all` },
                  ],
                  text: `${short(params.active)} of ${short(params.total)}`,
                },
              ]
            : []),
          {
            key: 'bytes',
            name: 'bytes',
            parts: [
              { value: data.bytes.logical > 0 ? data.bytes.new / data.bytes.logical : 0, tone: 'second', title: `${bytes(data.bytes.new)} new to the store` },
              { value: data.bytes.logical > 0 ? 1 - data.bytes.new / data.bytes.logical : 0, tone: 'soft', title: 'shared with other versions' },
            ],
            text: bytes(data.bytes.logical),
          },
        ]}
        maximum={1}
      />
      <Facts
        facts={[
          ['New to the store', bytes(data.bytes.new)],
          ['Shape', data.shape.family && `${data.shape.family}, ${data.shape.layers} layers`],
          ['Experts', data.shape.experts > 0 ? `${data.shape['experts-per-token']} of ${data.shape.experts}` : undefined],
          ['From step', data.step],
          ['Imported from', data.origin],
          ['Parents', data.parents.length > 0 ? data.parents.map((p, i) => <span key={i} className="parent">{p.relation} {p.model ? <Link href={`/models/${encodeURIComponent(p.model)}/${p.version}`}>{p.model}@{p.version}</Link> : <Digest value={p.root} length={8} />} </span>) : undefined],
        ]}
      />
    </Card>
  );
}

/** The generated card without what stands above it: how to load the version, and what people wrote. */
const restOfCard = ({ card, description }: VersionDetails) => {
  const at = description ? card.lastIndexOf('\n## Notes\n\n') : -1;
  return (at < 0 ? card : card.slice(0, at + 1)).replace(/\n## How to load it\n[^]*?(?=\n## |$)/, '');
};

function Files({ data, path }: { data: VersionDetails; path: string }) {
  if (data.files.length === 0) return <Card><Empty title="This version lists no files" /></Card>;
  const first = data.files[0].path.split('/').map(encodeURIComponent).join('/');
  return (
    <>
      <Card title="Files">
        <FileTable files={data.files} base={`${path}/files`} digests={`${path}/digests`} />
      </Card>
      <Card title="Fetch them">
        <p className="minor">
          All of them, checked against their digests; a broken download goes on where it stopped. On a machine where this platform is not a context, set <code>ESPALIER_KEY</code> to your API key first.
        </p>
        <Command text={exportCommand(data)} />
        <p className="minor">One of them, without Espalier:</p>
        <Command text={`curl -fOJ -H "Authorization: Bearer $ESPALIER_KEY" ${location.origin}${path}/files/${first}`} />
      </Card>
    </>
  );
}

function Receipts({ data }: { data: VersionDetails }) {
  if (data.receipts.length === 0) return <Card><Empty title="No receipt is stored">Receipts say who did a step, where, when and how fast.</Empty></Card>;
  return (
    <>
      {data.receipts.map((receipt, i) => (
        <Card key={i} title={String(receipt.step ?? receipt.kind ?? `receipt ${i + 1}`)}>
          <Facts facts={Object.entries(receipt).filter(([, value]) => typeof value !== 'object').map(([name, value]) => [name, typeof value === 'number' ? measure(value) : String(value)])} />
        </Card>
      ))}
    </>
  );
}

