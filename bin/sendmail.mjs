#!/usr/bin/env node
/** `sendmail`, for programs that pipe mail: docs/sendmail.md. */
import { entry, runHere } from './runtime.mjs';

await runHere(process.argv.slice(2), entry('app/sendmail/main'));
