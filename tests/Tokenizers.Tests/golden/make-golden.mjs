// Writes golden.json: the merges that the npm package `tokenizers` (0.23.2, native) learns from training.txt, and `variants`, which
// patch our tokenizer.json so that one small file covers every split pattern and kind of added token.
//
//   npm install tokenizers@0.23.2       (in a scratch folder)
//   node make-golden.mjs SCRATCH        (from this folder)
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const scratch = path.resolve(process.argv[2]);
const { Tokenizer, BPE, byteLevelPreTokenizer } = createRequire(scratch + '/')('tokenizers');
const ours = JSON.parse(fs.readFileSync('tokenizer.json', 'utf8'));

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", spaces = String.raw`|\s*[\r\n]+|\s+(?!\S)|\s+`;
const split = regex => ({ pre_tokenizer: { type: 'Sequence', pretokenizers: [
  { type: 'Split', pattern: { Regex: contractions + regex + spaces }, behavior: 'Isolated', invert: false },
  { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }] } });
const token = (id, content, flags) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false, ...flags });
const next = Object.keys(ours.model.vocab).length;

const patches = {
  plain: {},
  llama3: split(String.raw`|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*`),
  qwen2: { normalizer: { type: 'NFC' }, ...split(String.raw`|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*`) },
  qwen35: { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }] }, ...split(String.raw`|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*`) },
  prefix: { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } },
  added: {
    normalizer: { type: 'NFC' },
    added_tokens: [...ours.added_tokens, token(next, '  ', { normalized: true }), token(next + 1, '    ', { normalized: true }),
      token(next + 2, '<mark>', { special: true }), token(next + 3, 'tool', { single_word: true }),
      token(next + 4, '<pad>', { special: true, lstrip: true, rstrip: true }), token(next + 5, 'caf\u00e9tok', { normalized: true })],
  },
};
const trainer = new Tokenizer(BPE.empty());
trainer.setPreTokenizer(byteLevelPreTokenizer(false));
trainer.train(['training.txt']);
trainer.save(path.join(scratch, 'trained.json'));
const merges = JSON.parse(fs.readFileSync(path.join(scratch, 'trained.json'))).model.merges
  .map(m => Array.isArray(m) ? m.join(' ') : m).slice(0, ours.model.merges.length);

const lines = Object.entries(patches).map(([name, patch]) => `"${name}": ` + JSON.stringify(patch)).join(',\n');
fs.writeFileSync('golden.json', `{\n"variants": {\n${lines}\n},\n"merges": ${JSON.stringify(merges)}\n}\n`);
console.log('merges', merges.length);
