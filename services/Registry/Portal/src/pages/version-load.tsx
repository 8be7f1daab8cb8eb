import { useState } from 'react';
import { fieldsOf, type VersionDetails } from '../api/types';
import { Card, Segments } from '../parts/bits';
import { Command } from './copy';

const tools = ['transformers', 'vLLM', 'llama.cpp', 'Espalier'] as const;
type Tool = (typeof tools)[number];

/** How to get the version's files from this registry. A key that the machine does not know is named by ESPALIER_KEY. */
export const exportCommand = (data: VersionDetails) => `espalier export ${data.model}@${data.version} ${folderOf(data)} --server ${location.origin}`;

const folderOf = (data: VersionDetails) => `./${data.model}-${data.version}`;

/** How to load the version, tool by tool, with commands for this registry. */
export function LoadCard({ data }: { data: VersionDetails }) {
  const [tool, setTool] = useState<Tool>('transformers');
  const folder = folderOf(data);
  return (
    <Card title="How to load it" aside={<Segments className="small" options={tools} value={tool} onChange={setTool} label="Load it with" />}>
      {tool !== 'Espalier' && (
        <>
          <p className="minor">
            Fetch its files once. On a machine where this platform is not a context, set <code>ESPALIER_KEY</code> to your API key first.
          </p>
          <Command text={exportCommand(data)} />
        </>
      )}
      {tool === 'transformers' && (
        <Command
          text={[
            'from transformers import AutoModelForCausalLM, AutoTokenizer',
            '',
            `model = AutoModelForCausalLM.from_pretrained("${folder}", dtype="auto")`,
            ...(hasTokenizer(data) ? [`tokenizer = AutoTokenizer.from_pretrained("${folder}")`, 'text = tokenizer("Once upon a time", return_tensors="pt")', 'print(tokenizer.decode(model.generate(**text, max_new_tokens=40)[0]))'] : []),
          ].join('\n')}
        />
      )}
      {tool === 'vLLM' && <Command text={`vllm serve ${folder} --served-model-name ${data.model}`} />}
      {tool === 'llama.cpp' && <Command text={`python convert_hf_to_gguf.py ${folder} --outfile ${data.model}-${data.version}.gguf\nllama-cli -m ${data.model}-${data.version}.gguf -p "Once upon a time"`} />}
      {tool === 'Espalier' && (
        <>
          <p className="minor">In a pipeline, wherever an option takes a model:</p>
          <Command text={`stages:\n  more:\n    uses: train\n    with: { from: "model:${data.model}@${data.version}", data: "corpus:general", tokens: 1M }`} />
        </>
      )}
      <Caveats data={data} tool={tool} />
    </Card>
  );
}

/** What the tool cannot do with this version. */
function Caveats({ data, tool }: { data: VersionDetails; tool: Tool }) {
  if (tool === 'Espalier') return null;
  const caveats = [
    !hasTokenizer(data) && (tool === 'transformers' ? 'This version has no tokenizer file: it reads bytes, so give it numbers of bytes.' : `This version has no tokenizer file, which ${tool} needs.`),
    tool === 'llama.cpp' && isPacked(data) && 'Its weights are packed integers, which the converter does not read: convert the version that it was quantized from.',
  ].filter(Boolean) as string[];
  return caveats.length === 0 ? null : (
    <ul className="verdicts minor" aria-label="Caveats">
      {caveats.map((caveat) => (
        <li key={caveat}>{caveat}</li>
      ))}
    </ul>
  );
}

const hasTokenizer = (data: VersionDetails) => data.files.some((file) => /^(tokenizer\.json|tokenizer\.model|vocab\.json|vocab\.txt|tekken\.json|.*\.tiktoken)$/.test(file.path));
const isPacked = (data: VersionDetails) => fieldsOf(data.config).quantization_config != null;
