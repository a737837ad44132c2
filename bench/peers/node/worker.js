// SPDX-License-Identifier: MIT
'use strict';

// The worker of scripts/peers that measures libraries for Node.js. What it says and is asked stands in
// bench/peers/run.py, what the buffers are for in bench/peers/c/worker.h.

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const IN_TURN_UP_TO = 512;
const TURNS = 16;
const TURN_STRIDE = 1088;
const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

const cases = new Map();

// Loads the native part of a package: its fallback in JavaScript is not what the table is about.
function load(name) {
  const native = require(name);
  if (native === require(`${name}/fallback`)) throw new Error(`${name} has no native part for this machine`);
  const manifest = path.join(path.dirname(require.resolve(name)), 'package.json');
  console.log(`peer ${name} ${JSON.parse(fs.readFileSync(manifest, 'utf8')).version}`);
  return native;
}

function makeTurns(data) {
  const count = data.length <= IN_TURN_UP_TO ? TURNS : 1;
  const memory = Buffer.alloc(count * TURN_STRIDE + data.length);
  const turns = [];
  for (let i = 0; i < count; i++) {
    data.copy(memory, i * TURN_STRIDE);
    turns.push(memory.subarray(i * TURN_STRIDE, i * TURN_STRIDE + data.length));
  }
  return turns;
}

function add(peer, row, run) {
  cases.set(`${peer} ${row}`, run);
  console.log(`case ${peer} ${row}`);
}

function addMask(row, data, bufferutil) {
  const turns = makeTurns(data);
  const last = turns.length - 1;
  add('bufferutil', row, (count) => {
    for (let i = 0; i < count; i++) bufferutil.unmask(turns[i & last], KEY);
  });
}

function addUtf8(row, data, isValidUTF8) {
  const turns = makeTurns(data);
  const last = turns.length - 1;
  add('utf-8-validate', row, (count) => {
    let valid = 0;
    for (let i = 0; i < count; i++) valid += isValidUTF8(turns[i & last]) ? 1 : 0;
    if (valid !== count) throw new Error(`wrong result: ${row}`);
  });
}

function answer(question) {
  const [peer, row, words] = question.split(' ');
  const run = cases.get(`${peer} ${row}`);
  const count = Number(words);
  run(Math.ceil(count / 16)); // others had the caches since the last question
  const begin = process.hrtime.bigint();
  run(count);
  console.log(`${process.hrtime.bigint() - begin} ${count}`);
}

const [folder] = process.argv.slice(2);
const bufferutil = load('bufferutil');
const isValidUTF8 = load('utf-8-validate');
console.log(`note node ${process.version}`);
for (const row of fs.readFileSync(path.join(folder, 'rows'), 'utf8').trim().split('\n')) {
  const data = fs.readFileSync(path.join(folder, row.replaceAll('/', '-')));
  if (row.startsWith('mask/')) addMask(row, data, bufferutil);
  if (row.startsWith('utf8/')) addUtf8(row, data, isValidUTF8);
}
console.log('ready');
readline.createInterface({ input: process.stdin }).on('line', answer);
