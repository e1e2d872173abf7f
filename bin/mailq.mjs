#!/usr/bin/env node
/** `mailq`: the queue, as `sendmail -bp` lists it. */
import { entry, runHere } from './runtime.mjs';

await runHere(['-bp', ...process.argv.slice(2)], entry('app/sendmail/main'));
