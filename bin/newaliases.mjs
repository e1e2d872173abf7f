#!/usr/bin/env node
/** `newaliases`: says where aliases are, for scripts that call it. */
import { entry, runHere } from './runtime.mjs';

await runHere(['-bi', ...process.argv.slice(2)], entry('app/sendmail/main'));
