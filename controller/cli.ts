#!/usr/bin/env node
// The command line: commands, their arguments and their help. Each command is a file of its own in cli/, loaded only when it
// is asked for. Exit codes: 0 as it should be; 1 something is wrong with what was looked at; 2 the command line is wrong.
import { Command, CommanderError, Option } from 'commander';
import { Failure } from './cli/failure.ts';
import { lookingOptions, lookingSettings, runOptions, runSettings } from './cli/options.ts';
import type { RunValues } from './cli/options.ts';
import { readAddress, readHeader, readMethod, readUrl } from './cli/values.ts';
import { VERSION } from './version.ts';

const USAGE_ERROR = 2;
const EXAMPLES = `
Examples:
  fairlead run --manifests ./manifests --http-port 8080
  fairlead check ./manifests
  fairlead explain ./manifests https://shop.example.com/cart -H 'x-beta: 1'

Every flag can also be given in the environment: --http-port as FAIRLEAD_HTTP_PORT.
"fairlead COMMAND --help" shows the flags of a command.`;
const RUN_EXAMPLES = `
Every flag can also be given in the environment: --http-port as FAIRLEAD_HTTP_PORT; a flag beats the environment.
Lists may be repeated, or given with commas. Times: 500ms, 30s, 5m, 1h. Sizes: 16k, 10m, 1g.

Standard output: one line when all workers serve, {"msg":"ready","http":8080,"https":8443,"admin":10254}, and the access log.
Standard error: the log.

SIGTERM and SIGINT drain and exit with 0; a second one exits at once. SIGHUP does nothing, every change is live already; if it comes
because the terminal was closed, it is a SIGTERM. SIGUSR1 opens the file of --access-log anew, for logrotate.

Examples:
  fairlead run --manifests ./manifests
  fairlead run --manifests ./base --manifests ./site --http-port 0 --https-port 0 --workers 1 --access-log off`;
const LOOKING = `
Every other flag of "fairlead run" is taken too, and has no effect here, so that the arguments of a Deployment can be given as they are.
Objects come from the folder alone: --manifests and what is about a cluster are passed over.`;

interface OutputValues extends RunValues {
  readonly output: 'text' | 'json';
}

interface ExplainValues extends OutputValues {
  readonly request: string;
  readonly header?: readonly string[];
  readonly from: string;
}

const output = (): Option => new Option('--output <format>', 'text, or json for programs').choices(['text', 'json']).default('text');

const program = configured(new Command('fairlead'))
  .description('An L7 ingress controller and reverse proxy for Kubernetes that routes straight to pod IPs and never reloads.')
  .version(VERSION, '--version', 'print the version')
  .helpOption('-h, --help', 'show this help')
  .helpCommand(false)
  .addHelpText('after', EXAMPLES);

add(program, 'run', 'serve what the manifests of a folder say, and follow their changes', runOptions())
  .addHelpText('after', RUN_EXAMPLES)
  .action(async (values: RunValues) => {
    passOver('SIGHUP', 'SIGUSR1');
    await (await import('./cli/run.ts')).run(runSettings(values));
  });

add(program, 'check', 'print what is wrong in manifests; exit 1 if any of it is an error', [output(), ...lookingOptions()])
  .addHelpText('after', LOOKING)
  .argument('<dir...>', 'folders of Kubernetes YAML')
  .action(async (dirs: string[], values: OutputValues) => finish(await (await import('./cli/check.ts')).check(dirs, lookingSettings(values), values.output)));

add(program, 'table', 'print the routing table that manifests mean, in matching order', [output(), ...lookingOptions()])
  .addHelpText('after', LOOKING)
  .argument('<dir...>', 'folders of Kubernetes YAML')
  .action(async (dirs: string[], values: OutputValues) => finish(await (await import('./cli/table.ts')).table(dirs, lookingSettings(values), values.output)));

add(program, 'explain', 'say which route answers a request, and why; exit 1 if none does', [
  new Option('-X, --request <method>', 'method of the request').argParser(readMethod).default('GET'),
  new Option('-H, --header <header>', 'a header field of the request, such as "x-beta: 1"; may be repeated').argParser(readHeader),
  new Option('--from <address>', 'address of the client').argParser(readAddress).default('192.0.2.1'),
  output(), ...lookingOptions(),
])
  .addHelpText('after', LOOKING)
  .argument('<dir>', 'folder of Kubernetes YAML')
  .argument('<url>', 'such as https://shop.example.com/cart', readUrl)
  .action(async (dir: string, url: string, values: ExplainValues) => {
    const request = { url, method: values.request, headers: values.header ?? [], from: values.from };
    finish(await (await import('./cli/explain.ts')).explain([dir], request, lookingSettings(values), values.output));
  });

add(program, 'demo', 'start two applications and Fairlead in front of them, and show what to try', [])
  .action(async () => {
    passOver('SIGUSR1');
    await (await import('./demo.ts')).demo();
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR;
  else fail(error);
}

function add(parent: Command, name: string, description: string, options: readonly Option[]): Command {
  const command = configured(parent.command(name)).description(description).helpOption('-h, --help', 'show this help').allowExcessArguments(false);
  for (const option of options) command.addOption(option);
  return command;
}

/** Until a command is loaded, SIGHUP would end the process, and SIGUSR1 start Node's debugger. */
function passOver(...signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) process.on(signal, () => undefined);
}

/** One line for every mistake, and no exit from inside the library. */
function configured(command: Command): Command {
  return command
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(`fairlead: ${oneLine(message.replace(/^error: /, ''))}\n`) })
    .configureHelp({
      helpWidth: 110,
      sortSubcommands: false,
      optionDescription: ({ description, defaultValue, defaultValueDescription }) =>
        defaultValue === undefined ? description : `${description} (default: ${defaultValueDescription ?? String(defaultValue)})`,
    });
}

function finish(exitCode: number): void {
  process.exitCode = exitCode;
}

/** A Failure is one line; anything else is a bug and shows where. */
function fail(error: unknown): void {
  const text = error instanceof Failure ? oneLine(error.message) : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`fairlead: ${text}\n`);
  process.exit(error instanceof Failure ? error.exitCode : 1);
}

function oneLine(message: string): string {
  return message.trim().replace(/\s+/g, ' ').replace(/[\p{Cc}\p{Cf}]/gu, '?');
}
