import type { Finder, Span } from './find.ts';

interface Shape {
  readonly name: string;
  /** One of these must occur, or the expression is not run. */
  readonly hints: readonly string[];
  /**
   * Global. A group `secret` hides only that part. No expression crosses a space, tab or line end (except after a word
   * that the stream holds lines for), and every repetition before the last one is bounded, which keeps the time linear.
   */
  readonly regex: RegExp;
}

const gitlabKinds = ['pat', 'ptt', 'dt', 'rt', 'cbt', 'ft', 'imt', 'agent', 'oas', 'soat', 'ffct', 'sbt'];

/**
 * Tokens that show what they are. `(?<![A-Za-z0-9])` at the start, because what stands inside a longer word is a hash
 * or an identifier. Sources: the issuers' documentation; secretlint's and gitleaks' rule sets.
 */
export const tokenShapes: readonly Shape[] = [
  { name: 'anthropic-key', hints: ['sk-ant-'], regex: /(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{16,}/g },
  { name: 'openai-key', hints: ['sk-'], regex: /(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]{0,200}[0-9])[A-Za-z0-9_-]{20,}/g },
  {
    name: 'aws-key',
    hints: ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    regex: /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  },
  {
    name: 'github-token',
    hints: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    regex: /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})/g,
  },
  {
    name: 'gitlab-token',
    hints: [...gitlabKinds.map((kind) => `gl${kind}-`), 'GR1348941'],
    regex: new RegExp(`(?<![A-Za-z0-9])(?:gl(?:${gitlabKinds.join('|')})-[A-Za-z0-9_=-]{20,}|GR1348941[A-Za-z0-9_-]{20,})`, 'g'),
  },
  {
    name: 'slack-token',
    hints: ['xox', 'xapp-'],
    regex: /(?<![A-Za-z0-9])(?:xox[abcdeoprs]-(?=[A-Za-z-]{0,200}[0-9])[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,})/g,
  },
  {
    name: 'slack-webhook',
    hints: ['hooks.slack.com/'],
    regex: /hooks\.slack\.com\/(?<secret>(?:services|workflows|triggers)\/[A-Za-z0-9+/_-]{20,})/g,
  },
  { name: 'discord-webhook', hints: ['/api/webhooks/'], regex: /\/api\/webhooks\/(?<secret>[0-9]{15,22}\/[A-Za-z0-9_-]{40,})/g },
  {
    name: 'google-key',
    hints: ['AIza', 'GOCSPX-', 'ya29.'],
    regex: /(?<![A-Za-z0-9])(?:AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])|GOCSPX-[A-Za-z0-9_-]{24,}|ya29\.[A-Za-z0-9_-]{20,})/g,
  },
  {
    name: 'stripe-key',
    hints: ['_live_', '_test_', 'whsec_'],
    regex: /(?<![A-Za-z0-9])(?:(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})/g,
  },
  { name: 'clawhold-token', hints: ['clh_'], regex: /(?<![A-Za-z0-9])clh_[A-Za-z0-9_-]{43}/g },
  { name: 'npm-token', hints: ['npm_'], regex: /(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36,}/g },
  { name: 'pypi-token', hints: ['pypi-'], regex: /(?<![A-Za-z0-9])pypi-[A-Za-z0-9_-]{50,}/g },
  { name: 'huggingface-token', hints: ['hf_'], regex: /(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}/g },
  { name: 'sendgrid-key', hints: ['SG.'], regex: /(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{30,}/g },
  { name: 'twilio-key', hints: ['SK'], regex: /(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])/g },
  { name: 'telegram-token', hints: [':AA'], regex: /(?<![A-Za-z0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}/g },
  { name: 'digitalocean-token', hints: ['_v1_'], regex: /(?<![A-Za-z0-9])do[opr]_v1_[a-f0-9]{64}/g },
  { name: 'shopify-token', hints: ['shp'], regex: /(?<![A-Za-z0-9])shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}/g },
  { name: 'vault-token', hints: ['hvs.', 'hvb.'], regex: /(?<![A-Za-z0-9])hv[sb]\.[A-Za-z0-9_-]{24,}/g },
  { name: 'age-key', hints: ['AGE-SECRET-KEY-'], regex: /(?<![A-Za-z0-9])AGE-SECRET-KEY-1[A-Z0-9]{50,}/g },
  { name: 'groq-key', hints: ['gsk_', 'xai-'], regex: /(?<![A-Za-z0-9])(?:gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,})/g },
  { name: 'jwt', hints: ['eyJ'], regex: /(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,400}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}/g },
  { name: 'url-password', hints: ['://'], regex: /:\/\/[^\s/:@"'`<>]{0,100}:(?![${<*[])(?<secret>[^\s/@"'`<>]{3,200})@/g },
  {
    name: 'authorization',
    hints: ['earer', 'asic', 'EARER', 'ASIC'],
    regex: /(?<![A-Za-z0-9])(?:bearer|basic)[ \t]{1,4}(?=[A-Za-z._~+/=-]{0,200}[0-9])(?<secret>[A-Za-z0-9._~+/=-]{16,})/gi,
  },
];

/** Of a short text one expression is faster than a search for each hint; of a longer one it is not. */
const maxShort = 256;
const anyHint = new RegExp(tokenShapes.flatMap(({ hints }) => hints.map((hint) => RegExp.escape(hint))).join('|'));

/** What the first shape that occurs finds. */
export const findTokens: Finder = (text) => {
  if (text.length <= maxShort && !anyHint.test(text)) return [];
  for (const shape of tokenShapes) {
    const spans = findShape(shape, text);
    if (spans.length > 0) return spans;
  }
  return [];
};

function findShape(shape: Shape, text: string): readonly Span[] {
  if (!shape.hints.some((hint) => text.includes(hint))) return [];
  const spans: Span[] = [];
  for (const match of text.matchAll(shape.regex)) {
    const secret = match.groups?.['secret'];
    const start = secret === undefined ? match.index : match.index + match[0].lastIndexOf(secret);
    spans.push({ start, end: start + (secret ?? match[0]).length, name: shape.name });
  }
  return spans;
}
