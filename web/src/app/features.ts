import { activity } from "../features/activity";
import { ask } from "../features/ask";
import { benchmarks } from "../features/benchmarks";
import { logs } from "../features/logs";
import { models } from "../features/models";
import { system } from "../features/system";
import type { Feature } from "../lib/feature";

/** Every page, in the navigation's order; the first is home. */
export const FEATURES: readonly [Feature, ...Feature[]] = [models, ask, benchmarks, activity, logs, system];
