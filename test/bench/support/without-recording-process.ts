/** `node --import` this before `pennypost serve`: the same process in every respect but that no open and no click is recorded. */
import { EngagementRecorder } from '../../../src/application/tracking/engagement-recorder.ts';

EngagementRecorder.prototype.record = async () => 'durable';
