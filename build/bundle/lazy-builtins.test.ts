import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import vm from 'node:vm';
import { loadBuiltinsLazily } from './lazy-builtins.ts';

for (const helper of ['__toESM', '__toESM2', '__toESM13']) {
  test(`a built-in that is imported through ${helper} has its default export`, () => {
    const code = `[${helper}(require("node:os")).default.hostname(), ${helper}(require("node:path"),1).default.sep, typeof ${helper}(require("node:assert/strict"),1).default]`;

    const [host, separator, kind] = vm.runInNewContext(loadBuiltinsLazily(code), { require: createRequire(import.meta.url) }) as unknown[];

    assert.deepEqual([typeof host, separator, kind], ['string', '/', 'function']);
  });
}
