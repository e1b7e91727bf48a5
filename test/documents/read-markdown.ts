/** The part of a document under a heading, up to the next heading of the same or a higher level. */
export function sectionOf(text: string, heading: string): string {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (start === -1) throw new Error(`The document has no heading "${heading}": add it, or correct the name.`);
  const level = /^#+/.exec(lines[start]!)![0].length;
  const length = lines.slice(start + 1).findIndex((line) => new RegExp(`^#{1,${level}} `).test(line));
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n');
}

/** The body rows of every table in the text, cells trimmed and without backticks. A `\|` stays inside its cell. */
export function tableRows(text: string): string[][] {
  const rows: string[][] = [];
  let isBody = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) isBody = false;
    else if (/^\|[\s:|-]+\|$/.test(line)) isBody = true;
    else if (isBody) rows.push(cellsOf(line));
  }
  return rows;
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.replaceAll('`', '').replaceAll('\\|', '|').trim());
}

/** Fenced blocks of one language, in order. */
export function fencedBlocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) => match[1]!);
}
