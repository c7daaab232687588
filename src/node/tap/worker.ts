/** Waits for frames in a thread of its own and tells the main one, which reads them. */
import { parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';

const { fd, gate } = workerData as { fd: number; gate: Int32Array };
const poll = koffi.load(null).func('int poll(void *fds, unsigned long count, int timeout)');
const pollfd = new Uint8Array(8);
const view = new DataView(pollfd.buffer);
view.setInt32(0, fd, true);
view.setInt16(4, 1, true);

function wait(): void {
  // A short timeout, so that terminate() finds a moment between two calls.
  if (poll(pollfd, 1, 200) > 0) {
    Atomics.store(gate, 0, 0);
    parentPort?.postMessage('readable');
    Atomics.wait(gate, 0, 0, 1000);
  }
  setImmediate(wait);
}

wait();
