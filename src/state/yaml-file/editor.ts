import { isMap, isSeq, type Document } from 'yaml';

type Path = readonly (string | number)[];

/** Changes a YAML text and leaves everything else in it, comments and order included, as it is. */
export interface YamlEditor {
  get(path: Path): unknown;
  /** Makes the mappings on the way. */
  set(path: Path, value: unknown): void;
  /** False when nothing stands there. */
  remove(path: Path): boolean;
}

export function editorOf(document: Document): YamlEditor {
  return {
    get: (path) => document.getIn(path),
    set: (path, value) => {
      // `limits:` with nothing behind it is a null, in which nothing can be set.
      for (let depth = 0; depth < path.length; depth += 1) {
        const parent = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
        if (isMap(parent) || isSeq(parent)) continue;
        if (depth === 0) document.contents = document.createNode({}) as never;
        else document.setIn(path.slice(0, depth), document.createNode({}));
      }
      document.setIn(path, document.createNode(value));
    },
    remove: (path) => document.deleteIn(path),
  };
}
