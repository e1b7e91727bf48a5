import type { Command, CommanderError } from 'commander';
import { FixRequestError } from '../contracts/errors.ts';
import { commandExamples } from './command-examples.ts';
import { nearestWord } from './nearest-word.ts';

/** What is wrong with a command line, in Clawhold's words instead of the parser's. */
export function usageError(error: CommanderError, command: Command): FixRequestError {
  return new FixRequestError('cli.usage', sentence(error, command), { cause: error });
}

/** The same for a word that the parser did not come to. */
export function unknownCommand(group: Command, typed: string): FixRequestError {
  return new FixRequestError('cli.usage', noCommand(group, typed));
}

/** `runs show`: how a person names the command; empty for the program itself. */
export function pathOf(command: Command): string {
  return command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim();
}

function sentence(error: CommanderError, command: Command): string {
  const path = pathOf(command);
  const name = `clawhold ${path}`.trim();
  const help = `See "${name} --help".`;
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  switch (error.code) {
    case 'commander.unknownCommand':
      return noCommand(command, quoted);
    case 'commander.unknownOption':
      return `"${name}" has no option ${quoted}. ${nearOption(command, quoted)}${help}`;
    case 'commander.missingArgument':
      return `"${name}" needs <${quoted}>, which was not given. ${example(path) ?? help}`;
    case 'commander.missingMandatoryOptionValue':
      return `"${name}" needs ${quoted}, which was not given. ${example(path) ?? help}`;
    case 'commander.optionMissingArgument':
      return `"${name}" was given ${quoted} without its value. ${help}`;
    case 'commander.invalidArgument':
      return `"${name}" was given a wrong value: ${wrongValue(error, quoted)} ${help}`;
    case 'commander.excessArguments':
      return excess(error, command);
    case 'commander.help':
      return `"${name}" needs a ${path === '' ? 'command' : 'sub-command'}: ${namesOf(command).join(', ')}. ${help}`;
    default:
      return `${error.message.replace(/^error: /, `"${name}": `).replaceAll(/\s+/g, ' ')} ${help}`;
  }
}

function wrongValue({ message }: CommanderError, option: string): string {
  const [, value, allowed] = /argument '(.*)' is invalid\. Allowed choices are (.*)\.$/s.exec(message) ?? [];
  const flag = option.replace(/ <.*$/, '');
  return value === undefined ? message.replace(/^error: /, '') : `${flag} cannot be ${JSON.stringify(value)}; it takes ${allowed}.`;
}

/** A word after a group whose default sub-command takes none is a sub-command that does not exist. */
function excess(error: CommanderError, command: Command): string {
  const [, given = ''] = /got \d+(?:: (.*))?\.$/.exec(error.message) ?? [];
  const typed = given.split(', ')[0] ?? '';
  const { parent } = command;
  const isDefault = parent !== null && parent.args[0] !== command.name();
  if (isDefault) return noCommand(parent, typed);
  const path = pathOf(command);
  const takes = command.registeredArguments.length;
  const most = takes === 0 ? 'no argument' : takes === 1 ? 'one argument' : `at most ${takes} arguments`;
  return `"clawhold ${path}" takes ${most}, but was given more: ${given}. See "clawhold ${path} --help".`;
}

function noCommand(group: Command, typed: string): string {
  const name = `clawhold ${pathOf(group)}`.trim();
  const near = nearestWord(typed, namesOf(group));
  const meant = near === undefined ? '' : `Did you mean "${name} ${near}"? `;
  return `There is no command "${name} ${typed}". ${meant}See "${name} --help".`;
}

function nearOption(command: Command, typed: string): string {
  const flags = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
  const near = nearestWord(typed.replace(/=.*$/, ''), flags);
  return near === undefined ? '' : `Did you mean ${near}? `;
}

function namesOf(group: Command): string[] {
  return group.commands.map((one) => one.name());
}

function example(path: string): string | undefined {
  const [first] = commandExamples[path] ?? [];
  return first === undefined ? undefined : `For example: ${first} (more in "clawhold ${path} --help").`;
}
