import { FixRequestError } from '../../contracts/errors.ts';

/** One thing that is wrong in a file a human wrote. */
export interface Violation {
  /** 1-based; 0 when the file as a whole is meant. */
  readonly line: number;
  /** Dotted, e.g. `limits.turns`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, and what is allowed. */
  readonly message: string;
}

/** All that is wrong in one file, reported at once. */
export class InvalidFileError extends FixRequestError {
  readonly file: string;
  readonly violations: readonly Violation[];

  constructor(
    file: string,
    violations: readonly Violation[],
    options: ErrorOptions & { readonly code?: string; readonly advice?: string } = {},
  ) {
    const lines = violations.map(
      ({ line, path, message }) => `${file}${line > 0 ? `:${line}` : ''}: ${path === '' ? '' : `${path} `}${message}`,
    );
    const advice = options.advice ?? 'Correct the file and try again.';
    const text =
      lines.length === 1
        ? `${lines[0]}. ${advice}`
        : `${file} has ${lines.length} violations; nothing of it is used:\n  ${lines.join('\n  ')}\n${advice}`;
    super(options.code ?? 'config.invalid', text, options);
    this.file = file;
    this.violations = violations;
  }
}
