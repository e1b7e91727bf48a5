/** One secret as it stands in a file, for tests and for the comparison in docs/decisions/0007. None of them is real. */
export interface Planted {
  readonly name: string;
  readonly text: string;
  readonly secret: string;
  readonly rule: string;
}

/** Random letters that are the same in every run; written in parts so that no scanner takes this file for a leak. */
function letters(alphabet: string, length: number): string {
  let state = 0x2f6e2b1;
  let made = '';
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    made += alphabet.charAt((state >>> 8) % alphabet.length);
  }
  return made;
}

const digits = '0123456789';
const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const lower = 'abcdefghijklmnopqrstuvwxyz';
const mixed = digits + upper + lower;
const hex = '0123456789abcdef';

function bare(name: string, secret: string, rule: string): Planted {
  return { name, secret, rule, text: `before ${secret} after` };
}

function framed(name: string, [before, secret, after]: readonly [string, string, string], rule: string): Planted {
  return { name, secret, rule, text: before + secret + after };
}

const dashes = '-----';
const pem = `${dashes}BEGIN RSA PRIVATE KEY${dashes}\n${letters(mixed, 64)}\n${letters(mixed, 40)}=\n${dashes}END RSA PRIVATE KEY${dashes}`;
const jwt = ['eyJ' + letters(mixed, 33), 'eyJ' + letters(mixed, 60), letters(mixed, 43)].join('.');

export const plantedSecrets: readonly Planted[] = [
  bare('OpenAI key', `sk-${letters(mixed, 48)}`, 'openai-key'),
  bare('OpenAI project key', `sk-proj-${letters(`${mixed}_-`, 90)}`, 'openai-key'),
  bare('OpenRouter key', `sk-or-v1-${letters(hex, 64)}`, 'openai-key'),
  bare('Anthropic key', `sk-ant-api03-${letters(`${mixed}_-`, 80)}`, 'anthropic-key'),
  bare('AWS access key id', `AKIA${letters(upper + digits, 16)}`, 'aws-key'),
  framed('AWS secret key in a credentials file', ['aws_secret_access_key = ', letters(`${mixed}+/`, 40), '\n'], 'assignment'),
  bare('GitHub token', `ghp_${letters(mixed, 36)}`, 'github-token'),
  bare('GitHub fine-grained token', `github_pat_${letters(mixed, 22)}_${letters(mixed, 59)}`, 'github-token'),
  bare('GitLab token', `glpat-${letters(mixed, 20)}`, 'gitlab-token'),
  bare('Slack bot token', `xoxb-${letters(digits, 11)}-${letters(digits, 12)}-${letters(mixed, 24)}`, 'slack-token'),
  framed(
    'Slack webhook',
    ['https://hooks.slack.com/', `services/T${letters(upper, 8)}/B${letters(upper, 8)}/${letters(mixed, 24)}`, ' x'],
    'slack-webhook',
  ),
  bare('Google API key', `AIza${letters(mixed, 35)}`, 'google-key'),
  bare('Google OAuth secret', `GOCSPX-${letters(mixed, 28)}`, 'google-key'),
  bare('Stripe key', `sk_live_${letters(mixed, 24)}`, 'stripe-key'),
  bare('Stripe restricted key', `rk_test_${letters(mixed, 24)}`, 'stripe-key'),
  bare('Clawhold token', `clh_${letters(mixed, 43)}`, 'clawhold-token'),
  bare('npm token', `npm_${letters(mixed, 36)}`, 'npm-token'),
  framed('npm token in .npmrc', ['//registry.npmjs.org/:_authToken=', letters(`${hex}-`, 36), '\n'], 'assignment'),
  bare('PyPI token', `pypi-${letters(mixed, 60)}`, 'pypi-token'),
  bare('Hugging Face token', `hf_${letters(mixed, 34)}`, 'huggingface-token'),
  bare('SendGrid key', `SG.${letters(mixed, 22)}.${letters(mixed, 43)}`, 'sendgrid-key'),
  bare('Twilio key', `SK${letters(hex, 32)}`, 'twilio-key'),
  bare('Telegram bot token', `${letters(digits, 10)}:AA${letters(`${mixed}_-`, 33)}`, 'telegram-token'),
  bare('DigitalOcean token', `dop_v1_${letters(hex, 64)}`, 'digitalocean-token'),
  bare('Shopify token', `shpat_${letters(hex, 32)}`, 'shopify-token'),
  bare('Vault token', `hvs.${letters(mixed, 30)}`, 'vault-token'),
  bare('Groq key', `gsk_${letters(mixed, 52)}`, 'groq-key'),
  bare('age key', `AGE-SECRET-KEY-1${letters(upper + digits, 58)}`, 'age-key'),
  bare('JWT', jwt, 'jwt'),
  framed('Discord webhook', ['https://discord.com/api/webhooks/', `${letters(digits, 18)}/${letters(mixed, 68)}`, ''], 'discord-webhook'),
  framed('password in a URL', ['postgres://app:', 'hunter2hunter2', '@db.internal:5432/app'], 'url-password'),
  framed('bearer token', ['Authorization: Bearer ', letters(mixed, 32), '\n'], 'authorization'),
  framed('basic authentication', ['authorization: basic ', `${letters(mixed, 23)}7=`, '"'], 'authorization'),
  framed('environment variable', ['export DEPLOY_KEY=', 'abc-def', '\n'], 'assignment'),
  framed('quoted environment variable with spaces', ['DB_PASSWORD="', 'correct horse battery', '"\n'], 'assignment'),
  framed('environment variable in YAML', ['  SESSION_SECRET: ', 'keyboardcat', '\n'], 'assignment'),
  framed('environment variable in JSON', ['{"API_TOKEN": "', 'tok-12345', '"}'], 'assignment'),
  framed('environment variable in JSON within JSON', ['{\\"API_TOKEN\\": \\"', 'tok-12345', '\\"}'], 'assignment'),
  framed('password in JSON', ['{"password": "', 'swordfish', '"}'], 'assignment'),
  framed('key in a query string', ['GET /v1?api_key=', 'q7w8e9r0', '&limit=5'], 'assignment'),
  framed('password in an INI file', ['password = ', 'hunter2', '\n'], 'assignment'),
  bare('private key', pem, 'private-key'),
  framed('private key in JSON', ['{"private_key": "', JSON.stringify(pem).slice(1, -1), '"}'], 'private-key'),
  framed(
    'private key that was cut off',
    ['x\n', `${dashes}BEGIN OPENSSH PRIVATE KEY${dashes}\n${letters(mixed, 70)}\n${letters(mixed, 20)}`, ''],
    'private-key',
  ),
];

