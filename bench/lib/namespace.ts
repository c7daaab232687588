/** A network namespace of the benchmark's own, with programs in it; all of it is taken away at the end. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

export class Namespace {
  readonly name: string;
  private readonly children: ChildProcess[] = [];

  constructor(name: string) {
    // A run that was ended may have left its own behind.
    this.name = `${name}-${process.pid}`;
    ip('netns', 'add', this.name);
    this.ip('link', 'set', 'lo', 'up');
  }

  /** Moves a device of ours in and gives it an address. */
  take(device: string, address: string): void {
    ip('link', 'set', device, 'netns', this.name);
    this.ip('addr', 'add', address, 'dev', device);
    this.ip('link', 'set', device, 'up');
  }

  ip(...args: string[]): void {
    ip('netns', 'exec', this.name, 'ip', ...args);
  }

  run(command: string, ...args: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.children.push(child);
    return child;
  }

  remove(): void {
    for (const child of this.children) child.kill('SIGKILL');
    ip('netns', 'del', this.name);
  }
}

export function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The next line that a child prints. */
export function line(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (chunk: Buffer): void => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0) return;
      child.stdout?.off('data', read);
      resolve(text.slice(0, end));
    };
    child.stdout?.on('data', read);
    child.once('exit', code => reject(new Error(`it ended with ${code} and said '${text}'`)));
  });
}
