#!/usr/bin/env node
/** What users run: `postrider <command>`. */
import { runHere } from './runtime.mjs';

await runHere(process.argv.slice(2));
