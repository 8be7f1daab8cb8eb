import { useEffect, useState } from 'react';
import { ApiError } from '../api/client';
import type { OutputFile } from '../api/types';
import { ErrorBox, Loading } from '../parts/states';
import { bytes, short, whole } from '../format';
import { JsonTree } from './json-tree';

export type FileKind = 'json' | 'text' | 'safetensors';

const longestText = 4 << 20;
const longestHeader = 64 << 20;

/** How a file can be shown here; undefined when it cannot. */
export function kindOf(file: OutputFile): FileKind | undefined {
  if (file.path.endsWith('.safetensors')) return 'safetensors';
  if (file.size > longestText) return undefined;
  return file.path.endsWith('.json') ? 'json' : /\.(md|txt|yaml|yml|jinja|csv|jsonl)$/.test(file.path) ? 'text' : undefined;
}

/** What is in a file: JSON as a tree, text as it is, the header of a safetensors file as a table of tensors. */
export function FileView({ file, at, kind }: { file: OutputFile; at: string; kind: FileKind }) {
  const [state, setState] = useState<{ value?: unknown; error?: ApiError }>({});
  useEffect(() => {
    const abort = new AbortController();
    const reading = kind === 'safetensors' ? readHeader(at, abort.signal) : kind === 'json' ? read(at, abort.signal).then((answer) => answer.json() as Promise<unknown>) : read(at, abort.signal).then((answer) => answer.text());
    reading.then(
      (value) => setState({ value }),
      (error: unknown) => abort.signal.aborted || setState({ error: error instanceof ApiError ? error : new ApiError(0, `${file.path} cannot be shown: ${String(error)}`) }),
    );
    return () => abort.abort();
  }, [at, kind]);
  if (state.error) return <ErrorBox error={state.error} />;
  if (state.value === undefined) return <Loading lines={3} />;
  return kind === 'safetensors' ? <Header header={state.value as TensorHeader} /> : kind === 'json' ? <JsonTree value={state.value} /> : <pre className="block file">{state.value as string}</pre>;
}

interface Tensor {
  name: string;
  dtype: string;
  shape: number[];
  bytes: number;
}

interface TensorHeader {
  length: number;
  tensors: Tensor[];
  metadata: Record<string, string>;
}

/** A safetensors file begins with the length of its header, 8 bytes, and the header, JSON: nothing else is fetched. */
async function readHeader(at: string, signal: AbortSignal): Promise<TensorHeader> {
  const first = new DataView(await (await read(at, signal, [0, 7])).arrayBuffer());
  if (first.byteLength < 8) throw new ApiError(0, 'The file is too short to be a safetensors file.');
  const length = Number(first.getBigUint64(0, true));
  if (length > longestHeader) throw new ApiError(0, `The header has ${bytes(length)}, which is too much to be shown here.`);
  const header = JSON.parse(await (await read(at, signal, [8, 7 + length])).text()) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const { __metadata__: metadata, ...rest } = header;
  const tensors = Object.entries(rest).map(([name, tensor]) => ({ name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.data_offsets[1] - tensor.data_offsets[0] }));
  return { length, tensors, metadata: (metadata ?? {}) as unknown as Record<string, string> };
}

async function read(at: string, signal: AbortSignal, range?: [number, number]): Promise<Response> {
  const answer = await fetch(at, { signal, headers: { 'X-Espalier-Request': '1', ...(range ? { Range: `bytes=${range[0]}-${range[1]}` } : {}) } });
  if (answer.ok && (!range || answer.status === 206)) return answer;
  const problem = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  throw new ApiError(answer.status, String(problem.detail ?? `The server answers ${answer.status} ${answer.statusText}.`), problem);
}

const shownFirst = 100;

function Header({ header }: { header: TensorHeader }) {
  const [text, setText] = useState('');
  const [isWhole, setIsWhole] = useState(false);
  const found = header.tensors.filter((tensor) => tensor.name.includes(text));
  const shown = isWhole ? found : found.slice(0, shownFirst);
  const types = [...new Set(header.tensors.map((tensor) => tensor.dtype))];
  const values = (tensors: Tensor[]) => tensors.reduce((sum, tensor) => sum + tensor.shape.reduce((a, b) => a * b, 1), 0);
  return (
    <>
      <p className="inline">
        <span className="figures">
          {whole(header.tensors.length)} tensors, {short(values(header.tensors))} values: {types.map((type) => `${short(values(header.tensors.filter((t) => t.dtype === type)))} ${type}`).join(', ')}; header {bytes(header.length)}
        </span>
        <input type="search" aria-label="Filter tensors" placeholder="filter" value={text} onChange={(event) => setText(event.target.value)} />
      </p>
      {Object.keys(header.metadata).length > 0 && <p className="minor">{Object.entries(header.metadata).map(([name, value]) => `${name}: ${value}`).join('; ')}</p>}
      <table aria-label="Tensors">
        <thead>
          <tr>
            <th>Tensor</th>
            <th>Type</th>
            <th className="number">Shape</th>
            <th className="number">Size</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((tensor) => (
            <tr key={tensor.name}>
              <td className="mono">{tensor.name}</td>
              <td>{tensor.dtype}</td>
              <td className="number">{tensor.shape.join(' × ') || 'scalar'}</td>
              <td className="number">{bytes(tensor.bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length === 0 && <p className="minor">No tensor has “{text}” in its name.</p>}
      {found.length > shownFirst && !isWhole && (
        <button className="quiet" onClick={() => setIsWhole(true)}>
          all {whole(found.length)} tensors
        </button>
      )}
    </>
  );
}
