import type { BulkLane } from '../../src/application/delivery/bulk/bulk-lane.ts';
import type { BulkLaneOptions } from '../../src/application/delivery/bulk/bulk-lane-ports.ts';
import type { LineLimits } from '../../src/application/delivery/bulk/line.ts';
import type { Attempt, OutgoingMessage } from '../../src/domain/delivery/index.ts';
import { MemoryTransport } from '../../src/infrastructure/transports/memory.ts';
import { anAttempt } from './builders-delivery.ts';
import { LaneWorld } from './lane-world.ts';
import { type TestTime, testTime } from './test-time.ts';

/** Lanes of one world, in test time, and the mail server that they hand over to. */
export class LaneStage {
  readonly time: TestTime = testTime();
  readonly world = new LaneWorld(this.time);
  /** Addresses in the order in which their hand-over began. */
  readonly handed: string[] = [];
  /** Lanes that `close` has to stop. */
  readonly running: BulkLane[] = [];

  /** Messages on the wire, by receiving domain. */
  readonly inFlight = new Map<string, number>();
  /** The most that each domain had on the wire at once; to be cleared by who wants to know of a certain time. */
  readonly mostInFlight = new Map<string, number>();

  /** A lane over a transport that answers after `takes` milliseconds. */
  open(
    options: BulkLaneOptions &
      LineLimits & {
        slots?: number;
        takes?: number | ((message: OutgoingMessage) => number);
        answer?: (message: OutgoingMessage) => Attempt;
      } = {},
  ) {
    const { slots = 5, takes = 1, answer = () => anAttempt(), ...laneOptions } = options;
    const transport = new MemoryTransport({
      slots,
      answer: async (message) => {
        this.handed.push(message.envelope.to);
        const domain = message.envelope.to.slice(message.envelope.to.indexOf('@') + 1);
        this.#count(domain, 1);
        await new Promise((resolve) => setTimeout(resolve, typeof takes === 'number' ? takes : takes(message)));
        this.#count(domain, -1);
        return answer(message);
      },
    });
    const lane = this.world.lane(transport, laneOptions);
    this.running.push(lane);
    lane.start();
    return { lane, transport };
  }

  #count(domain: string, by: number): void {
    const now = (this.inFlight.get(domain) ?? 0) + by;
    this.inFlight.set(domain, now);
    this.mostInFlight.set(domain, Math.max(now, this.mostInFlight.get(domain) ?? 0));
  }

  async close(): Promise<void> {
    this.world.away = false;
    for (const lane of this.running) {
      const stopped = lane.stop();
      await this.time.pass(120_000);
      await stopped;
    }
    this.time.restore();
  }
}
