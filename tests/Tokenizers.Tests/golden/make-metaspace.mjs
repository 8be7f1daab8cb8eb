// Writes tokenizer-metaspace.json, a small tokenizer of the kind of Llama 2 and Mixtral trained on training.txt, and
// golden-metaspace.json: texts, patches of that file, and what the npm package `tokenizers` (0.23.2, native) makes of stray bytes.
//
//   npm install tokenizers@0.23.2          (in a scratch folder)
//   node make-metaspace.mjs SCRATCH        (from this folder)
//
// `variants` patch the file, so that it covers both ways to mark spaces, byte and unknown tokens, and added tokens.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const scratch = path.resolve(process.argv[2]);
const { Tokenizer, BPE, metaspacePreTokenizer } = createRequire(scratch + '/')('tokenizers');
const texts = [...JSON.parse(fs.readFileSync('torture.json', 'utf8')),
  '<s>Hello</s> world', ' <s> two  spaces </s>x', 'a\u2581b \u2581 c', '<0x41> <0x0A>', 'Hello<s>Hello <s> Hello', '\u2581', 'x'.repeat(60) + ' ' + 'the '.repeat(20)];

const trainer = new Tokenizer(BPE.empty());
trainer.setPreTokenizer(metaspacePreTokenizer());
trainer.train(['training.txt']);
trainer.save(path.join(scratch, 'trained.json'));
const trained = JSON.parse(fs.readFileSync(path.join(scratch, 'trained.json'))).model;
const merges = trained.merges.map(m => Array.isArray(m) ? m.join(' ') : m).slice(0, 600);
const tokens = ['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`),
  ...Object.keys(trained.vocab).filter(t => [...t].length === 1).sort(), ...merges.map(m => m.replace(' ', ''))];
const vocab = Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]));
const token = (id, content, flags) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false, ...flags });
const next = Object.keys(vocab).length;
const replace = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' };
const base = {
  version: '1.0', truncation: null, padding: null,
  added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => token(id, content, { special: true })),
  normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '\u2581' }, replace] },
  pre_tokenizer: null,
  post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }], special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } } },
  decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '\u2581' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] },
  model: { type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true, ignore_merges: false, vocab, merges },
};
fs.writeFileSync('tokenizer-metaspace.json', JSON.stringify(base) + '\n');

const metaspace = flags => ({ normalizer: null, pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', ...flags } });
const patches = {
  legacy: {},
  'replace-only': { normalizer: replace },
  first: metaspace({ prepend_scheme: 'first', split: false }),
  'always-split': { ...metaspace({ prepend_scheme: 'always', split: true }), decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true } },
  never: { ...metaspace({ prepend_scheme: 'never', split: true }), decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'never', split: true } },
  composed: { ...metaspace({ prepend_scheme: 'first', split: true }), normalizer: { type: 'NFC' } },
  'fused-unknown': { model: { byte_fallback: false } },
  'single-unknown': { model: { byte_fallback: false, fuse_unk: false } },
  'whole-pieces': { ...metaspace({ prepend_scheme: 'always', split: true }), model: { ignore_merges: true } },
  added: { added_tokens: [...base.added_tokens, token(next, 'tool', { single_word: true, normalized: true }), token(next + 1, '<pad>', { special: true, lstrip: true, rstrip: true }),
    token(next + 2, '<mark>', { special: true }), token(next + 3, 'caf\u00e9', {}), token(next + 4, '  ', {})] },
};
const variants = Object.entries(patches).map(([name, patch]) => `"${name}": ` + JSON.stringify(patch));
const invalid = [[200, 131, 3 + 0xE4, 3 + 0xBD, 3 + 0xA0, 3 + 0xE4, 3 + 0xBD, 300], [3 + 0xFF, 3 + 0x41]];
const tokenizer = new Tokenizer(BPE.empty()) && Tokenizer.fromFile((fs.writeFileSync(path.join(scratch, 'base.json'), JSON.stringify(base)), path.join(scratch, 'base.json')));
const bytes = await Promise.all(invalid.map(async ids => ({ ids, text: await tokenizer.decode(ids, true) })));
fs.writeFileSync('golden-metaspace.json', `{\n"texts": ${JSON.stringify(texts.slice(JSON.parse(fs.readFileSync('torture.json', 'utf8')).length))},\n"variants": {\n${variants.join(',\n')}\n},\n"bytes": ${JSON.stringify(bytes)}\n}\n`);
console.log('tokens', next, 'texts', texts.length);
