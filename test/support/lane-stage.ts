import type { BulkLane } from '../../src/application/delivery/bulk-lane.ts';
import type { BulkLaneOptions } from '../../src/application/delivery/bulk-lane-ports.ts';
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

  /** A lane over a transport that answers after `takes` milliseconds. */
  open(options: BulkLaneOptions & { slots?: number; takes?: number; answer?: (message: OutgoingMessage) => Attempt } = {}) {
    const { slots = 5, takes = 1, answer = () => anAttempt(), ...laneOptions } = options;
    const transport = new MemoryTransport({
      slots,
      answer: async (message) => {
        this.handed.push(message.envelope.to);
        await new Promise((resolve) => setTimeout(resolve, takes));
        return answer(message);
      },
    });
    const lane = this.world.lane(transport, laneOptions);
    this.running.push(lane);
    lane.start();
    return { lane, transport };
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
