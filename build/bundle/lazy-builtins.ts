/** Built-ins that cost milliseconds to load and that most commands never touch. */
const slow = [
  'child_process',
  'crypto',
  'dns',
  'http',
  'http2',
  'https',
  'net',
  'readline/promises',
  'sqlite',
  'stream',
  'tls',
  'worker_threads',
  'zlib',
];

/**
 * A stand-in that loads its module when something is first taken from it. Every use of an import is a property of the
 * module's object once bundled, so code does not see the difference.
 */
const standIn = `const __lazy=(name)=>{let module;const load=()=>module??=require(name);return new Proxy({},{get:(_,key)=>key==="default"?load():key==="__esModule"?true:load()[key],has:(_,key)=>key==="default"||key in load(),ownKeys:()=>Reflect.ownKeys(load()),getOwnPropertyDescriptor:(_,key)=>{const own=Object.getOwnPropertyDescriptor(load(),key);return own&&{...own,configurable:true}}})};`;

/** An assertion that holds needs no module: only one that fails, or that is more than a condition, loads it. */
const standInAssert = `const __assert=(()=>{const real=()=>require("node:assert/strict"),holds=(...a)=>{if(!a[0])real().ok(...a)};return{default:new Proxy(holds,{get:(_,key)=>key==="ok"?holds:real()[key]})}})();`;

/** Makes a CommonJS bundle load slow built-ins on first use. */
export function loadBuiltinsLazily(code: string): string {
  const names = slow.join('|');
  const call = `require\\("(?:node:)?(${names})"\\)`;
  const lazy = code
    .replaceAll(new RegExp(`__toESM\\(${call}(?:,1)?\\)`, 'g'), '__lazy("node:$1")')
    .replaceAll(new RegExp(`(?<![\\w.$])${call}(?!\\.)`, 'g'), '__lazy("node:$1")')
    .replaceAll(/__toESM\(require\("node:assert\/strict"\)(?:,1)?\)/g, '__assert');
  return `${standIn}${standInAssert}${lazy}`;
}
