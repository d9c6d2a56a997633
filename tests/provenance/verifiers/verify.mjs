// node verify.mjs SETTINGS.json MIME=FILE ...
// One JSON line a file: what c2pa-wasm (the reference implementation's core) and c2pa-ts (an independent one) say of it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { initSync, WasmReader } from '@contentauth/c2pa-wasm';
import { BMFF, JPEG, MP3, PNG } from '@trustnxt/c2pa-ts/asset';
import { SuperBox } from '@trustnxt/c2pa-ts/jumbf';
import { ManifestStore } from '@trustnxt/c2pa-ts/manifest';

const wasm = createRequire(import.meta.url).resolve('@contentauth/c2pa-wasm/c2pa.wasm');
initSync({ module: readFileSync(wasm) });
// c2pa-ts knows the boxes of any MP4 but opens only the brands of still pictures unless told otherwise.
for (const brand of ['isom', 'iso5', 'iso6', 'mp41', 'mp42', 'M4A ', 'M4V ', 'qt  ']) BMFF.canReadBrands.add(brand);

async function byWasm(mime, bytes, settings) {
  try {
    const reader = await WasmReader.fromBytes(mime, new Uint8Array(bytes), settings);
    try { return JSON.parse(reader.json()).validation_state.toLowerCase(); } finally { reader.free(); }
  } catch (error) { return `error: ${error}`; }
}

async function byTypeScript(bytes) {
  const format = [JPEG, PNG, BMFF, MP3].find((each) => each.canRead(bytes));
  if (!format) return 'unsupported';
  try {
    const asset = new format(bytes);
    const store = asset.getManifestJUMBF();
    if (!store) return 'absent';
    const found = await ManifestStore.read(SuperBox.fromBuffer(store)).validate(asset);
    return found.isValid ? 'valid' : 'invalid';
  } catch (error) { return `error: ${error}`; }
}

const [settingsPath, ...files] = process.argv.slice(2);
const settings = readFileSync(settingsPath, 'utf8');
for (const each of files) {
  const cut = each.indexOf('=');
  const bytes = readFileSync(each.slice(cut + 1));
  const line = { path: each.slice(cut + 1), wasm: await byWasm(each.slice(0, cut), bytes, settings), ts: await byTypeScript(bytes) };
  console.log(JSON.stringify(line));
}
