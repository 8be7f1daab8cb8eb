import { type ReactNode, useState } from 'react';

// Markdown as elements, never as HTML: what is not known here is shown as the text that it is. No raw HTML, no images from
// elsewhere, and links only to http, https and places of this portal.

/** A model card or a page of the reference: front matter apart, the rest as text. */
/** Headings stand below the title of the card, or, as the text of a whole page, below that of the page. */
export function Markdown({ text, longestTable = 16, isPage = false }: { text: string; longestTable?: number; isPage?: boolean }) {
  const [front, body] = splitFront(text);
  return (
    <div className="markdown">
      {front && (
        <details className="front-matter">
          <summary>Front matter</summary>
          <pre>{front}</pre>
        </details>
      )}
      {blocks(body, longestTable, isPage)}
    </div>
  );
}

function splitFront(text: string): [string, string] {
  const match = /^---\r?\n([\s\S]*?)\r?\n---\r?\n/.exec(text);
  return match ? [match[1], text.slice(match[0].length)] : ['', text];
}

function blocks(text: string, longestTable: number, isPage: boolean): ReactNode[] {
  const lines = text.split(/\r?\n/);
  const result: ReactNode[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const key = at;
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (line.trim() === '') at++;
    else if (line.startsWith('```')) {
      const end = findEnd(lines, at + 1, (l) => l.startsWith('```'));
      result.push(<pre key={key}>{lines.slice(at + 1, end).join('\n')}</pre>);
      at = end + 1;
    } else if (heading) {
      const Level = `h${Math.min(6, heading[1].length + (isPage ? 0 : 1))}` as 'h2';
      result.push(<Level key={key}>{inline(heading[2])}</Level>);
      at++;
    } else if (/^\s*(---+|\*\*\*+)\s*$/.test(line)) {
      result.push(<hr key={key} />);
      at++;
    } else if (line.startsWith('|') && /^\|?[\s:|-]+\|?\s*$/.test(lines[at + 1] ?? '')) {
      const end = findEnd(lines, at, (l) => !l.startsWith('|'));
      result.push(<Table key={key} lines={lines.slice(at, end)} longest={longestTable} />);
      at = end;
    } else if (/^\s*([-*+]|\d+\.)\s+/.test(line)) {
      const isOrdered = /^\s*\d/.test(line);
      const end = findEnd(lines, at, (l) => !/^\s*([-*+]|\d+\.)\s+/.test(l) && !/^\s{2,}\S/.test(l));
      const List = isOrdered ? 'ol' : 'ul';
      result.push(
        <List key={key}>
          {lines.slice(at, end).map((item, i) => (
            <li key={i}>{inline(item.replace(/^\s*([-*+]|\d+\.)?\s*/, ''))}</li>
          ))}
        </List>,
      );
      at = end;
    } else if (line.startsWith('>')) {
      const end = findEnd(lines, at, (l) => !l.startsWith('>'));
      result.push(<blockquote key={key}>{inline(lines.slice(at, end).map((l) => l.replace(/^>\s?/, '')).join(' '))}</blockquote>);
      at = end;
    } else {
      const end = findEnd(lines, at + 1, (l) => l.trim() === '' || /^(#{1,6}\s|```|\||>|\s*([-*+]|\d+\.)\s)/.test(l));
      result.push(<p key={key}>{inline(lines.slice(at, end).join(' '))}</p>);
      at = end;
    }
  }
  return result;
}

function findEnd(lines: string[], from: number, isEnd: (line: string) => boolean): number {
  let at = from;
  while (at < lines.length && !isEnd(lines[at])) at++;
  return Math.max(at, from);
}

function Table({ lines, longest }: { lines: string[]; longest: number }) {
  const cells = (line: string) => line.replace(/^\||\|\s*$/g, '').split('|').map((cell) => cell.trim());
  const [head, , ...rows] = lines;
  const [isWhole, setIsWhole] = useState(rows.length <= longest);
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>{cells(head).map((cell, i) => <th key={i}>{inline(cell)}</th>)}</tr>
        </thead>
        <tbody>
          {(isWhole ? rows : rows.slice(0, longest)).map((row, i) => (
            <tr key={i}>{cells(row).map((cell, j) => <td key={j} className={/^[-+\d]/.test(cell) ? 'number' : ''}>{inline(cell)}</td>)}</tr>
          ))}
        </tbody>
      </table>
      {!isWhole && (
        <button className="quiet" onClick={() => setIsWhole(true)}>
          All {rows.length} rows
        </button>
      )}
    </div>
  );
}

const marks = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\*[^*\s][^*]*\*)|(\[[^\]]*\]\([^)\s]*\))/;

function inline(text: string): ReactNode[] {
  const result: ReactNode[] = [];
  for (let rest = text, key = 0; rest.length > 0; key++) {
    const match = marks.exec(rest);
    if (!match) {
      result.push(rest);
      break;
    }
    if (match.index > 0) result.push(rest.slice(0, match.index));
    result.push(<span key={key}>{mark(match[0])}</span>);
    rest = rest.slice(match.index + match[0].length);
  }
  return result;
}

function mark(text: string): ReactNode {
  if (text.startsWith('`')) return <code>{text.slice(1, -1)}</code>;
  if (text.startsWith('**')) return <strong>{text.slice(2, -2)}</strong>;
  if (text.startsWith('*')) return <em>{text.slice(1, -1)}</em>;
  const [, name, target] = /^\[([^\]]*)\]\(([^)]*)\)$/.exec(text)!;
  return /^(https?:\/\/|\/(?!\/))/i.test(target) ? (
    <a href={target} rel="noopener noreferrer nofollow">
      {name}
    </a>
  ) : (
    text
  );
}
