import { parse } from 'yaml';
import { FixRequestError, reasonOf } from '../contracts/errors.ts';
import { quotas } from '../contracts/tenant.ts';
import type { YamlEditor } from '../state/yaml-file.ts';

/** What `tenants set` may change; `state` has commands of its own. */
const fields: readonly string[] = [
  'title',
  'overQuota',
  'weight',
  ...Object.keys(quotas.def.getter().shape).map((name) => `quotas.${name}`),
];

/** An edit of `tenant.yaml`; whether the value is allowed is checked by the file's schema. @throws FixRequestError for an unknown field. */
export function editOfTenant({ key, value }: { readonly key: string; readonly value: string }): (editor: YamlEditor) => void {
  if (!fields.includes(key))
    throw new FixRequestError(
      'cli.bad-key',
      `${JSON.stringify(key)} is not a field that can be set. Known fields are: ${fields.join(', ')}.`,
    );
  const path = key.split('.');
  if (value === 'none') return (editor) => void editor.remove(path);
  const parsed = key === 'title' ? value : valueOf(value);
  return (editor) => editor.set(path, parsed);
}

function valueOf(text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new FixRequestError('cli.bad-value', `${JSON.stringify(text)} is not a value: ${reasonOf(cause).split('\n', 1)[0] ?? ''}`, {
      cause,
    });
  }
}
