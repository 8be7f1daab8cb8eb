import { type KeyboardEvent, type ReactNode, useRef } from 'react';
import type { Problem } from '../api/types';

/**
 * A text area over coloured text: the browser's own editing, undo and screen reader support, with line numbers, colours, and
 * marks where the server found something.
 */
export function YamlEditor({ text, problems, onChange, onSubmit }: { text: string; problems: Problem[]; onChange: (text: string) => void; onSubmit: () => void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const leaves = useRef(false);
  const lines = text.split('\n');
  const byLine = Map.groupBy(problems, (problem) => problem.line);
  const press = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const element = event.currentTarget;
    if (event.key === 'Escape') leaves.current = true;
    else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) onSubmit();
    else if (event.key === 'Tab' && !leaves.current) {
      event.preventDefault();
      if (event.shiftKey) unindent(element, onChange);
      else insert(element, '  ', onChange);
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      const line = element.value.slice(0, element.selectionStart).split('\n').pop()!;
      const indent = /^\s*/.exec(line)![0] + (/:\s*(#.*)?$/.test(line) ? '  ' : '');
      insert(element, '\n' + indent, onChange);
    } else if (event.key !== 'Shift' && event.key !== 'Tab') leaves.current = false;
  };
  return (
    <div className="editor" onClick={() => area.current?.focus()}>
      <div className="editor-body">
        <div className="gutter" aria-hidden="true">
          {lines.map((_, i) => (
            <span key={i} className={byLine.has(i + 1) ? 'bad' : ''} title={byLine.get(i + 1)?.map((p) => p.message).join('\n')}>
              {i + 1}
            </span>
          ))}
        </div>
        <div className="editor-text">
          <pre aria-hidden="true">
            {lines.map((line, i) => (
              <span key={i} className={byLine.has(i + 1) ? 'line bad' : 'line'}>
                {colour(line)}
                {'\n'}
              </span>
            ))}
          </pre>
          <textarea
            ref={area}
            value={text}
            onChange={(event) => onChange(event.target.value)}
            onKeyDown={press}
            spellCheck={false}
            autoCapitalize="off"
            autoComplete="off"
            wrap="off"
            aria-label="Pipeline"
            aria-invalid={problems.length > 0}
          />
        </div>
      </div>
    </div>
  );
}

/** The same colours, to be read only. */
export const YamlText = ({ text }: { text: string }) => (
  <pre className="block yaml" tabIndex={0}>
    {text.split('\n').map((line, i) => (
      <span key={i}>
        {colour(line)}
        {'\n'}
      </span>
    ))}
  </pre>
);

/** Keeps the browser's undo: the text goes in as if it were typed. */
function insert(element: HTMLTextAreaElement, text: string, onChange: (text: string) => void) {
  if (!document.execCommand('insertText', false, text)) {
    element.setRangeText(text, element.selectionStart, element.selectionEnd, 'end');
    onChange(element.value);
  }
}

function unindent(element: HTMLTextAreaElement, onChange: (text: string) => void) {
  const at = element.selectionStart;
  const start = element.value.lastIndexOf('\n', at - 1) + 1;
  const spaces = /^ {0,2}/.exec(element.value.slice(start))![0].length;
  if (spaces === 0) return;
  element.setRangeText('', start, start + spaces, 'preserve');
  onChange(element.value);
}

const token = /(#.*$)|("(?:[^"\\]|\\.)*"|'[^']*')|(\$\{[^}]*\})|([A-Za-z][\w.-]*)(?=\s*:(?:\s|$))|(\b\d[\d.]*(?:e[+-]?\d+)?[A-Za-z]*\b)/g;
const kinds = ['comment', 'string', 'variable', 'key', 'figure'];

function colour(line: string): ReactNode[] {
  const result: ReactNode[] = [];
  let at = 0;
  for (const match of line.matchAll(token)) {
    if (match[1] && match.index > 0 && line[match.index - 1] !== ' ') continue;
    if (match.index > at) result.push(line.slice(at, match.index));
    result.push(
      <span key={match.index} className={kinds[match.slice(1).findIndex((group) => group !== undefined)]}>
        {match[0]}
      </span>,
    );
    at = match.index + match[0].length;
  }
  result.push(line.slice(at));
  return result;
}
