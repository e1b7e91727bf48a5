const words: Readonly<Record<string, string>> = {
  a: '1',
  an: '1',
  one: '1',
  two: '2',
  three: '3',
  four: '4',
  five: '5',
  six: '6',
  seven: '7',
  eight: '8',
  nine: '9',
  ten: '10',
  eleven: '11',
  twelve: '12',
};

/** Numbers that a person writes as English words: "a mouse" is one, "two chairs" are 2. */
export function numberWords(text: string): readonly string[] {
  const found = new Set<string>();
  for (const [word] of text.toLowerCase().matchAll(/(?<![\p{L}\p{N}])[a-z]{1,6}(?![\p{L}\p{N}])/gu)) {
    if (Object.hasOwn(words, word)) found.add(words[word] ?? '');
  }
  return [...found];
}
