import * as z from 'zod/mini';
import { defineTool, type CoreTool } from './define-tool.ts';

export const timeNow: CoreTool = defineTool({
  name: 'time.now',
  summary: 'Current date and time.',
  schema: z.strictObject({}),
  effects: ['read'],
  args: {},
  structured: ['iso', 'epochMs', 'timeZone'],
  recovery: 'redo',
  open: ({ clock }) => ({
    async perform() {
      const epochMs = clock.now();
      const iso = new Date(epochMs).toISOString();
      const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
      const text = `${iso} (${epochMs} ms since 1970-01-01); time zone of this machine: ${timeZone}`;
      return { isError: false, text, data: { iso, epochMs, timeZone }, source: 'tool:time.now' };
    },
  }),
});
