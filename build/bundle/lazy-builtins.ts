/** Built-ins that cost milliseconds to load and that most commands never touch. */
const slow = [
  'async_hooks',
  'child_process',
  'crypto',
  'dns',
  'fs/promises',
  'http',
  'http2',
  'https',
  'net',
  'os',
  'perf_hooks',
  'readline/promises',
  'sqlite',
  'stream',
  'timers/promises',
  'tls',
  'worker_threads',
  'zlib',
];

/**
 * A stand-in that loads its module when something is first taken from it. Every use of an import is a property of the
 * module's object once bundled, so code does not see the difference.
 */
const standIn = `const __lazy=(name)=>{let module;const load=()=>module??=require(name);return new Proxy({},{get:(_,key)=>key==="default"?load():key==="__esModule"?true:load()[key],has:(_,key)=>key==="default"||key in load(),ownKeys:()=>Reflect.ownKeys(load()),getOwnPropertyDescriptor:(_,key)=>{const own=Object.getOwnPropertyDescriptor(load(),key);return own&&{...own,configurable:true}}})};`;

/**
 * The others are loaded at once, and stand behind an object that adds `default`. esbuild would copy every property of
 * the module for every file that imports it, and with `fs.promises` and its like load what nobody asked for.
 */
const standBehind = `const __builtin=(name)=>{const module=require(name);return Object.create(module,{default:{value:module},__esModule:{value:true}})};`;

/** One object for a built-in, however many files import it. */
const standIns = `const __builtins=(make)=>{const made=new Map();return (name)=>{let one=made.get(name);if(one===undefined)made.set(name,one=make(name));return one}};const __lazyOf=__builtins(__lazy),__builtinOf=__builtins(__builtin);`;

/** An assertion that holds needs no module: only one that fails, or that is more than a condition, loads it. */
const standInAssert = `const __assert=(()=>{const real=()=>require("node:assert/strict"),holds=(...a)=>{if(!a[0])real().ok(...a)},equal=(...a)=>{if(a.length<2||!Object.is(a[0],a[1]))real().equal(...a)};return{default:new Proxy(holds,{get:(_,key)=>key==="ok"?holds:key==="equal"?equal:real()[key]})}})();`;

/** Makes a CommonJS bundle load slow built-ins on first use, and the others without copying them. */
export function loadBuiltinsLazily(code: string): string {
  const names = slow.join('|');
  const call = `require\\("(?:node:)?(${names})"\\)`;
  const lazy = code
    .replaceAll(/__toESM\d*\(require\("node:assert\/strict"\)(?:,1)?\)/g, '__assert')
    .replaceAll(new RegExp(`__toESM\\d*\\(${call}(?:,1)?\\)`, 'g'), '__lazyOf("node:$1")')
    .replaceAll(new RegExp(`(?<![\\w.$])${call}(?!\\.)`, 'g'), '__lazyOf("node:$1")')
    .replaceAll(/__toESM\d*\(require\("node:([a-z_/]+)"\)(?:,1)?\)/g, '__builtinOf("node:$1")');
  return `${standIn}${standBehind}${standIns}${standInAssert}${lazy}`;
}
