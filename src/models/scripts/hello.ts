import type { Script } from '../script/schema.ts';

const whatIsThis =
  'I am a scripted model: I play a fixed list of turns, understand nothing and need no network. To talk to a real model, set OPENAI_API_KEY (or ANTHROPIC_API_KEY, or run Ollama) and add --model, for example --model openai/gpt-4o-mini.';

/** Answers a greeting, and says to everything else what it is. */
export const helloScript: Script = {
  version: 1,
  branches: [
    { when: '^\\W*(?:hello|hi|hey|good (?:morning|day|evening))\\b', turns: [{ say: `Hello! ${whatIsThis}` }] },
    { turns: [{ say: `You said: {{user | chars 200}}\n\n${whatIsThis}` }] },
  ],
};
