import type { ToolSpec } from '../../contracts/model.ts';

/** Both directions between our dotted tool names and what the wire allows (`[a-zA-Z0-9_-]`, 64 at most). */
export interface ToolNames {
  toWire(name: string): string;
  /** A name that no tool has is returned as the model wrote it: the run answers that the tool is unknown. */
  fromWire(name: string): string;
}

/** Built from the request's tools alone, so that the same request always has the same bytes on the wire. */
export function mapToolNames(tools: readonly ToolSpec[]): ToolNames {
  const wireOf = new Map<string, string>();
  const nameOf = new Map<string, string>();
  for (const { name } of tools) {
    const plain = plainName(name);
    let wire = plain;
    for (let n = 2; nameOf.has(wire); n += 1) wire = `${plain.slice(0, 60)}_${n}`;
    wireOf.set(name, wire);
    nameOf.set(wire, name);
  }
  return {
    toWire: (name) => wireOf.get(name) ?? plainName(name),
    fromWire: (name) => nameOf.get(name) ?? name,
  };
}

function plainName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || '_';
}
