export interface ReadableText {
  readonly text: string;
  /** `html`, `json`, `text`. */
  readonly kind: 'html' | 'json' | 'text';
  readonly title?: string;
}

/** A body as text that a person could read; undefined when it is none. Nothing in it is run, loaded or followed. */
export async function readableText(body: Buffer, contentType: string | undefined): Promise<ReadableText | undefined> {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const text = decodeText(body, /charset="?([\w-]+)/i.exec(contentType ?? '')?.[1] ?? 'utf-8');
  if (/^(?:text\/html|application\/xhtml\+xml)$/.test(type)) return await readHtml(text ?? '');
  if (text === undefined) return undefined;
  if (/^application\/(?:[\w.-]+\+)?json$/.test(type)) return { kind: 'json', text };
  const isText = type === '' || /^text\/|[/+](?:xml|yaml|x-yaml|javascript|x-www-form-urlencoded|x-ndjson|toml|markdown)$/.test(type);
  return isText && !text.includes('\0') ? { kind: 'text', text } : undefined;
}

function decodeText(body: Buffer, charset: string): string | undefined {
  try {
    return new TextDecoder(charset, { fatal: charset.toLowerCase() === 'utf-8' }).decode(body);
  } catch {
    // silent-ok: an unknown charset, or bytes that are no text: shown as UTF-8 with marks if it is mostly text
    return body.subarray(0, 1024).includes(0) ? undefined : body.toString('utf8');
  }
}

const unseen: ReadonlySet<string> = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'canvas',
  'iframe',
  'object',
  'head',
  'select',
  'datalist',
  'dialog',
]);
const blocks: ReadonlySet<string> = new Set(
  'address article aside blockquote br dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tr ul'.split(
    ' ',
  ),
);
const voids: ReadonlySet<string> = new Set([
  'area',
  'base',
  'br',
  'col',
  'embed',
  'hr',
  'img',
  'input',
  'link',
  'meta',
  'param',
  'source',
  'track',
  'wbr',
]);

/** Text in reading order: what a page hides from people is left out, links and headings keep their mark. */
async function readHtml(html: string): Promise<ReadableText> {
  const { Parser } = await import('htmlparser2');
  const page = new Page();
  const parser = new Parser(
    {
      onopentag: (name, attributes) => page.open(name, attributes),
      onclosetag: (name) => page.close(name),
      ontext: (text) => page.say(text),
    },
    { decodeEntities: true, lowerCaseTags: true },
  );
  parser.end(html);
  const title = page.title.replaceAll(/\s+/g, ' ').trim();
  return { kind: 'html', text: page.text(), ...(title === '' ? {} : { title }) };
}

interface OpenElement {
  readonly name: string;
  readonly isUnseen: boolean;
  readonly link: string | undefined;
}

class Page {
  title = '';
  readonly #parts: string[] = [];
  readonly #stack: OpenElement[] = [];
  #unseen = 0;
  #pre = 0;
  #inTitle = 0;

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (name === 'title') this.#inTitle += 1;
    const isUnseen = unseen.has(name) || isHidden(attributes);
    if (blocks.has(name)) this.#line(name);
    if (name === 'td' || name === 'th') this.#put(' | ');
    if (name === 'img' && this.#unseen === 0 && (attributes['alt'] ?? '') !== '') this.#put(`[image: ${attributes['alt'] ?? ''}]`);
    if (voids.has(name)) return;
    if (isUnseen) this.#unseen += 1;
    if (name === 'pre') this.#pre += 1;
    const link =
      name === 'a' && /^(?:https?:|\/|[\w.?])/.test(attributes['href'] ?? '') && !/^javascript:/i.test(attributes['href'] ?? '')
        ? attributes['href']
        : undefined;
    this.#stack.push({ name, isUnseen, link });
  }

  close(name: string): void {
    if (name === 'title') this.#inTitle = Math.max(0, this.#inTitle - 1);
    const at = this.#stack.findLastIndex((element) => element.name === name);
    if (at === -1) return;
    for (const element of this.#stack.splice(at)) {
      if (element.isUnseen) this.#unseen -= 1;
      if (element.name === 'pre') this.#pre -= 1;
      if (element.link !== undefined) this.#put(` (${element.link.slice(0, 2000)})`);
    }
    if (blocks.has(name)) this.#line('');
  }

  say(text: string): void {
    if (this.#inTitle > 0) this.title += text;
    else if (this.#pre > 0) this.#put(text);
    else this.#put(this.#isLineStart() ? text.replaceAll(/\s+/g, ' ').trimStart() : text.replaceAll(/\s+/g, ' '));
  }

  text(): string {
    return this.#parts
      .join('')
      .replaceAll(/[ \t]+\n/g, '\n')
      .replaceAll(/\n{3,}/g, '\n\n')
      .trim();
  }

  #put(text: string): void {
    if (this.#unseen === 0 && text !== '') this.#parts.push(text);
  }

  #isLineStart(): boolean {
    return this.#parts.at(-1)?.endsWith('\n') ?? true;
  }

  #line(name: string): void {
    const heading = /^h([1-6])$/.exec(name)?.[1];
    // Items follow each other without an empty line; other blocks are set apart.
    const isTight = this.#isLineStart() && (name === '' || /^(?:li|tr|dt|dd)$/.test(name));
    this.#put(`${isTight ? '' : '\n'}${heading === undefined ? '' : `${'#'.repeat(Number(heading))} `}${name === 'li' ? '- ' : ''}`);
  }
}

/** What a page hides from people, its text may not tell an agent. */
function isHidden(attributes: Readonly<Record<string, string>>): boolean {
  if ('hidden' in attributes || attributes['aria-hidden'] === 'true') return true;
  return /(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])|opacity\s*:\s*0(?![.\d]*[1-9]))/i.test(
    attributes['style'] ?? '',
  );
}
