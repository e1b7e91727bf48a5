/** One thing that no writer and no crash does. */
export interface LedgerProblem {
  /** Relative to the ledger's folder. */
  readonly file: string;
  /** 1-based; 0 when the file as a whole is meant. */
  readonly line: number;
  /** One sentence. */
  readonly message: string;
}

/** Collects problems; a ledger that was shredded must not fill the memory. */
export interface ProblemList {
  readonly problems: LedgerProblem[];
  /** All that were found, also those that are not kept. */
  total: number;
  add(file: string, line: number, message: string): void;
}

const maxKept = 200;

export function newProblemList(): ProblemList {
  const list: ProblemList = {
    problems: [],
    total: 0,
    add: (file, line, message) => {
      list.total += 1;
      if (list.problems.length < maxKept) list.problems.push({ file, line, message });
    },
  };
  return list;
}
