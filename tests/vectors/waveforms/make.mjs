// Writes chunks.json, from the layout in docs/reference/waveforms.md and from nothing else: another
// language, another deflate, and predictors that the writer in Python would not have chosen.
//
//     node tests/vectors/waveforms/make.mjs > tests/vectors/waveforms/chunks.json

import { deflateRawSync, constants } from "node:zlib";

const TABLE = { 0: null, 1: [0, 0], 2: [4, 0], 3: [8, -4], 4: [1, 0], 5: [2, 0], 6: [3, 0], 7: [1, 1], 8: [2, 1], 9: [3, -1] };

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function little(value, width) {
  const bytes = [];
  let rest = value < 0 ? value + 2 ** (8 * width) : value;
  for (let i = 0; i < width; i++) {
    bytes.push(rest % 256);
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

function write(leads, predictors, width, deflate) {
  const samples = leads.length ? leads[0].length : 0;
  const range = 2 ** (8 * width);
  const folded = leads.flatMap((lead, at) =>
    lead.map((x, i) => {
      const before = (back) => (i >= back ? lead[i - back] : 0);
      const rule = TABLE[predictors[at]];
      const predicted = rule
        ? before(1) + Math.floor((rule[0] * (before(1) - before(2)) + rule[1] * (before(2) - before(3))) / 4)
        : 0;
      let residual = (((x - predicted) % range) + range) % range;
      if (residual >= range / 2) residual -= range;
      return residual >= 0 ? 2 * residual : -2 * residual - 1;
    }),
  );
  const planes = [];
  for (let plane = 0; plane < width; plane++) for (const number of folded) planes.push(little(number, width)[plane]);
  const header = [1, width, ...little(leads.length, 2), ...little(samples, 4)];
  const raw = leads.flatMap((lead) => lead.flatMap((x) => little(x, width)));
  const body = deflateRawSync(Buffer.from(planes), deflate);
  return Buffer.concat([Buffer.from([...header, ...little(crc32(raw), 4), ...predictors]), body]).toString("hex");
}

const stored = { level: 0 };
const fixed = { strategy: constants.Z_FIXED };
const usual = {};
const heart = Array.from({ length: 40 }, (_, i) => Math.round(900 * Math.exp(-((i - 20) ** 2) / 6) - 3 * i));
const chunks = [
  ["no lead", [], [], 2, stored],
  ["a lead without samples", [[]], [1], 1, stored],
  ["one sample of one byte", [[-128]], [0], 1, stored],
  ["one sample of two bytes, first difference", [[-32768]], [1], 2, stored],
  ["every predictor on a beat", Array.from({ length: 10 }, () => heart), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 2, usual],
  ["a pleth", [[64, 66, 70, 77, 83, 88, 90, 90, 87, 82, 76, 71, 67, 65, 64]], [5], 1, fixed],
  ["from end to end of 16 bits, by every predictor", Array.from({ length: 10 }, () => [32767, -32768, -32768, 32767, 0, -1, 32767]), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 2, fixed],
  ["from end to end of 32 bits, by every predictor", Array.from({ length: 10 }, () => [2147483647, -2147483648, 2147483647, -2147483648, 1, 0, -2147483648]), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4, usual],
  ["24 bits in four bytes, two leads", [[8388607, -8388608, 5, 4, 3], [0, 0, 0, 70000, 70001]], [3, 9], 4, usual],
  ["wider than it needs to be", [[1, 2, 3]], [2], 4, stored],
];
const made = chunks.map(([name, leads, predictors, width, deflate]) => ({ name, hex: write(leads, predictors, width, deflate), leads }));
console.log(JSON.stringify({ source: "make.mjs beside this file, with node 24, from the layout in docs/reference/waveforms.md", chunks: made }, null, 1));
