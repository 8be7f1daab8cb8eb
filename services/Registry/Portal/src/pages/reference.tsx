import { useResource } from '../api/client';
import { at } from '../api/place';
import { Card, PageHead } from '../parts/bits';
import { Markdown } from '../parts/markdown';
import { Loaded } from '../parts/states';
import { Link } from '../router';

/** What pipeline files may say: the language, and the options of every stage kind that workers offer. */
export function ReferencePage({ topic }: { topic: string | null }) {
  return topic === null ? <Topics /> : <Explained key={topic} topic={topic} />;
}

function Topics() {
  const topics = useResource(at('/api/v1/reference', {}));
  return (
    <>
      <PageHead title="Reference" lead={<>What a pipeline file may say, and the options of every stage. In a terminal: <code>espalier help TOPIC</code>.</>} />
      <Card title="Topics" className="flush">
        <Loaded resource={topics} lines={12}>
          {(pages) => (
            <div className="scroll">
              <table className="stacked" aria-label="Topics">
                <thead>
                  <tr>
                    <th>Topic</th>
                    <th>What it is about</th>
                  </tr>
                </thead>
                <tbody>
                  {pages.map((page) => (
                    <tr key={page.topic}>
                      <td>
                        <Link href={`/reference/${encodeURIComponent(page.topic)}`}>{page.title}</Link>
                      </td>
                      <td>{page.summary.replaceAll('`', '')}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Loaded>
      </Card>
    </>
  );
}

function Explained({ topic }: { topic: string }) {
  const page = useResource(at('/api/v1/reference/{topic}', { topic }));
  return (
    <Loaded resource={page} lines={12}>
      {(found) => (
        <>
          <PageHead title={found.title} named={`${found.title} · Reference`}>
            <Link href="/reference">All topics</Link>
          </PageHead>
          <Card className="reference">
            <Markdown text={found.markdown.slice(found.markdown.indexOf('\n') + 1)} longestTable={1000} isPage />
          </Card>
        </>
      )}
    </Loaded>
  );
}
