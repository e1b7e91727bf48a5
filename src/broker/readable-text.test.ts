import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readableText } from './readable-text.ts';

async function html(source: string): Promise<string> {
  return (await readableText(Buffer.from(source), 'text/html; charset=utf-8'))!.text;
}

test('a page becomes its text, in order, with headings, lists and links', async () => {
  const page = await readableText(
    Buffer.from(
      '<!doctype html><title>The &amp; title</title><body><h1>One</h1><p>A <b>bold</b> word.<p>Next<ul><li>a<li><a href="/b">b</a></ul><pre>x\n  y</pre></body>',
    ),
    'text/html',
  );

  assert.equal(page?.title, 'The & title');
  assert.equal(page?.text, '# One\n\nA bold word.\n\nNext\n\n- a\n- b (/b)\n\nx\n  y');
});

test('what a page does not show is left out', async () => {
  const hidden = [
    '<script>evil</script>',
    '<style>evil</style>',
    '<!-- evil -->',
    '<template>evil</template>',
    '<div hidden>evil</div>',
    '<div style="display: none">evil</div>',
    '<p style="font-size:0px">evil</p>',
    '<p style="opacity:0">evil</p>',
    '<div aria-hidden="true">evil</div>',
    '<noscript>evil</noscript>',
    '<div style="visibility:hidden"><p>evil</p></div>',
    '<iframe srcdoc="evil"></iframe>',
  ];
  for (const part of hidden) assert.equal(await html(`<p>good</p>${part}<p>end</p>`), 'good\n\nend', part);
  assert.equal(await html('<p style="opacity:0.5;font-size:0.8em">good</p>'), 'good');
});

test('broken pages still give text', async () => {
  assert.match(await html('<p>a<div>b</p></b></div></div>c<'), /^a\s+b\s+c<?$/);
  assert.equal(await html(`${'<div>'.repeat(50_000)}deep`), 'deep');
});

test('a link to a script has no address', async () => {
  assert.equal(await html('<a href="javascript:evil()">x</a> <a href=" JaVaScript:evil()">y</a>'), 'x y');
});

test('JSON and plain text stay as they are, in the charset that is said', async () => {
  assert.deepEqual(await readableText(Buffer.from('{"a": 1}'), 'application/problem+json'), { kind: 'json', text: '{"a": 1}' });
  assert.equal((await readableText(Buffer.from('gr\xfc\xdfe', 'latin1'), 'text/plain; charset=iso-8859-1'))?.text, 'grüße');
  assert.equal((await readableText(Buffer.from('plain'), undefined))?.text, 'plain');
});

test('what is no text is not shown as one', async () => {
  for (const type of ['image/png', 'application/octet-stream', 'application/pdf', 'video/mp4'])
    assert.equal(await readableText(Buffer.from('x'), type), undefined, type);
  assert.equal(await readableText(Buffer.from([0, 1, 2, 255]), 'text/plain'), undefined);
  assert.equal((await readableText(Buffer.from('x'), 'text/plain; charset=no-such'))?.text, 'x');
});
