// `leaseway completion`: a script for the shell, written from the commands as they are.

import { Argument, type Command } from 'commander';
import type { CommandContext } from '../main.ts';

export const addCompletion = (program: Command, { io }: CommandContext): Command =>
  program
    .command('completion')
    .description('print a completion script, for example: source <(leaseway completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell: 'bash' | 'zsh' | 'fish') => void io.out.write(SCRIPTS[shell](program)));

const optionsOf = (command: Command): string[] => [
  ...command.options.map(({ long }) => long).filter(long => long != null),
  '--help',
];

/** Words after a command: its options, else files (configurations, tokens). */
function bash(program: Command): string {
  const cases = program.commands.map(
    command => `    ${command.name()}) words="${optionsOf(command).join(' ')}" ;;`,
  );
  return `_leaseway() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="${program.commands.map(command => command.name()).join(' ')} --help --version" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${program.commands.map(command => command.name()).join(' ')} --help --version"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ "$COMP_CWORD" -gt 1 ] && [ "\${#COMPREPLY[@]}" -eq 0 ]; then
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _leaseway leaseway
`;
}

const zsh = (program: Command): string =>
  `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(program)}`;

function fish(program: Command): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const lines = program.commands.flatMap(command => [
    `complete -c leaseway -n __fish_use_subcommand -f -a ${command.name()} -d ${quoted(command.description())}`,
    ...command.options.map(
      option =>
        `complete -c leaseway -n '__fish_seen_subcommand_from ${command.name()}' -l ${option.name()} -d ${quoted(option.description)}${option.required ? ' -r' : ''}`,
    ),
  ]);
  return `${lines.join('\n')}\n`;
}

const SCRIPTS = { bash, zsh, fish } as const;
