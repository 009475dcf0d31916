/**
 * Imported before everything else, and the one module that acts on import: an older Node would load the rest and fail later, in a
 * dependency, with an error about something else.
 */
import { unsupportedNode } from './supported-node.ts';

const fault = unsupportedNode(process.versions.node);
if (fault !== undefined) throw new Error(fault);