/** What must not be touched: a redactor that shreds ordinary files is switched off by its users. */
export const looksHarmless: readonly (readonly [name: string, text: string])[] = [
  ['a git commit', `commit ${letters(hex, 40)}\nMerge: ${letters(hex, 7)} ${letters(hex, 7)}`],
  ['a UUID', 'id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301'],
  ['a SHA-256', `${letters(hex, 64)}  dist/app.js`],
  [
    'a lock file',
    `"node_modules/js-tokens": {\n  "version": "4.0.0",\n  "integrity": "sha512-${letters(`${mixed}+/`, 86)}==",\n  "license": "MIT"\n}`,
  ],
  [
    'dependencies with risky names',
    '"js-tokens": "^4.0.0 || ^3.0.0", "keyv": "^4.5.4", "get-token": "^10.13.21", "api-key": "^12.0.0-beta.1"',
  ],
  ['an image as data URL', `data:image/png;base64,${letters(`${mixed}+/`, 400)}==`],
  ['TypeScript', 'const token: ModelToken = await readToken(tokens[0]); if (key === other.key) password = askPassword(); type: "password"'],
  [
    'code that reads the environment',
    'const API_KEY = process.env.API_KEY; OPENAI_API_KEY=$OPENAI_API_KEY; TOKEN=${TOKEN}; SECRET=<your secret>',
  ],
  ['a table of key codes', 'key: value, keys: 12, cache-key: build-1234-linux, primaryKey=id, max_tokens=4096, tokens: 12345678'],
  [
    'prose about secrets',
    'The password: it must be long. A token is not a secret. Basic functionality-requirements of the bearer of-news.',
  ],
  [
    'kebab-case and class names',
    // not-a-secret: planted for this test
    'class="sk-folding-cube-container-with-many-words" task-list-item-checkbox-1234567890 disk-usage-0123456789012345678901',
  ],
  ['a public key', `${dashes}BEGIN PUBLIC KEY${dashes}\n${letters(mixed, 64)}\n${dashes}END PUBLIC KEY${dashes}`],
  ['a placeholder of a private key', `${dashes}BEGIN PRIVATE KEY${dashes}\n...\n${dashes}END PRIVATE KEY${dashes}`],
  ['a URL with a port', 'http://127.0.0.1:8080/path?x=1 and ssh://git@github.com:22/a/b.git'],
  ['working folders', 'PWD=/home/me/project\nOLDPWD=/home/me\nSSH_PUBLIC_KEY=ssh-ed25519'],
  ['a file list', 'src/governance/redact/token-shapes.ts:12: export const tokenShapes = [];'],
];
